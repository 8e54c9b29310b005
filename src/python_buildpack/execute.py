"""Carries a plan out: the layers' contents, made where the plan says so."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnb.build import BuildContext
from cnb.layers import (
    EnvFile,
    LayerTypes,
    read_layer_metadata,
    remove_layer,
    write_layer_env,
    write_layer_toml,
)
from cnb.sbom import remove_sbom
from python_buildpack import errors, layers
from python_buildpack.describe.report import LayerFacts, facts_table, read_facts
from python_buildpack.describe.sizes import directory_size, largest_packages
from python_buildpack.describe.summary import megabytes, plural
from python_buildpack.fetch import download
from python_buildpack.kept_trees import keep_tree, restore_tree
from python_buildpack.launch import processes
from python_buildpack.log import Log
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.packages import venv
from python_buildpack.packages.distribution import Distribution
from python_buildpack.packages.index_access import Access, grant, secrets, with_netrc
from python_buildpack.packages.package_sources import (
    AppIndexes,
    PackageSources,
    app_indexes,
    parse_source,
)
from python_buildpack.packages.resolution import installed_artifact
from python_buildpack.packages.tools import Tools
from python_buildpack.plan import Plan, Restored
from python_buildpack.project import Project
from python_buildpack.runtime.contents import copy_runtime, install_runtime, link_interpreter
from python_buildpack.runtime.mirrors import replaced_url
from python_buildpack.runtime.releases import Release
from python_buildpack.settings import Settings

# What a build that changes nothing does not need is imported where it is used.
if TYPE_CHECKING:
    from python_buildpack.packages import installer


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """All that the steps share."""

    context: BuildContext
    settings: Settings
    project: Project
    sources: PackageSources
    plan: Plan
    restored: Restored
    tools: Tools
    work_dir: Path
    log: Log

    @property
    def python_dir(self) -> Path:
        return self.context.layers_dir / layers.PYTHON

    @property
    def venv_dir(self) -> Path:
        return self.context.layers_dir / layers.VENV

    @property
    def cache_dir(self) -> Path:
        return self.context.layers_dir / layers.PIP_CACHE

    @property
    def kept_dir(self) -> Path:
        return self.cache_dir / "kept"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The packages, and of those that are known the file and sha256 that they came from.

    `installer` is the tool that did it in the end.
    """

    installer: str = ""
    distributions: tuple[Distribution, ...] = ()
    artifacts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        return {one.name: one.version for one in self.distributions}


@contextlib.contextmanager
def work_directory() -> Iterator[Path]:
    """A temporary directory that is gone afterwards, come what may."""
    path = Path(tempfile.mkdtemp(prefix="python-buildpack-"))
    try:
        yield path
    finally:
        try:
            shutil.rmtree(path, ignore_errors=True)
        finally:  # SIGTERM may come while it is removed, too
            shutil.rmtree(path, ignore_errors=True)


def packaged_runtimes(buildpack_dir: Path) -> dict[Path, dict[str, Any]]:
    """The runtimes that the package brings, each with its entry of the release list."""
    records = (
        buildpack_dir / "runtime" / "release.json",
        *sorted(buildpack_dir.glob("runtimes/*/release.json")),
    )
    return {
        record.with_name("cpython"): json.loads(record.read_text())
        for record in records
        if record.is_file()
    }


def packaged_runtime(buildpack_dir: Path, release: Release) -> Path | None:
    """The package's runtime that is `release`, where it brings that one."""
    found = packaged_runtimes(buildpack_dir).items()
    return next((path for path, entry in found if entry["sha256"] == release.sha256), None)


