"""pyproject.toml without a lock: the project's dependencies, then the project (PEP 517, PEP 621)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from python_buildpack.app_files import AppFiles
from python_buildpack.managers.declaration import Declaration, InstallSet
from python_buildpack.managers.local_projects import digest_local_project, has_extensions
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

NAME = "pyproject"
FILE = "pyproject.toml"


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """pyproject.toml, which need not declare a project: it may only configure tools."""
    del settings
    return tuple(name for name in (FILE,) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """The project itself is installed editable: its code is no input, unless it is compiled."""
    table = files.toml(FILE)
    if "project" not in table and "build-system" not in table:
        return Declaration(
            manager="none",
            install=None,
            notices=(f"{FILE} declares no project: only Python is installed",),
        )
    project = table.get("project")
    dependencies = project.get("dependencies") if isinstance(project, dict) else None
    shown = [str(line) for line in dependencies] if isinstance(dependencies, list) else []
    inputs = {FILE: _digest(table)}
    for name in ("setup.py", "setup.cfg"):
        if name in files.names:
            inputs[name] = hashlib.sha256(files.data(name)).hexdigest()
    if has_extensions(files.root):
        # Compiled modules are built when it is installed: all of its source counts.
        inputs["the project's source"] = digest_local_project(files.root, ".", editable=False)
    extras = f"[{','.join(settings.extras)}]" if settings.extras else ""
    return Declaration(
        manager=NAME,
        install=InstallSet(editables=(f".{extras}",), built=(".",)),
        inputs=inputs,
        shown={FILE: tuple(without_credentials(line) for line in shown)},
    )


def _digest(table: Mapping[str, Any]) -> str:
    """Of the tables that an installation depends on; those of linters and the like change often."""
    tool = table.get("tool")
    ignored = {"black", "coverage", "isort", "mypy", "pyright", "pytest", "ruff", "tox"}
    kept = {name: value for name, value in table.items() if name != "tool"}
    if isinstance(tool, dict):
        kept["tool"] = {name: value for name, value in tool.items() if name not in ignored}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(without_credentials(text).encode()).hexdigest()
