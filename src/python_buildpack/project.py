"""The app's files, read once. Each value carries where it came from."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_buildpack import errors
from python_buildpack.detection import is_misspelt_requirements
from python_buildpack.procfile import ProcfileEntry, parse_procfile
from python_buildpack.requirements import (
    Requirements,
    digest_local_project,
    read_requirements,
)
from python_buildpack.settings import Settings
from python_buildpack.versions import Request

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OTHER_LOCKS = ("Pipfile.lock", "Pipfile", "poetry.lock", "uv.lock", "pdm.lock", "pylock.toml")


@dataclass(frozen=True, kw_only=True)
class Project:
    """What the app declares."""

    root: Path
    request: Request | None
    requires_python: Request | None
    requirements: Requirements | None
    local_digests: dict[str, str]
    procfile: tuple[ProcfileEntry, ...] | None
    warnings: tuple[str, ...]


def read_project(app_dir: Path, settings: Settings) -> Project:
    """Raises `UserError` for files that cannot be read or understood."""
    root = app_dir / settings.project_dir
    warnings: list[str] = []
    request = _read_request(root, settings, warnings)
    requirements = _read_requirements(root, settings, warnings)
    procfile = root / "Procfile"
    return Project(
        root=root,
        request=request,
        requires_python=_read_requires_python(root),
        requirements=requirements,
        local_digests=_local_digests(root, requirements),
        procfile=parse_procfile(_read(procfile)) if procfile.is_file() else None,
        warnings=tuple(warnings),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.file_unreadable(path.name, str(error)) from None


def _read_text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError as error:
        raise errors.file_unreadable(path.name, f"It is not UTF-8 text: {error}.") from None


def _read_request(root: Path, settings: Settings, warnings: list[str]) -> Request | None:
    if settings.python_version:
        return Request(text=settings.python_version, source="BP_CPYTHON_VERSION")
    runtime = root / "runtime.txt"
    if runtime.is_file():
        text = _read_text(runtime).strip()
        version = text.removeprefix("python-")
        warnings.append(
            "runtime.txt is deprecated. Delete it and commit a file .python-version "
            f"with the line: {version}"
        )
        return Request(text=version, source="runtime.txt")
    path = root / ".python-version"
    if not path.is_file():
        return None
    lines = [
        (number, line.partition("#")[0].strip())
        for number, line in enumerate(_read_text(path).splitlines(), start=1)
    ]
    versions = [(number, line) for number, line in lines if line]
    if len(versions) != 1:
        shown = ", ".join(line for _, line in versions) or "nothing"
        raise errors.python_version_invalid(
            ".python-version", shown, "It must hold one version on one line."
        )
    number, version = versions[0]
    return Request(text=version, source=f".python-version line {number}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise errors.file_unreadable(path.name, f"It is not valid TOML: {error}.") from None


def _read_requires_python(root: Path) -> Request | None:
    lock = root / "Pipfile.lock"
    if lock.is_file() and not (root / "requirements.txt").is_file():
        try:
            json.loads(_read_text(lock))
        except ValueError as error:
            raise errors.file_unreadable("Pipfile.lock", f"It is not JSON: {error}.") from None
    path = root / "pyproject.toml"
    if not path.is_file():
        return None
    project = _read_toml(path).get("project")
    value = project.get("requires-python") if isinstance(project, dict) else None
    if not isinstance(value, str) or not value.strip():
        return None
    return Request(text=value, source="pyproject.toml requires-python", is_range=True)


def _read_requirements(root: Path, settings: Settings, warnings: list[str]) -> Requirements | None:
    names = sorted(p.name for p in root.iterdir()) if root.is_dir() else []
    if "requirements.txt" in names or settings.requirement_files != ("requirements.txt",):
        warnings += [
            f"{folder}/ is a virtual environment that was committed. It is not used: "
            "delete it and add it to .gitignore."
            for folder in (".venv", "venv")
            if (root / folder / "pyvenv.cfg").is_file()
        ]
        return read_requirements(root, settings.requirement_files)
    others = [name for name in OTHER_LOCKS if name in names]
    if others:
        raise errors.not_supported_yet(others[0])
    misspelt = [name for name in names if is_misspelt_requirements(name)]
    if misspelt:
        raise errors.requirements_misspelt(misspelt[0])
    for name in ("pyproject.toml", "setup.py"):
        if name in names and _declares_packages(root / name):
            raise errors.not_supported_yet(f"{name} without requirements.txt")
    return None


def _declares_packages(path: Path) -> bool:
    if path.name == "setup.py":
        return True
    table = _read_toml(path)
    return "project" in table or "build-system" in table


def _local_digests(root: Path, requirements: Requirements | None) -> dict[str, str]:
    if requirements is None:
        return {}
    digests = {
        f"{name} (editable)": digest_local_project(root, name, editable=True)
        for name in requirements.editables
        if (root / name).exists()
    }
    for name in requirements.local_projects:
        if (root / name).exists():
            digests[name] = digest_local_project(root, name, editable=False)
    return digests