def provide_python(shop: Workshop) -> LayerFacts:
    """The `python` layer: reused, or its contents made; its TOML written last."""
    plan, log, layers_dir = shop.plan, shop.log, shop.context.layers_dir
    types = LayerTypes(launch=True, build=plan.at_build, cache=plan.at_build)
    if plan.python.reuse:
        log.info("Reusing Python from the previous image")
        metadata = dict(shop.restored.python or {})
        metadata["sbom"] = shop.settings.sbom
        _drop_unwanted_sbom(shop, layers.PYTHON)
    else:
        remove_layer(layers_dir, layers.PYTHON)
        log.info(f"Installing Python {plan.release.name}: {'; '.join(plan.python.reasons)}")
        _install_runtime(shop)
        write_layer_env(shop.python_dir, build_environment(shop.python_dir, plan.release))
        _write_python_sbom(shop)
        metadata = {
            "format": layers.FORMAT,
            "key": layers.as_table(plan.python_key),
            "sbom": shop.settings.sbom,
            "facts": facts_table(LayerFacts(size=directory_size(shop.python_dir))),
        }
    write_layer_toml(layers_dir, layers.PYTHON, types, metadata)
    return read_facts(metadata)


def build_environment(python_dir: Path, release: Release) -> tuple[EnvFile, ...]:
    """For buildpacks that come later: the headers, which lie below the layer's `include`."""
    name = interpreter_name(release)
    return (
        EnvFile(
            name="CPATH",
            value=f"{python_dir}/cpython/include/{name}",
            action="prepend",
            delim=":",
            scope="build",
        ),
    )


def _install_runtime(shop: Workshop, *, byte_code: bool = True) -> None:
    release = shop.plan.release
    packaged = packaged_runtime(shop.context.buildpack_dir, release)
    # It grows below the layer's directory.
    telling = shop.log.telling(lambda: f"{megabytes(directory_size(shop.python_dir)[0])} unpacked")
    if packaged is not None:
        shop.log.debug(f"copying {packaged}")
        with telling:
            copy_runtime(packaged, shop.python_dir)
        return
    archive = shop.work_dir / release.file_name
    if not archive.exists():  # it may be lent for several steps
        _provide_archive(shop, archive)
    with telling:
        install_runtime(archive, shop.python_dir, byte_code=byte_code)


def _provide_archive(shop: Workshop, archive: Path) -> None:
    """The release's archive: the one that an earlier build kept, else a download."""
    release, kept = shop.plan.release, kept_archive(shop)
    environ = with_netrc(shop.context.environ, shop.sources, shop.work_dir)
    if kept.is_file():
        with contextlib.suppress(errors.UserError):
            download(kept.as_uri(), archive, sha256=release.sha256, log=shop.log, environ=environ)
            return
    shop.log.info(f"Downloading {release.file_name}")
    try:
        download(
            replaced_url(release.url, release.sha256, shop.settings.mirror, shop.context.bindings),
            archive,
            sha256=release.sha256,
            log=shop.log,
            environ=environ,
        )
    except errors.UserError as error:
        brought = packaged_runtimes(shop.context.buildpack_dir).values()
        raise errors.with_packaged_runtimes(
            error, [entry["version"] for entry in brought]
        ) from None
    if shop.settings.keep_downloads:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, kept)


def kept_archive(shop: Workshop) -> Path:
    """Where BP_KEEP_DOWNLOADS keeps it."""
    return shop.kept_dir / shop.plan.release.file_name


def interpreter_name(release: Release) -> str:
    """`python3.13`, or `python3.13t` for a free-threaded build."""
    minor = ".".join(release.version.split(".")[:2])
    return f"python{minor}{'t' if release.free_threaded else ''}"


@contextlib.contextmanager
def lent_interpreter(shop: Workshop) -> Iterator[Path]:
    """The layer's interpreter, lent for this step where the layer itself is reused.

    It has no byte code of its own, unless it comes with the buildpack or was kept with it.
    """
    name = interpreter_name(shop.plan.release)
    root = shop.python_dir / "cpython"
    if (root / "bin" / name).exists():
        yield root / "bin" / name
        return
    packaged = packaged_runtime(shop.context.buildpack_dir, shop.plan.release)
    try:
        if packaged is not None:
            shop.python_dir.mkdir(parents=True)
            root.symlink_to(packaged)
        elif not restore_tree(kept_runtime(shop), root):
            _install_runtime(shop, byte_code=False)
        if not (shop.python_dir / "bin").exists():
            link_interpreter(shop.python_dir, name.removeprefix("python"))
        yield root / "bin" / name
    finally:
        shutil.rmtree(shop.python_dir, ignore_errors=True)


