"""setup.py or setup.cfg alone: installed as a project, by the setuptools backend (PEP 517)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from python_buildpack.app_files import AppFiles
from python_buildpack.managers.declaration import Declaration, InstallSet
from python_buildpack.managers.local_projects import digest_local_project, has_extensions
from python_buildpack.settings import Settings

NAME = "setup.py"
_FILES = ("setup.py", "setup.cfg")


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """setup.py; a setup.cfg alone may only configure tools."""
    del settings
    return tuple(name for name in ("setup.py",) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """The project is installed editable."""
    inputs = {
        name: hashlib.sha256(files.data(name)).hexdigest() for name in _FILES if name in files.names
    }
    if has_extensions(files.root):
        inputs["the project's source"] = digest_local_project(files.root, ".", editable=False)
    extras = f"[{','.join(settings.extras)}]" if settings.extras else ""
    return Declaration(
        manager=NAME,
        install=InstallSet(editables=(f".{extras}",), built=(".",)),
        inputs=inputs,
        notices=(
            "setup.py is installed as a project. A pyproject.toml, and a lock file beside it, "
            "would make its builds faster and repeatable.",
        ),
    )
