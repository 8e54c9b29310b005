"""The installers that come with the buildpack: uv, and pip's wheels."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from python_buildpack.run import capture

# What a build that changes nothing does not need is imported where it is used.
# The tools' own caches, among what is kept of downloads.
UV_CACHE = "uv-cache"
PIP_CACHE = "pip"


@dataclass(frozen=True, kw_only=True)
class Tools:
    """`uv` is None where there is none; `pip_wheels` is empty in a source checkout."""

    uv: Path | None
    uv_version: str | None
    pip_wheels: tuple[Path, ...]


def find_tools(buildpack_dir: Path, environ: Mapping[str, str]) -> Tools:
    """The package's own tools, else (a source checkout) the uv on PATH."""
    uv: Path | None = buildpack_dir / "uv" / "uv"
    version_file = buildpack_dir / "uv" / "VERSION"
    if uv is not None and not uv.is_file():
        import shutil

        found = shutil.which("uv", path=environ.get("PATH"))
        uv = Path(found) if found else None
    version = None
    if uv is not None:
        version = (
            version_file.read_text().strip()
            if version_file.is_file()
            else _ask_version(uv, environ)
        )
    wheels = tuple((buildpack_dir / "pip").glob("pip-*.whl"))
    return Tools(uv=uv, uv_version=version, pip_wheels=wheels)


def _ask_version(uv: Path, environ: Mapping[str, str]) -> str | None:
    try:
        code, output = capture([uv, "--version"], environ=environ)
    except OSError:
        return None
    match = re.search(r"\d+(\.\d+)+", output)
    return match[0] if match and code == 0 else None


def pip_command(tools: Tools, python_version: str, venv_python: Path) -> list[str]:
    """The command that is pip for the virtual environment: newest wheel that supports it."""
    import zipfile
    from email.parser import Parser

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    def version(wheel: Path) -> Version:
        return Version(wheel.name.split("-")[1])

    for wheel in sorted(tools.pip_wheels, key=version, reverse=True):
        with zipfile.ZipFile(wheel) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            metadata = Parser().parsestr(archive.read(name).decode())
        if SpecifierSet(metadata["Requires-Python"] or "").contains(python_version):
            return [str(venv_python), "-I", f"{wheel}/pip"]
    return [sys.executable, "-I", "-m", "pip", "--python", str(venv_python)]