def kept_runtime(shop: Workshop) -> Path:
    """Where the runtime is kept for builds that reuse its layer and need it all the same."""
    return shop.kept_dir / f"runtime-{layers.digest(layers.as_table(shop.plan.python_key))}"


def keeps_runtime(shop: Workshop) -> bool:
    """Whether it must be kept to be lent again: not where it comes with the buildpack."""
    if shop.plan.at_build:
        return False  # the layer itself is cached
    return packaged_runtime(shop.context.buildpack_dir, shop.plan.release) is None


def keep_runtime(shop: Workshop) -> None:
    """Keep what lies in the layer's place."""
    if not kept_runtime(shop).exists():
        with shop.log.telling(lambda: "keeping the runtime for the app's steps in later builds"):
            keep_tree(shop.python_dir / "cpython", kept_runtime(shop), byte_code=True)


def provide_packages(shop: Workshop) -> tuple[Mapping[str, str], LayerFacts]:
    """The `venv` layer: reused, or installed anew; what is installed in it, and its facts."""
    plan, log, layers_dir = shop.plan, shop.log, shop.context.layers_dir
    types = LayerTypes(launch=True, build=plan.at_build, cache=plan.at_build)
    if plan.venv.reuse:
        restored = dict(shop.restored.venv or {})
        log.info("Reusing packages from the previous image")
        restored["sbom"] = shop.settings.sbom
        write_layer_toml(layers_dir, layers.VENV, types, restored)
        _drop_unwanted_sbom(shop, layers.VENV)
        return dict(restored.get("packages", {})), read_facts(restored)
    remove_layer(layers_dir, layers.VENV)
    for notice in shop.project.packages.notices:
        log.info(notice)
    reasons = (*plan.venv.reasons, *layers.summed_up(plan.changed_lines))
    wanted = shop.project.packages.install
    what = "Installing packages" if wanted is not None else "Preparing the launch environment"
    log.info(f"{what}: {'; '.join(reasons)}")
    installed = Installed()
    with lent_interpreter(shop) as python:
        venv.create_venv(shop.venv_dir, python)
        if wanted is not None:
            installed = _install(shop, wanted, python)
        _write_launch_support(shop, installed.versions.get("gunicorn", ""))
        if "debugpy" in installed.versions:
            from python_buildpack.in_image import debug_hook

            venv.write_start_up_hook(
                shop.venv_dir, debug_hook.MODULE, debug_hook.PTH, debug_hook.__file__
            )
        _write_packages_sbom(shop, installed)
        metadata = {
            "format": layers.FORMAT,
            "key": layers.as_table(plan.venv_key),
            "sbom": shop.settings.sbom,
            "requirements": {name: list(lines) for name, lines in plan.shown.items()},
            "packages": installed.versions,
            "artifacts": installed.artifacts,
            "facts": facts_table(
                LayerFacts(
                    size=directory_size(shop.venv_dir),
                    largest=largest_packages(venv.site_packages(shop.venv_dir)),
                    installer=installed.installer,
                )
            ),
        }
        write_layer_toml(layers_dir, layers.VENV, types, metadata)
    return installed.versions, read_facts(metadata)


def _write_python_sbom(shop: Workshop) -> None:
    if shop.settings.sbom:
        from python_buildpack.describe.components import runtime_component
        from python_buildpack.describe.sbom import write_layer_sbom

        write_layer_sbom(
            shop.context.layers_dir,
            layers.PYTHON,
            layers.as_table(shop.plan.python_key),
            shop.context.buildpack_version,
            [runtime_component(shop.plan.release)],
        )


def _write_packages_sbom(shop: Workshop, installed: Installed) -> None:
    if shop.settings.sbom:
        from python_buildpack.describe.components import package_components
        from python_buildpack.describe.sbom import write_layer_sbom
        from python_buildpack.packages.pylock_selection import target_environment

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


def _drop_unwanted_sbom(shop: Workshop, layer: str) -> None:
    if not shop.settings.sbom:
        remove_sbom(shop.context.layers_dir, layer)


