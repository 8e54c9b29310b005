"""Fills the virtual environment: uv installs, and pip judges where the two may differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnb.toml import read_toml
from python_buildpack import errors, hints
from python_buildpack.byte_code import compile_trees
from python_buildpack.fetch import answer_status
from python_buildpack.log import Log
from python_buildpack.managers.local_projects import runs_in_place
from python_buildpack.packages import uv_lock, uv_variables
from python_buildpack.packages.hash_checking import refuse_without_hash
from python_buildpack.packages.in_place import kept_in_layer
from python_buildpack.packages.index_access import without_index_variables
from python_buildpack.packages.installation import Install, tool_environment
from python_buildpack.packages.pip_installer import install_by_pip
from python_buildpack.packages.pylock_selection import select_packages, target_environment
from python_buildpack.packages.resolution import admits_python, passed_over
from python_buildpack.packages.stand_in_manifest import stand_in_manifest
from python_buildpack.packages.tools import Tools, pip_command
from python_buildpack.packages.uv_installer import (
    install_by_uv,
    uv_cache,
    uv_environment,
    versions_with_pre_releases,
)
from python_buildpack.packages.venv import create_venv, installed_distributions, site_packages
from python_buildpack.redact import without_tokens
from python_buildpack.run import run

_MANIFEST = "pyproject.toml"


@dataclass(frozen=True)
class InstalledBy:
    """The tool that did it in the end; why, where it is not the one that was to do it."""

    tool: str
    reason: str = ""


def install_packages(install: Install, tools: Tools, log: Log) -> InstalledBy:
    """Install the requirements and byte-compile them; who did it.

    Raises `UserError` when neither uv nor pip can.
    """
    built = install.install_set.built
    with (
        stand_in_manifest(install.app_dir / _MANIFEST, install.install_set.manifest),
        kept_in_layer(install.app_dir, install.top_dir, built, install.venv),
        uv_cache(install),
    ):
        if install.install_set.lock:
            install = dataclasses.replace(install, locked=_read_lock(install, tools, log))
        by = _install(install, tools, log)
    _warn_of_compiling_at_import(install, log)
    if install.byte_code:
        _compile(install, log)
    return by


def _read_lock(install: Install, tools: Tools, log: Log) -> tuple[Mapping[str, Any], ...]:
    """The packages of the app's lock that apply here, uv.lock's by way of uv's export."""
    install_set = install.install_set
    if tools.uv is None:
        raise errors.uv_needed(install_set.lock)
    lock = install.app_dir / install_set.lock
    if install_set.uv_export is not None:
        lock = install.work_dir / "exported" / "pylock.toml"
        lock.parent.mkdir(exist_ok=True)
        python = install.venv / "bin" / "python"
        environ = uv_environment(install)
        uv_lock.export(tools.uv, install_set, python, install.app_dir, lock, environ, log)
    packages = select_packages(
        read_toml(lock),
        install_set.lock,
        lock.parent,
        target_environment(install.python_version),
        extras=install_set.extras,
        groups=install_set.groups,
    )
    return tuple(_runnable(package) for package in packages)


