"""The app's files, read once. Each value carries where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from python_buildpack import errors
from python_buildpack.app_files import AppFiles
from python_buildpack.app_layout import (
    committed_environments,
    committed_warnings,
    project_root,
    refuse_committed_programs,
)
from python_buildpack.local_wheels import LocalWheels, find_local_wheels
from python_buildpack.managers import read_packages
from python_buildpack.managers.declaration import Declaration
from python_buildpack.procfile import ProcfileEntry, parse_procfile
from python_buildpack.settings import Settings
from python_buildpack.versions import Request


@dataclass(frozen=True, kw_only=True)
class Project:
    """What the app declares."""

    root: Path
    request: Request | None
    requires_python: Request | None
    packages: Declaration
    local_wheels: LocalWheels
    procfile: tuple[ProcfileEntry, ...] | None
    warnings: tuple[str, ...]


def read_project(app_dir: Path, settings: Settings) -> Project:
    """Raises `UserError` for files that cannot be read or understood."""
    root = project_root(app_dir, settings.project_dir)
    warnings: list[str] = []
    files = AppFiles(root, app_dir)
    request = _read_request(files, settings, warnings)
    packages = read_packages(files, settings)
    procfile = parse_procfile(files.data("Procfile")) if "Procfile" in files.names else None
    committed = committed_environments(root)
    refuse_committed_programs(committed, procfile or ())
    warnings += committed_warnings(committed)
    return Project(
        root=root,
        request=request,
        requires_python=_read_requires_python(files),
        packages=packages,
        local_wheels=find_local_wheels(root, settings.find_links),
        procfile=procfile,
        warnings=(*warnings, *packages.warnings),
    )


def _read_request(files: AppFiles, settings: Settings, warnings: list[str]) -> Request | None:
    if settings.python_version:
        return Request(text=settings.python_version, source="BP_CPYTHON_VERSION")
    if "runtime.txt" in files.names:
        text = files.text("runtime.txt").strip()
        version = text.removeprefix("python-")
        warnings.append(
            "runtime.txt is deprecated. Delete it and commit a file .python-version "
            f"with the line: {version}"
        )
        return Request(text=version, source="runtime.txt")
    if ".python-version" not in files.names:
        return None
    lines = [
        (number, line.partition("#")[0].strip())
        for number, line in enumerate(files.text(".python-version").splitlines(), start=1)
    ]
    versions = [(number, line) for number, line in lines if line]
    if len(versions) != 1:
        shown = ", ".join(line for _, line in versions) or "nothing"
        raise errors.python_version_invalid(
            ".python-version", shown, "It must hold one version on one line."
        )
    number, version = versions[0]
    return Request(text=version, source=f".python-version line {number}")


def _read_requires_python(files: AppFiles) -> Request | None:
    if "pyproject.toml" not in files.names:
        return None
    project = files.toml("pyproject.toml").get("project")
    value = project.get("requires-python") if isinstance(project, dict) else None
    if not isinstance(value, str) or not value.strip():
        return None
    return Request(text=value, source="pyproject.toml requires-python", is_range=True)
