"""The app's files, read once. Each value carries where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from python_buildpack import errors
from python_buildpack.app_files import AppFiles
from python_buildpack.detection import is_misspelt_requirements
from python_buildpack.procfile import ProcfileEntry, parse_procfile
from python_buildpack.requirements import (
    Requirements,
    digest_local_project,
    read_requirements,
)
from python_buildpack.settings import Settings
from python_buildpack.versions import Request

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
    files = AppFiles(root)
    request = _read_request(files, settings, warnings)
    requirements = _read_requirements(files, settings, warnings)
    return Project(
        root=root,
        request=request,
        requires_python=_read_requires_python(files),
        requirements=requirements,
        local_digests=_local_digests(root, requirements),
        procfile=parse_procfile(files.data("Procfile")) if "Procfile" in files.names else None,
        warnings=tuple(warnings),
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


def _read_requirements(
    files: AppFiles, settings: Settings, warnings: list[str]
) -> Requirements | None:
    names, root = sorted(files.names), files.root
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
        if name in names and _declares_packages(files, name):
            raise errors.not_supported_yet(f"{name} without requirements.txt")
    return None


def _declares_packages(files: AppFiles, name: str) -> bool:
    if name == "setup.py":
        return True
    table = files.toml(name)
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
