"""Fills the virtual environment, by uv or by pip."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from python_buildpack import errors, hints
from python_buildpack.fetch import ca_bundle
from python_buildpack.log import Log
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.managers.local_projects import without_leftovers
from python_buildpack.pip_config import PipConfiguration
from python_buildpack.run import child_environment, run
from python_buildpack.tools import Tools, pip_command
from python_buildpack.venv import create_venv, site_packages

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
        if code == 0:
            return install.installer
        if not install.may_fall_back:
            raise errors.install_failed("uv", code, hints.hint(output))
        log.info("uv could not install this; pip decides.")
        create_venv(install.venv, install.python, install.python_version)
    code, output = _pip(install, tools, log)
    if code != 0:
        raise errors.install_failed("pip", code, hints.hint(output))
    return "pip"


def _what(install: Install) -> list[str]:
    options: list[str] = []
    install_set = install.install_set
    for name in install_set.files:
        options += ["-r", name]
    if install_set.lines:
        path = install.work_dir / "requirements.txt"
        path.write_text("\n".join(install_set.lines) + "\n", encoding="utf-8")
        options += ["-r", str(path)]
    for project in install_set.editables:
        options += ["-e", project]
    if install_set.locked:
        options.append("--no-deps")
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
    assert tools.uv is not None
    built = install.cache_dir / "built"
    cache = install.work_dir / "uv"
    cache.mkdir(parents=True, exist_ok=True)
    restored = sorted(built.glob("sdists-v*"))
    for bucket in restored:
        shutil.copytree(bucket, cache / bucket.name, symlinks=True)
    command = [
        str(tools.uv), "pip", "install", "--no-config", "--no-progress", "--no-python-downloads",
        "--python", f"{install.venv}/bin/python", "--index-strategy", "unsafe-best-match",
        "--link-mode", "hardlink" if _same_device(cache, install.venv) else "copy",
        "--compile-bytecode", "--color", "never", *install.pip_configuration.uv_options,
        *_what(install),
    ]  # fmt: skip
    if install.install_set.require_hashes:
        command.append("--require-hashes")
    environ = {
        **_tool_environment(install),
        **install.pip_configuration.uv_environment,
        "UV_CACHE_DIR": str(cache),
        "PYC_INVALIDATION_MODE": "UNCHECKED_HASH",
    }
    code, output = run(command, environ=environ, cwd=install.app_dir, log=log)
    if code == 0:
        keep_built_wheels(cache, built)
    return code, output


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
        *_what(install),
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
