"""setup.py or setup.cfg alone: installed as a project, by the setuptools backend (PEP 517)."""

from __future__ import annotations

from collections.abc import Collection

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration
from python_buildpack.managers.local_projects import root_project
from python_buildpack.settings import Settings

NAME = "setup.py"
ADD_PACKAGE = "Add this line to install_requires in setup.py or setup.cfg: {package}"
SETTINGS = ("BP_PYTHON_EXTRAS",)


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """setup.py or setup.cfg, which need not declare a project: it may only configure tools."""
    del settings
    return tuple(name for name in ("setup.py", "setup.cfg") if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """The project is installed editable. Raises `UserError` for a setup.cfg that is no INI file."""
    if "setup.py" not in files.names and not _declares_project(files):
        return Declaration(
            manager="none",
            install=None,
            notices=("setup.cfg declares no project: only Python is installed",),
        )
    file = next(name for name in ("setup.py", "setup.cfg") if name in files.names)
    return root_project(
        files,
        NAME,
        extras=settings.extras,
        notices=(
            f"{file} is installed as a project. A pyproject.toml, and a lock file beside it, "
            "would make its builds faster and repeatable.",
        ),
    )


def _declares_project(files: AppFiles) -> bool:
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(files.text("setup.cfg"))
    except configparser.Error as error:
        raise errors.file_unreadable("setup.cfg", f"{error}.") from None
    return parser.has_section("metadata") or parser.has_section("options")
