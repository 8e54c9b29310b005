"""The `venv` layer's contents: the packages, what processes are given at launch, the SBOM."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cnb.exec_d import install_exec_d
from cnb.layers import EnvFile, write_layer_env
from python_buildpack import layers
from python_buildpack.describe.components import package_components
from python_buildpack.describe.report import LayerFacts
from python_buildpack.describe.sbom import write_layer_sbom
from python_buildpack.describe.sizes import directory_size, largest_packages
from python_buildpack.describe.summary import plural
from python_buildpack.in_image import debug_hook, launch_variables, launch_wrapper
from python_buildpack.launch.environment import launch_environment
from python_buildpack.launch.processes import WRAPPER
from python_buildpack.lent_python import lent_interpreter
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.packages import hash_checking, installer, venv
from python_buildpack.packages.app_indexes import AppIndexes, app_indexes
from python_buildpack.packages.credentials import secrets
from python_buildpack.packages.distribution import Distribution
from python_buildpack.packages.index_access import Access, credentials_for_uv, grant
from python_buildpack.packages.installation import Install
from python_buildpack.packages.package_sources import parse_source
from python_buildpack.packages.pylock_selection import target_environment
from python_buildpack.packages.resolution import installed_artifact
from python_buildpack.packages.shared_libraries import missing_libraries
from python_buildpack.packages.variables_in_urls import expanded_secrets
from python_buildpack.workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The packages, and of those that are known the file and sha256 that they came from.

    `installer` is the tool that did it in the end, `installer_reason` why it took over.
    """

    installer: str = ""
    installer_reason: str = ""
    distributions: tuple[Distribution, ...] = ()
    artifacts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        return {one.name: one.version for one in self.distributions}

    @property
    def compiled(self) -> bool:
        """Whether any was compiled here: wheels for others name what they need, as `manylinux`."""
        return any(
            any("-linux_" in tag for tag in one.wheel_tags)
            and not self.artifacts.get(one.name, {}).get("file", "").endswith(".whl")
            for one in self.distributions
        )


def make_venv(shop: Workshop) -> tuple[Installed, LayerFacts]:
    """Make the layer's contents. Raises `UserError` for what cannot be installed."""
    installed = Installed()
    with lent_interpreter(shop) as python:
        venv.create_venv(shop.venv_dir, python)
        if shop.project.packages.install is not None:
            installed = _install(shop, shop.project.packages.install, python)
        _write_launch_support(shop, installed.versions.get("gunicorn", ""))
        if "debugpy" in installed.versions:
            venv.write_start_up_hook(
                shop.venv_dir, debug_hook.MODULE, debug_hook.PTH, debug_hook.__file__
            )
        _write_packages_sbom(shop, installed)
    return installed, LayerFacts(
        size=directory_size(shop.venv_dir),
        largest=largest_packages(venv.site_packages(shop.venv_dir)),
        installer=installed.installer,
        installer_reason=installed.installer_reason,
    )


def _write_packages_sbom(shop: Workshop, installed: Installed) -> None:
    if shop.settings.sbom:
        install = shop.project.packages.install
        # The lines of a lock name everything, so they say nothing of what was asked for.
        named = install is not None and not install.locked
        asked = [line for lines in shop.plan.shown.values() for line in lines] if named else []
        write_layer_sbom(
            shop.context.layers_dir,
            layers.VENV,
            layers.as_table(shop.plan.venv_key),
            shop.context.buildpack_version,
            package_components(
                installed.distributions,
                installed.artifacts,
                target_environment(shop.plan.release.version),
                asked,
            ),
            asked,
        )


def _install(shop: Workshop, install_set: InstallSet, python: Path) -> Installed:
    shop.log.info(f"with {shop.plan.installer}: {shop.plan.installer_reason}")
    install = make_install(shop, install_set, python)
    by = installer.install_packages(install, shop.tools, shop.log)
    installer.check_packages(install, shop.tools, shop.log)
    venv.tidy(shop.venv_dir, shop.log.clean)
    distributions = venv.installed_distributions(shop.venv_dir)
    resolved = {package.name: package for package in hash_checking.read_resolution(install)}
    artifacts = {
        one.name: {"file": artifact.file, "sha256": artifact.sha256}
        for one in distributions
        if one.name in resolved
        and (artifact := installed_artifact(resolved[one.name], one.wheel_tags))
        and artifact.sha256
    }
    _warn_of_missing_libraries(shop)
    unchecked = hash_checking.unvouched(install)
    shop.log.info(
        f"{plural(len(distributions), 'package')} installed and byte-compiled"
        + (f"; no hash vouches for {', '.join(unchecked)}" if unchecked else "")
    )
    return Installed(
        installer=by.tool,
        installer_reason=by.reason,
        distributions=distributions,
        artifacts=artifacts,
    )


