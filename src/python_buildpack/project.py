"""The app's files, read once. Each value carries where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from python_buildpack.app.files import AppFiles
from python_buildpack.app.layout import (
    committed_environments,
    committed_warnings,
    project_root,
    refuse_committed_programs,
)
from python_buildpack.detection import misspelt_procfiles
from python_buildpack.launch.procfile import ProcfileEntry, parse_procfile
from python_buildpack.managers import read_packages
from python_buildpack.managers.declaration import Declaration
from python_buildpack.packages.local_wheels import LocalWheels, find_local_wheels
from python_buildpack.runtime.version_request import read_version_requests
from python_buildpack.runtime.versions import Requests
from python_buildpack.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Project:
    """What the app declares."""

    root: Path
    versions: Requests
    packages: Declaration
    local_wheels: LocalWheels
    procfile: tuple[ProcfileEntry, ...] | None
    warnings: tuple[str, ...]


def read_project(app_dir: Path, settings: Settings) -> Project:
    """Raises `UserError` for files that cannot be read or understood."""
    root = project_root(app_dir, settings.project_dir)
    files = AppFiles(root, app_dir)
    packages = read_packages(files, settings)
    procfile = parse_procfile(files.data("Procfile")) if "Procfile" in files.names else None
    committed = committed_environments(root)
    refuse_committed_programs(committed, procfile.entries if procfile else ())
    return Project(
        root=root,
        versions=read_version_requests(files, settings, packages.manager),
        packages=packages,
        local_wheels=find_local_wheels(root, settings.find_links),
        procfile=procfile.entries if procfile else None,
        warnings=(
            *committed_warnings(committed),
            *(procfile.warnings if procfile else ()),
            *(
                f"{name} is not read: its name must be Procfile"
                for name in misspelt_procfiles(files.names)
            ),
            *packages.warnings,
        ),
    )
