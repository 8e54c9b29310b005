"""requirements.txt, as pip has it."""

from __future__ import annotations

from collections.abc import Collection

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration
from python_buildpack.settings import Settings

NAME = "pip"
ADD_PACKAGE = "Add this line to requirements.txt: {package}"
SETTINGS = ("BP_PIP_REQUIREMENT", "BP_PYTHON_GROUPS")


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The files that make an app pip's."""
    if settings.requirement_files:
        return settings.requirement_files
    return tuple(name for name in ("requirements.txt",) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """The requirement files, and groups of a pyproject.toml beside them (PEP 735).

    Raises `UserError` for files that are missing or unreadable, and for unknown groups.
    """
    from python_buildpack.managers import pip_reader

    return pip_reader.read(files, settings)
