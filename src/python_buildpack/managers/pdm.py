"""PDM: pyproject.toml and pdm.lock."""

from __future__ import annotations

from collections.abc import Collection

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration
from python_buildpack.settings import Settings

NAME = "pdm"
ADD_PACKAGE = (
    'Add this line to [project] dependencies in pyproject.toml, and run pdm lock: "{package}",'
)
SETTINGS = ("BP_PYTHON_GROUPS", "BP_PYTHON_EXTRAS")
LOCK = "pdm.lock"


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The lock."""
    del settings
    return tuple(name for name in (LOCK,) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for a lock that is stale or malformed, and for groups it lacks."""
    from python_buildpack.managers import pdm_reader

    return pdm_reader.read(files, settings)
