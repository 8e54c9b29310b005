"""The package managers: a module each, with the one face that `Manager` describes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from python_buildpack import errors
from python_buildpack.app_files import AppFiles
from python_buildpack.detection import is_misspelt_requirements
from python_buildpack.managers import pip, pyproject, setup_py
from python_buildpack.managers.declaration import Declaration
from python_buildpack.settings import Settings


class Manager(Protocol):
    """What a package manager's module offers.

    `found` tells which of the app's files make the app this manager's (none: it is not).
    `read` turns those files into a `Declaration`: it raises `UserError` for files that cannot be
    read and for a lock that is stale; it starts no process and asks no network.
    """

    NAME: str

    def found(self, names: Collection[str], settings: Settings) -> tuple[str, ...]: ...
    def read(self, files: AppFiles, settings: Settings) -> Declaration: ...


# Two of these at once are a conflict.
MANAGERS: tuple[Manager, ...] = (pip,)
# The first of these is taken where none of those is found.
FALLBACKS: tuple[Manager, ...] = (pyproject, setup_py)
NONE = Declaration(
    manager="none",
    install=None,
    notices=("No requirements.txt, lock file or pyproject.toml: only Python is installed",),
)
_NOT_YET = ("Pipfile.lock", "Pipfile", "poetry.lock", "uv.lock", "pdm.lock", "pylock.toml")


def read_packages(files: AppFiles, settings: Settings) -> Declaration:
    """What the app declares, by the one manager that is to install it.

    Raises `UserError` when two managers' files contradict each other, and what `read` raises.
    """
    manager = choose(files.names, settings)
    return manager.read(files, settings) if manager else NONE


def choose(names: Collection[str], settings: Settings) -> Manager | None:
    """The manager of an app with these files; None where there is nothing to install."""
    managers = [manager for manager in MANAGERS if manager.found(names, settings)]
    if managers:
        return managers[0]
    others = [name for name in _NOT_YET if name in names]
    if others:
        raise errors.not_supported_yet(others[0])
    misspelt = sorted(name for name in names if is_misspelt_requirements(name))
    if misspelt:
        raise errors.requirements_misspelt(misspelt[0])
    return next((manager for manager in FALLBACKS if manager.found(names, settings)), None)