def make_install(
    shop: Workshop, install_set: InstallSet, python: Path, *, again: Mapping[str, str] | None = None
) -> Install:
    """What the installer is given. `again`: the versions to install once more, for one step."""
    plan = shop.plan
    access, offline = _access(shop, install_set)
    if shop.sources.require_hashes and not install_set.locked:
        install_set = dataclasses.replace(install_set, require_hashes=True)
    return Install(
        venv=shop.venv_dir,
        python=python,
        python_version=plan.release.version,
        app_dir=shop.project.root,
        top_dir=shop.context.app_dir,
        built_dir=shop.built_dir,
        work_dir=shop.work_dir,
        install_set=install_set,
        access=access,
        offline=offline,
        vendored=shop.project.local_wheels.vendored,
        installer=plan.installer,
        may_fall_back=shop.settings.installer == "auto"
        and not (install_set.locked or install_set.uv_settings or install_set.uv_only),
        require_all_hashes=shop.settings.require_hashes,
        environ=shop.context.environ,
        byte_code=again is None,
        kept=shop.kept_installer if shop.settings.keep_downloads else None,
        versions=again or {},
    )


def _warn_of_missing_libraries(shop: Workshop) -> None:
    runtime = shop.python_dir / "cpython" / "lib"
    provided = [path.name for path in runtime.glob("*.so*")]
    missing = missing_libraries(venv.site_packages(shop.venv_dir), provided)
    if missing:
        shop.log.warning(
            "Packages need shared libraries that neither they nor the build image bring. Where "
            "the run image lacks them too, importing these modules fails. Use a run image that has "
            "them, or packages that do without:\n" + "\n".join(one.text for one in missing)
        )


def _access(shop: Workshop, install_set: InstallSet) -> tuple[Access, Access | None]:
    """The usual way to the packages, and the one without any index, where wheels are at hand."""
    sources, environ = shop.sources, shop.context.environ
    indexes = app_indexes(sources, install_set.indexes, environ, install_set.pinned)
    at_hand = tuple(
        parse_source("BP_PIP_FIND_LINKS", link) for link in shop.project.local_wheels.links
    )
    links = (*at_hand, *sources.find_links)
    shop.log.hide(secrets(sources, indexes.sources) | expanded_secrets(_urls(install_set), environ))
    usual = grant(
        sources,
        indexes,
        links,
        environ,
        shop.work_dir,
        no_index=sources.no_index,
        own_index=install_set.own_index,
    )
    if install_set.uv_only:
        named = credentials_for_uv(environ)
        shop.log.hide(value for name, value in named.items() if name.endswith("PASSWORD"))
        usual = dataclasses.replace(usual, uv_environment={**usual.uv_environment, **named})
    local = tuple(link for link in links if "://" not in link.url)
    if sources.no_index or not local:
        return usual, None
    return usual, grant(
        sources, AppIndexes(), local, environ, shop.work_dir, no_index=True, own_index=False
    )


def _urls(install_set: InstallSet) -> Iterator[str]:
    """All lines in which an installer or we look for variables."""
    yield from (*install_set.urls, *install_set.lines)
    for lines in install_set.pinned.values():
        yield from lines
    yield from (index.url for index in install_set.indexes)


def _write_launch_support(shop: Workshop, gunicorn: str) -> None:
    files: tuple[EnvFile, ...] = launch_environment(
        str(shop.venv_dir), str(shop.project.root), gunicorn
    )
    write_layer_env(shop.venv_dir, files)
    wrapper = shop.venv_dir / WRAPPER
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(launch_wrapper.__file__, wrapper)
    script = shop.work_dir / "launch-variables"
    script.write_bytes(launch_variables.exec_d_script(f"{shop.venv_dir}/bin/python"))
    script.chmod(0o755)
    install_exec_d(shop.venv_dir, "launch-variables", script)
