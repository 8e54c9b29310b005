"""Fills the virtual environment, by uv or by pip."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnb.toml import read_toml
from python_buildpack import errors, hints
from python_buildpack.fetch import ca_bundle
from python_buildpack.log import Log
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.managers.local_projects import without_leftovers
from python_buildpack.pip_config import PipConfiguration
from python_buildpack.resolution import (
    Resolved,
    constraints,
    names_with_hash,
    passed_over,
    read_pip_report,
    read_pylock,
    without_hash,
)
from python_buildpack.run import child_environment, run
from python_buildpack.tools import Tools, pip_command
from python_buildpack.venv import create_venv, installed_distributions, site_packages

# One set of certificates for uv, pip and what a package's build may fetch.
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_SOURCE_DATE = 315532801  # the lifecycle's own mtime, 1980-01-01T00:00:01Z


@dataclass(frozen=True, kw_only=True)
class Install:
    """What an installation is given."""

    venv: Path
    python: Path
    python_version: str
    app_dir: Path
    cache_dir: Path
    work_dir: Path
    install_set: InstallSet
    find_links: Sequence[str]
    pip_configuration: PipConfiguration
    installer: str
    may_fall_back: bool
    require_all_hashes: bool
    environ: Mapping[str, str]


def install_packages(install: Install, tools: Tools, log: Log) -> str:
    """Install the requirements and byte-compile them; the tool that did it.

    Raises `UserError` when neither uv nor pip can.
    """
    with without_leftovers(install.app_dir, install.install_set.built):
        return _install(install, tools, log)


def _install(install: Install, tools: Tools, log: Log) -> str:
    if install.installer.startswith("uv"):
        code, output = _uv(install, tools, log)
        doubts = _doubts(install) if code == 0 and install.may_fall_back else []
        if code == 0 and not doubts:
            return install.installer
        if not install.may_fall_back:
            raise errors.install_failed("uv", code, hints.hint(output))
        reason = f"uv passes over pre-releases of {', '.join(doubts)} that a package asks for"
        log.info(f"{reason if doubts else 'uv could not install this'}; pip decides.")
        create_venv(install.venv, install.python, install.python_version)
    code, output = _pip(install, tools, log)
    if code != 0:
        raise errors.install_failed("pip", code, hints.hint(output))
    refuse_without_hash(install)
    return "pip"


def _doubts(install: Install) -> list[str]:
    """The packages of which pip may choose another version than uv did."""
    installed = installed_distributions(install.venv)
    versions = {one.name: one.version for one in installed}
    return passed_over(versions, [line for one in installed for line in one.requires])


def _requirement_files(install: Install) -> list[str]:
    """The app's own files, and one of ours that holds everything else."""
    install_set = install.install_set
    lines = [*install_set.lines, *(f"-e {_absolute(install, e)}" for e in install_set.editables)]
    if not lines:
        return list(install_set.files)
    path = install.work_dir / "requirements.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*install_set.files, str(path)]


def _absolute(install: Install, project: str) -> str:
    """`libs/a[extra]` as an absolute path: installers differ in what a relative one is based on."""
    path, bracket, extras = project.partition("[")
    return os.path.normpath(install.app_dir / path) + bracket + extras


def _options(install: Install) -> list[str]:
    """What uv and pip both understand."""
    options = ["--no-deps"] if install.install_set.locked else []
    for links in install.find_links:
        options += ["--find-links", links]
    return options


def _tool_environment(install: Install) -> dict[str, str]:
    bundle = ca_bundle(install.environ)
    trusted = dict.fromkeys(_CA_VARIABLES, bundle) if isinstance(bundle, str) else {}
    return child_environment(
        {**trusted, **install.environ},
        {
            "VIRTUAL_ENV": str(install.venv),
            "PATH": f"{install.venv}/bin:{install.environ.get('PATH', '/usr/bin:/bin')}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": str(_SOURCE_DATE),
            "TMPDIR": str(install.work_dir),
            "HOME": install.environ.get("HOME", str(install.work_dir)),
        },
    )


def _uv(install: Install, tools: Tools, log: Log) -> tuple[int, str]:
    """Resolve, then install what was resolved; uv's exit code and output."""
    built = install.cache_dir / "built"
    cache = install.work_dir / "uv"
    cache.mkdir(parents=True, exist_ok=True)
    for bucket in sorted(built.glob("sdists-v*")):
        shutil.copytree(bucket, cache / bucket.name, symlinks=True)
    files = _requirement_files(install)
    code, output = _uv_resolve(install, tools, log, files)
    if code != 0:
        log.info(output)
        return code, output
    refuse_without_hash(install)
    options = [option for name in files for option in ("-r", name)]
    if install.require_all_hashes:
        options.append("--require-build-hashes")
    if install.install_set.require_hashes:
        options.append("--require-hashes")
    else:
        # The installation is held to the resolution, and to the hashes that the index states.
        pins = install.work_dir / "constraints.txt"
        pins.write_text("\n".join(constraints(read_resolution(install))) + "\n")
        options += ["-c", str(pins)]
    link_mode = "hardlink" if _same_device(cache, install.venv) else "copy"
    code, output = _run_uv(
        install, tools, log, "install", "--link-mode", link_mode, "--compile-bytecode", *options
    )
    if code == 0:
        keep_built_wheels(cache, built)
    return code, output


