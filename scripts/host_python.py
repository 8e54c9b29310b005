"""The CPythons that are installed on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

import runtime_archive
from python_buildpack.runtime.releases import DEFAULT_MINOR

OLDEST = Version("3.10")


class NoPython(Exception):
    """Raised with a text for the user when this machine lacks the CPython that is wanted."""


def find_host_python(minor: str = "") -> str:
    """An installed CPython of that minor version; of none: the default one, else the newest.

    Raises `NoPython`.
    """
    found: dict[str, Version] = {}
    for path in host_pythons():
        if minor and path.name != f"python{minor}":
            continue
        try:
            facts = runtime_archive.probe(str(path))
        except (OSError, subprocess.CalledProcessError, ValueError):
            continue
        if not facts["free_threaded"]:
            found[str(path)] = Version(facts["version"])
    usable = {path: number for path, number in found.items() if minor or number >= OLDEST}
    if not usable:
        wanted = minor or f"{OLDEST} or newer"
        raise NoPython(f"No CPython {wanted} was found on this machine.")
    default = {p: n for p, n in usable.items() if str(n).startswith(f"{DEFAULT_MINOR}.")}
    choice = default or usable
    return max(choice, key=lambda path: choice[path])


def host_pythons() -> Iterator[Path]:
    """The interpreters of this machine: those of pyenv, then PATH, then the one that runs this."""
    seen: set[Path] = set()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = sorted(pyenv.glob("versions/3.*/bin"))
    folders += [Path(entry) for entry in os.environ.get("PATH", "").split(":") if entry]
    folders.append(Path(sys.base_prefix) / "bin")
    for folder in folders:
        for path in sorted(folder.glob("python3.*")):
            if not re.fullmatch(r"python3\.\d+", path.name) or path.resolve() in seen:
                continue
            seen.add(path.resolve())
            yield path