def _runnable(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """A package of a lock, not editable where that needs a compiler when it runs."""
    directory = package.get("directory", {})
    if not directory.get("editable") or runs_in_place(Path(directory["path"])):
        return package
    return {**package, "directory": {**directory, "editable": False}}


def _install(install: Install, tools: Tools, log: Log) -> InstalledBy:
    lacking: hints.Hint | None = None
    if install.offline is not None and install.vendored:
        at_hand = dataclasses.replace(install, access=install.offline, may_fall_back=False)
        by, code, output = _try(at_hand, tools, log, show=False)
        if code == 0:
            return by
        lacking = hints.diagnose(output, code)
        missing = hints.first_missing(output) or "something"
        log.info(f"vendor/ lacks {missing}: the index is asked for the rest")
        create_venv(install.venv, install.python)
    by, code, output = _try(install, tools, log)
    hint = _diagnose(install, code, output)
    if code != 0 and hint.id == hints.UNREACHABLE and lacking is not None:
        hint = lacking
    elif code != 0 and hint.id == hints.UNREACHABLE and install.offline is not None:
        log.info("The index cannot be reached: only the wheels at hand are used.")
        create_venv(install.venv, install.python)
        at_hand = dataclasses.replace(install, access=install.offline)
        by, code, output = _try(at_hand, tools, log)
        hint = hints.diagnose(output, code, f"Python {install.python_version}")
    if code != 0:
        raise errors.install_failed(
            by.tool, code, hint.id, log.clean(hint.text), hint.package or "the requirements"
        )
    refuse_without_hash(install)
    return by


def _try(
    install: Install, tools: Tools, log: Log, *, show: bool = True
) -> tuple[InstalledBy, int, str]:
    """By uv, and by pip where uv lacks something; who did it, its exit code and all output."""
    output = reason = ""
    if install.installer.startswith("uv"):
        code, output = install_by_uv(install, tools, log, show=show)
        if code != 0 and install.may_fall_back:
            hint = hints.diagnose(output, code)
            if hints.may_be_one_answer(output, hint) and not _is_final(install, hint):
                # pip would make other bytes of the same packages, for a fault of a moment.
                log.info("Should that be one odd answer of an index, another try passes:")
                create_venv(install.venv, install.python)
                code, output = install_by_uv(install, tools, log, show=False)
        doubts = _doubts(install, tools, log) if code == 0 and install.may_fall_back else []
        if code == 0 and not doubts:
            return InstalledBy(install.installer), code, output
        if code != 0 and (
            not install.may_fall_back or _is_final(install, hints.diagnose(output, code))
        ):
            return InstalledBy("uv"), code, output
        reason = "; ".join(doubts) or "uv could not install this"
        log.info(f"{reason}; pip decides.")
        if lost := uv_variables.choices(install.environ):
            log.warning(f"Without effect: {', '.join(lost)}. pip installs")
        create_venv(install.venv, install.python)
    code, pip_output = install_by_pip(install, tools, log, show=show)
    if "PIP_NO_INDEX" in install.access.pip_environment:
        pip_output += f"\n{hints.NO_INDEX}"
    return InstalledBy("pip", reason), code, f"{pip_output}\n{output}"


def _is_final(install: Install, hint: hints.Hint) -> bool:
    """Whether pip would fail alike. It passes over an index that it cannot reach, if it has more."""
    alone = len(install.access.sources) <= 1
    return hint.final or (hint.id == hints.UNREACHABLE and (alone or bool(install.offline)))


def _doubts(install: Install, tools: Tools, log: Log) -> list[str]:
    """Why pip may choose other versions than uv did."""
    installed = installed_distributions(install.venv)
    versions = {one.name: one.version for one in installed}
    older = passed_over(versions, [line for one in installed for line in one.requires])
    if older:  # in most cases there are no pre-releases to pass over
        newest = versions_with_pre_releases(install, tools, log, older)
        older = [name for name in older if newest.get(name) != versions[name]]
    wrong = [
        one.name
        for one in installed
        if not admits_python("".join(one.fields.get("requires-python", ())), install.python_version)
    ]
    doubts = []
    if older:
        doubts.append(f"uv passes over pre-releases of {', '.join(older)} that a package asks for")
    if wrong:
        doubts.append(f"uv takes {', '.join(wrong)}, which this Python is too new for")
    return doubts


def _diagnose(install: Install, code: int, output: str) -> hints.Hint:
    """The hint for a failure. Raises `UserError` where an index does not let us in.

    pip takes an index that it cannot reach, or that refuses it, for one that lacks the package.
    """
    python = f"Python {install.python_version}"
    hint = hints.diagnose(output, code, python)
    name = hints.first_missing(output)
    if code == 0 or name is None or hint.id not in hints.ABOUT_INDEXES:
        return hint
    for source in install.access.sources:
        if source.url.startswith("http"):
            url = source.full_url.rstrip("/") + f"/{name}/"
            status = answer_status(url, install.access.pip_environment)
            if status in (401, 403):
                raise errors.index_refused(without_tokens(source.url), status)
            if status is None and hint.id == "package-missing":
                refused = f"Failed to fetch {without_tokens(source.url)}: Connection refused"
                return hints.diagnose(f"{refused}\n{output}", code, python)
    return hint


def _compile(install: Install, log: Log) -> None:
    """Byte-compile the packages: neither installer leaves out their test suites."""
    checkouts = install.venv / "src"
    roots = [site_packages(install.venv), *([checkouts] if checkouts.is_dir() else [])]
    python = install.venv / "bin" / "python"
    with log.telling(lambda: "byte-compiling the packages"):
        code, output = compile_trees(python, roots, skip_tests=True)
    if code != 0:
        log.info(output)
        hint = hints.diagnose(output, code)
        raise errors.install_failed("The byte-compiler", code, hint.id, hint.text)


def _warn_of_compiling_at_import(install: Install, log: Log) -> None:
    for loader in sorted(site_packages(install.venv).glob("_*_editable_loader.py")):
        name = loader.name.removeprefix("_").removesuffix("_editable_loader.py")
        log.warning(
            f"meson-python compiles {name}, which is installed editable, at each import: the image "
            "has no compiler. Require it without -e (develop = true, editable = true)."
        )


def check_packages(install: Install, tools: Tools, log: Log) -> None:
    """Report requirements that the installed set does not meet."""
    venv_python = install.venv / "bin" / "python"
    if tools.uv is not None:
        command = [str(tools.uv), "pip", "check", "--no-config", "--no-cache"]
        command += ["--python", str(venv_python)]
    else:
        command = [*pip_command(tools, install.python_version, venv_python), "check"]
    environ = tool_environment(install, without_index_variables(install.environ))
    code, output = run(command, environ=environ, cwd=install.app_dir, log=log, show=False)
    if code == 1:
        log.warning("The installed packages do not fit each other:\n" + output)
    elif code != 0:
        log.warning(
            "Whether the installed packages fit each other could not be checked:\n" + output
        )