def _uv_resolve(install: Install, tools: Tools, log: Log, files: Sequence[str]) -> tuple[int, str]:
    output_file = str(install.work_dir / "pylock.toml")
    return _run_uv(
        install, tools, log, "compile", "--format", "pylock.toml", "--output-file", output_file,
        "--no-annotate", *files, show=False,
    )  # fmt: skip


def refuse_without_hash(install: Install) -> None:
    """Raises `UserError` where every package must have a hash and some have none."""
    if install.require_all_hashes and (missing := unvouched(install)):
        raise errors.hashes_missing(missing)


def unvouched(install: Install) -> list[str]:
    """The packages of the resolution that no hash vouches for, each with the reason."""
    stated = install.install_set.hashed | names_with_hash(install.install_set.lines)
    return without_hash(read_resolution(install), stated)


def read_resolution(install: Install) -> tuple[Resolved, ...]:
    """What the last installation chose; empty where that is not known."""
    lock, report = install.work_dir / "pylock.toml", install.work_dir / "report.json"
    if report.is_file():
        return read_pip_report(json.loads(report.read_bytes()))
    return read_pylock(read_toml(lock)) if lock.is_file() else ()


def _run_uv(
    install: Install, tools: Tools, log: Log, verb: str, *options: str, show: bool = True
) -> tuple[int, str]:
    assert tools.uv is not None
    command = [
        str(tools.uv), "pip", verb, "--no-config", "--no-progress", "--no-python-downloads",
        "--python", f"{install.venv}/bin/python", "--index-strategy", "unsafe-best-match",
        "--color", "never", *install.pip_configuration.uv_options, *_options(install), *options,
    ]  # fmt: skip
    environ = {
        **_tool_environment(install),
        **install.pip_configuration.uv_environment,
        "UV_CACHE_DIR": str(install.work_dir / "uv"),
        "PYC_INVALIDATION_MODE": "UNCHECKED_HASH",
    }
    return run(command, environ=environ, cwd=install.app_dir, log=log, show=show)


def _same_device(first: Path, second: Path) -> bool:
    return first.stat().st_dev == second.stat().st_dev


def keep_built_wheels(cache: Path, kept: Path) -> None:
    """Keep uv's records of wheels that it built, without the source trees beside them."""
    shutil.rmtree(kept, ignore_errors=True)
    for bucket in sorted(cache.glob("sdists-v*")):
        wheels = [path for path in sorted(bucket.rglob("*.whl")) if path.is_file()]
        for wheel in wheels:
            shard = wheel.parent
            target = kept / shard.relative_to(cache)
            target.mkdir(parents=True, exist_ok=True)
            for path in (*shard.iterdir(), *shard.parent.iterdir()):
                if path.is_file() and not path.is_symlink():
                    destination = kept / path.relative_to(cache)
                    if not destination.exists():
                        shutil.copy2(path, destination)


def _pip(install: Install, tools: Tools, log: Log) -> tuple[int, str]:
    venv_python = install.venv / "bin" / "python"
    command = [
        *pip_command(tools, install.python_version, venv_python), "install", "--no-compile",
        "--disable-pip-version-check", "--no-input", "--no-warn-script-location",
        "--progress-bar", "off", "--no-cache-dir", "--src", str(install.venv / "src"),
        "--report", str(install.work_dir / "report.json"),
        *_options(install),
        *(option for name in _requirement_files(install) for option in ("-r", name)),
    ]  # fmt: skip
    environ = {**_tool_environment(install), "PIP_ROOT_USER_ACTION": "ignore"}
    code, output = run(command, environ=environ, cwd=install.app_dir, log=log)
    if code == 0:
        compile_command = [
            str(venv_python), "-I", "-B", "-m", "compileall", "-q", "-f", "-j", "0",
            "--invalidation-mode", "unchecked-hash", str(site_packages(install.venv)),
        ]  # fmt: skip
        # Packages may hold files that are no valid Python (templates): not our error.
        run(compile_command, environ=environ, cwd=install.app_dir, log=log, show=False)
    return code, output


def check_packages(install: Install, tools: Tools, log: Log) -> None:
    """Report requirements that the installed set does not meet."""
    venv_python = install.venv / "bin" / "python"
    if tools.uv is not None:
        command = [str(tools.uv), "pip", "check", "--no-config", "--python", str(venv_python)]
    else:
        command = [*pip_command(tools, install.python_version, venv_python), "check"]
    environ = {**_tool_environment(install), "UV_CACHE_DIR": str(install.work_dir / "uv")}
    code, output = run(command, environ=environ, cwd=install.app_dir, log=log, show=False)
    if code != 0:
        log.warning("The installed packages do not fit each other:\n" + output)
