"""The virtual environment: made, filled by uv or pip, made reproducible, listed."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from python_buildpack import errors, hints
from python_buildpack.fetch import ca_bundle
from python_buildpack.log import Log
from python_buildpack.pip_config import PipConfiguration
from python_buildpack.redact import without_credentials
from python_buildpack.requirements import Requirements
from python_buildpack.run import child_environment, run
from python_buildpack.tools import Tools, pip_command

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
    requirements: Requirements
    find_links: Sequence[str]
    pip_configuration: PipConfiguration
    installer: str
    may_fall_back: bool
    environ: Mapping[str, str]


def create_venv(venv: Path, python: Path, python_version: str) -> None:
    """An empty environment whose interpreter is `python` (PEP 405), without pip."""
    if venv.exists():
        shutil.rmtree(venv)
    minor = ".".join(python_version.split(".")[:2])
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(python)
    for name in ("python3", f"python{minor}"):
        (venv / "bin" / name).symlink_to("python")
    (venv / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\nversion = {python_version}\n"
    )


def site_packages(venv: Path) -> Path:
    """The one `site-packages` of `venv`."""
    return next((venv / "lib").glob("python3*")) / "site-packages"


def install_packages(install: Install, tools: Tools, log: Log) -> str:
    """Install the requirements and byte-compile them; the tool that did it.

    Raises `UserError` when neither uv nor pip can.
    """
    output = ""
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


def _files(install: Install) -> list[str]:
    options: list[str] = []
    for name in install.requirements.roots:
        options += ["-r", name]
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
        *_files(install),
    ]  # fmt: skip
    if install.requirements.has_hashes:
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
        *_files(install),
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


def tidy(venv: Path) -> None:
    """Remove what differs between equal installs, and credentials that a tool wrote down."""
    packages = site_packages(venv)
    for dist_info in sorted(packages.glob("*.dist-info")):
        removed = []
        for name in ("uv_cache.json", "REQUESTED"):
            if (dist_info / name).exists():
                (dist_info / name).unlink()
                removed.append(f"{dist_info.name}/{name}")
        direct_url = dist_info / "direct_url.json"
        if direct_url.is_file():
            data = json.loads(direct_url.read_text())
            data["url"] = without_credentials(data.get("url", ""))
            direct_url.write_text(json.dumps(data, sort_keys=True))
        record = dist_info / "RECORD"
        if record.is_file():
            _rewrite_record(record, removed, f"{dist_info.name}/direct_url.json")
    for path in (venv / ".lock", venv / "CACHEDIR.TAG", venv / ".gitignore"):
        path.unlink(missing_ok=True)


def _rewrite_record(record: Path, removed: Sequence[str], unhashed: str) -> None:
    rows = [
        [row[0], "", ""] if row[0] == unhashed else row
        for row in csv.reader(record.read_text().splitlines())
        if row and row[0] not in removed
    ]
    with record.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(rows))


def installed_packages(venv: Path) -> dict[str, str]:
    """Name (PEP 503) -> version of every installed distribution, sorted."""
    found: dict[str, str] = {}
    for metadata in site_packages(venv).glob("*.dist-info/METADATA"):
        name = version = ""
        with metadata.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.strip():
                    break
                if line.lower().startswith("name:"):
                    name = line.partition(":")[2].strip()
                elif line.lower().startswith("version:"):
                    version = line.partition(":")[2].strip()
        if name:
            found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return dict(sorted(found.items()))


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