def read_venv_metadata(shop: Workshop) -> dict[str, Any]:
    """The `[metadata]` of the `venv` layer as it is by now: restored, or written by this build."""
    return read_layer_metadata(shop.context.layers_dir, layers.VENV) or {}


def _install(shop: Workshop, install_set: InstallSet, python: Path) -> Installed:
    from python_buildpack.packages import installer

    shop.log.info(f"with {shop.plan.installer}: {shop.plan.installer_reason}")
    install = make_install(shop, install_set, python)
    tool = installer.install_packages(install, shop.tools, shop.log)
    installer.check_packages(install, shop.tools, shop.log)
    venv.tidy(shop.venv_dir)
    distributions = venv.installed_distributions(shop.venv_dir)
    resolved = {package.name: package for package in installer.read_resolution(install)}
    artifacts = {
        one.name: {"file": artifact.file, "sha256": artifact.sha256}
        for one in distributions
        if one.name in resolved
        and (artifact := installed_artifact(resolved[one.name], one.wheel_tags))
        and artifact.sha256
    }
    _warn_of_missing_libraries(shop)
    unchecked = installer.unvouched(install)
    shop.log.info(
        f"{plural(len(distributions), 'package')} installed and byte-compiled"
        + (f"; no hash vouches for {', '.join(unchecked)}" if unchecked else "")
    )
    return Installed(installer=tool, distributions=distributions, artifacts=artifacts)


def make_install(
    shop: Workshop, install_set: InstallSet, python: Path, *, again: Mapping[str, str] | None = None
) -> installer.Install:
    """What the installer is given. `again`: the versions to install once more, for one step."""
    from python_buildpack.packages import installer

    plan = shop.plan
    access, offline = _access(shop, install_set)
    return installer.Install(
        venv=shop.venv_dir,
        python=python,
        python_version=plan.release.version,
        app_dir=shop.project.root,
        cache_dir=shop.cache_dir,
        work_dir=shop.work_dir,
        install_set=install_set,
        access=access,
        offline=offline,
        vendored=shop.project.local_wheels.vendored,
        installer=plan.installer,
        may_fall_back=shop.settings.installer == "auto" and not install_set.locked,
        require_all_hashes=shop.settings.require_hashes,
        environ=shop.context.environ,
        byte_code=again is None,
        kept=shop.kept_dir if shop.settings.keep_downloads else None,
        versions=again or {},
    )


def _warn_of_missing_libraries(shop: Workshop) -> None:
    from python_buildpack.packages.shared_libraries import missing_libraries

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
    shop.log.hide(secrets(sources, indexes.sources))
    usual = grant(
        sources,
        indexes,
        links,
        environ,
        shop.work_dir,
        no_index=sources.no_index,
        own_index=install_set.own_index,
    )
    local = tuple(link for link in links if "://" not in link.url)
    if sources.no_index or not local:
        return usual, None
    return usual, grant(
        sources, AppIndexes(), local, environ, shop.work_dir, no_index=True, own_index=False
    )


def _write_launch_support(shop: Workshop, gunicorn: str) -> None:
    from cnb.exec_d import install_exec_d
    from python_buildpack.in_image import launch_variables, launch_wrapper

    files: tuple[EnvFile, ...] = processes.launch_environment(
        str(shop.venv_dir), str(shop.project.root), gunicorn
    )
    write_layer_env(shop.venv_dir, files)
    wrapper = shop.venv_dir / processes.WRAPPER
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(launch_wrapper.__file__, wrapper)
    script = shop.work_dir / "launch-variables"
    script.write_bytes(launch_variables.exec_d_script(f"{shop.venv_dir}/bin/python"))
    script.chmod(0o755)
    install_exec_d(shop.venv_dir, "launch-variables", script)


def provide_pip_cache(shop: Workshop) -> None:
    """The `pip-cache` layer: built wheels only, so it is small, often empty."""
    shop.cache_dir.mkdir(parents=True, exist_ok=True)
    write_layer_toml(
        shop.context.layers_dir,
        layers.PIP_CACHE,
        LayerTypes(cache=True),
        {"format": layers.FORMAT},
    )
