"""What an app's requirement files declare, and the groups of a pyproject.toml beside them."""

from __future__ import annotations

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, InstallSet
from python_buildpack.managers.groups import FILE as GROUPS_FILE
from python_buildpack.managers.groups import group_requirements
from python_buildpack.managers.local_projects import digest_lines, digest_local_project
from python_buildpack.managers.pip import NAME
from python_buildpack.managers.requirement_files import (
    Requirements,
    names_with_hash,
    read_requirements,
)
from python_buildpack.packages.local_wheels import digest_place
from python_buildpack.presence import is_file
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

_GROUPS = f"{GROUPS_FILE} [dependency-groups]"


def read(files: AppFiles, settings: Settings) -> Declaration:
    """The requirement files, and groups of a pyproject.toml beside them (PEP 735).

    Raises `UserError` for files that are missing or unreadable, and for unknown groups.
    """
    names = settings.requirement_files or ("requirements.txt",)
    requirements = read_requirements(files, names, settings.environ)
    groups = group_requirements(files, settings.groups)
    shown_groups = tuple(without_credentials(line) for line in groups)
    return Declaration(
        manager=NAME,
        install=InstallSet(
            files=requirements.roots,
            lines=groups,
            built=(*requirements.editables, *requirements.local_projects),
            require_hashes=requirements.has_hashes,
            urls=requirements.urls,
            hashed=names_with_hash(line for file in requirements.files for line in file.lines),
            pip_only=requirements.pip_only,
            own_index=requirements.own_index,
        ),
        inputs={
            **{file.name: file.sha256 for file in requirements.files},
            **{
                f"{file.name} (${{VARIABLES}})": file.variables
                for file in requirements.files
                if file.variables
            },
            **_local_digests(files, requirements),
            **{
                f"{place} (--find-links)": digest_place(files.root / place)
                for place in requirements.find_links
            },
            **({_GROUPS: digest_lines(shown_groups)} if groups else {}),
        },
        shown={
            file.name: tuple(line.split(" --hash")[0].strip() for line in file.lines)
            for file in requirements.files
        }
        | ({_GROUPS: shown_groups} if groups else {}),
    )


def _local_digests(files: AppFiles, requirements: Requirements) -> dict[str, str]:
    digests = {
        f"{name} (editable)": digest_local_project(files.root, name, editable=True)
        for name in requirements.editables
        if _is_bounded(files, name)
    }
    for name in requirements.local_projects:
        if _is_bounded(files, name):
            digests[name] = digest_local_project(files.root, name, editable=False)
    return digests


def _is_bounded(files: AppFiles, name: str) -> bool:
    """Whether its contents can be an input: not those of directories of the build machine."""
    return files.holds(name) or is_file(files.root / name)
