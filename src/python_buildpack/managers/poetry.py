"""Poetry: pyproject.toml and poetry.lock."""

from __future__ import annotations

from collections.abc import Collection

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration
from python_buildpack.settings import Settings

NAME = "poetry"
ADD_PACKAGE = (
    "Run poetry add {package}: it adds a line to the dependencies in pyproject.toml, and locks"
)
SETTINGS = ("BP_PYTHON_GROUPS", "BP_PYTHON_EXTRAS")
LOCK = "poetry.lock"
MANIFEST = "pyproject.toml"


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """A lock of Poetry's, with its pyproject.toml."""
    del settings
    if LOCK not in names:
        return ()
    return tuple(name for name in (MANIFEST, LOCK) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for files that cannot be understood, a stale lock, an unknown group."""
    from python_buildpack.managers import poetry_reader

    return poetry_reader.read(files, settings)
