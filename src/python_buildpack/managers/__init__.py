"""The package managers: a module each, with the one face that `Manager` describes.

What reading takes is in a module of its own (`pip_reader` …): the chosen manager's is imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.detection import is_misspelt_requirements
from python_buildpack.managers import (
    pdm,
    pip,
    pipenv,
    poetry,
    pylock,
    pyproject,
    script,
    setup_py,
    uv,
    uv_workspace,
)
from python_buildpack.managers.declaration import Declaration
from python_buildpack.managers.exports import exported_from
from python_buildpack.managers.local_projects import given_versions
from python_buildpack.settings import Settings


class Manager(Protocol):
    """What a package manager's module offers.

    `found` tells which of the app's files make the app this manager's (none: it is not).
    `read` turns those files into a `Declaration`: it raises `UserError` for files that cannot be
    read and for a lock that is stale; it starts no process and asks no network.
    `SETTINGS`: those it takes of the settings that concern some managers only.
    `ADD_PACKAGE` tells a user how to require `{package}`.
    """

    NAME: str
    ADD_PACKAGE: str

    @property
    def SETTINGS(self) -> tuple[str, ...]: ...
    def found(self, names: Collection[str], settings: Settings) -> tuple[str, ...]: ...
    def read(self, files: AppFiles, settings: Settings) -> Declaration: ...


# Two of these at once are a conflict.
MANAGERS: tuple[Manager, ...] = (pip, pipenv, poetry, uv, pdm, pylock)
# The first of these that declares anything is taken, where none of those is found.
FALLBACKS: tuple[Manager, ...] = (pyproject, setup_py, script)
NONE = Declaration(
    manager="none",
    install=None,
    notices=("No requirements.txt, lock file or pyproject.toml: only Python is installed",),
)
# Naming a manager's file by a setting chooses that manager.
_FILE_SETTINGS = {"BP_PIP_REQUIREMENT": "pip", "BP_PYLOCK": "pylock", "BP_PYTHON_SCRIPT": "script"}
_ADVICE = {
    ("BP_PYTHON_EXTRAS", "pip"): "Write name[extra] in the requirements file.",
    ("BP_PYTHON_GROUPS", "setup.py"): "Groups are a table of pyproject.toml.",
    ("BP_PYTHON_GROUPS", "script"): "Write the requirements into the script's own metadata.",
    ("BP_PYTHON_EXTRAS", "script"): "Write name[extra] into the script's own metadata.",
}


def how_to_add(manager: str, settings: Settings) -> str:
    """What to tell the users of `manager` when they lack `{package}`."""
    chosen = next((one for one in (*MANAGERS, *FALLBACKS) if manager == one.NAME), pip)
    if chosen is pip and settings.requirement_files:
        return pip.ADD_PACKAGE.replace("requirements.txt", settings.requirement_files[0])
    return chosen.ADD_PACKAGE


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The managers to read, the first that declares anything; what the user should know of it."""

    managers: tuple[Manager, ...]
    notices: tuple[str, ...] = ()


def read_packages(
    files: AppFiles,
    settings: Settings,
    managers: tuple[Manager, ...] = MANAGERS,
    fallbacks: tuple[Manager, ...] = FALLBACKS,
) -> Declaration:
    """What the app declares, by the one manager that is to install it.

    Raises `UserError` when two managers' files contradict each other, and what `read` raises.
    """
    choice = choose(files, settings, managers, fallbacks)
    taken: tuple[str, ...] = ()
    read: list[Declaration] = []
    for manager in choice.managers:
        read.append(manager.read(files, settings))
        if read[-1].install is not None:
            taken = manager.SETTINGS
            break
    # Where nothing is declared, the first says best what is missing.
    declaration = read[-1] if taken else [*read, NONE][0]
    if not taken and not settings.package_manager:
        declaration = _mind_other_requirements(declaration, files, settings)
    return dataclasses.replace(
        declaration,
        inputs={**declaration.inputs, **_version_inputs(declaration, files, settings)},
        notices=(*choice.notices, *declaration.notices),
        warnings=(*declaration.warnings, *_without_effect(declaration.manager, taken, settings)),
    )


def _version_inputs(
    declaration: Declaration, files: AppFiles, settings: Settings
) -> dict[str, str]:
    """Of what is built, the versions that are not in its files."""
    if declaration.install is None:
        return {}
    given = given_versions(settings.environ)
    if not declaration.install.built:
        return given
    from python_buildpack.managers.version_sources import commit_inputs  # most build nothing

    return given | commit_inputs(files, declaration.install.built, tuple(given))


