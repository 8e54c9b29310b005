"""Pipenv: Pipfile and Pipfile.lock."""

from __future__ import annotations

from collections.abc import Collection

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration
from python_buildpack.settings import Settings

NAME = "pipenv"
ADD_PACKAGE = 'Add this line to [packages] in Pipfile, and run pipenv lock: {package} = "*"'
SETTINGS = ("BP_PYTHON_GROUPS",)
LOCK = "Pipfile.lock"
MANIFEST = "Pipfile"


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """A Pipfile, its lock, or both."""
    del settings
    return tuple(name for name in (MANIFEST, LOCK) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for a lock that is missing, stale or malformed, and an unknown category."""
    from python_buildpack.managers import pipenv_reader

    return pipenv_reader.read(files, settings)