def choose(
    files: AppFiles,
    settings: Settings,
    managers: tuple[Manager, ...] = MANAGERS,
    fallbacks: tuple[Manager, ...] = FALLBACKS,
) -> Choice:
    """The manager of an app with these files; none where there is nothing to install.

    Raises `UserError` for files of several managers, and for settings that ask for what is not
    there.
    """
    wanted = settings.package_manager or _named_by_file(settings, (*managers, *fallbacks))
    if wanted:
        return _wanted(wanted, files, settings, (*managers, *fallbacks))
    names = files.names | uv_workspace.lock_above(files)
    found = {manager.NAME: own for manager in managers if (own := manager.found(names, settings))}
    notices: list[str] = []
    for name, own in list(found.items()):
        source = exported_from(files.data(own[0])) if len(found) > 1 else None
        if source in found and source != name:
            del found[name]
            lock = found[source][-1]
            notices.append(f"{own[0]} says that it was exported from {lock}: the lock is used")
    if len(found) > 1:
        raise errors.managers_conflict(found)
    if found:
        chosen = tuple(manager for manager in managers if manager.NAME in found)
        return Choice(managers=chosen, notices=tuple(notices))
    misspelt = sorted(name for name in files.names if is_misspelt_requirements(name))
    if misspelt:
        raise errors.requirements_misspelt(misspelt[0])
    return Choice(
        managers=tuple(manager for manager in fallbacks if manager.found(files.names, settings))
    )


def _mind_other_requirements(
    declaration: Declaration, files: AppFiles, settings: Settings
) -> Declaration:
    """An app without packages, beside files that hold some, is hardly what anybody wants."""
    from python_buildpack.managers.other_requirements import other_requirements

    other = other_requirements(files)
    if other is None:
        return declaration
    # A hook may be about to write what the app declares.
    hook = files.holds("bin/pre_compile")
    if (other.for_image or "manage.py" in files.names) and not (hook or settings.script):
        raise errors.requirements_elsewhere(other.names)
    name = other.names[0]
    notice = f"{name} is not read: to install it, set BP_PIP_REQUIREMENT={name}"
    return dataclasses.replace(declaration, notices=(*declaration.notices, notice))


def _given(settings: Settings) -> dict[str, bool]:
    """The settings that concern some managers only, and whether each is set."""
    return {
        "BP_PYTHON_GROUPS": bool(settings.groups),
        "BP_PYTHON_EXTRAS": bool(settings.extras),
        "BP_PIP_REQUIREMENT": bool(settings.requirement_files),
        "BP_PYLOCK": bool(settings.pylock),
        "BP_PYTHON_SCRIPT": bool(settings.script),
        "BP_UV_PACKAGE": bool(settings.uv_packages),
    }


def _named_by_file(settings: Settings, known: tuple[Manager, ...]) -> str:
    given = _given(settings)
    names = {manager.NAME for manager in known}
    named = {
        name: manager
        for name, manager in _FILE_SETTINGS.items()
        if given[name] and manager in names
    }
    if len(named) > 1:
        raise errors.settings_contradict(sorted(named))
    return next(iter(named.values()), "")


def _wanted(name: str, files: AppFiles, settings: Settings, known: tuple[Manager, ...]) -> Choice:
    if name == "none":
        return Choice(managers=())
    by_name = {manager.NAME: manager for manager in known}
    if name not in by_name:
        allowed = ", ".join([*by_name, "none"])
        raise errors.setting_invalid("BP_PYTHON_PACKAGE_MANAGER", name, allowed)
    names = files.names | uv_workspace.lock_above(files)
    if not by_name[name].found(names, settings):
        raise errors.manager_without_files(name, sorted(files.names))
    return Choice(managers=(by_name[name],))


def _without_effect(name: str, taken: Collection[str], settings: Settings) -> tuple[str, ...]:
    """A warning for each setting that is given and that the chosen manager does not take."""
    return tuple(
        f"{setting} has no effect: {_reason(name)} takes no such setting. "
        f"{_ADVICE.get((setting, name), 'Remove it.')}"
        for setting, given in _given(settings).items()
        if given and setting not in taken
    )


def _reason(name: str) -> str:
    return "an app without packages" if name == "none" else f"the package manager, {name},"
