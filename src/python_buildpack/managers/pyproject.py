"""pyproject.toml without a lock: the project's dependencies, then the project (PEP 517, PEP 621)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, InstallSet
from python_buildpack.managers.groups import group_requirements
from python_buildpack.managers.local_projects import digest_tables, root_project
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

NAME = "pyproject"
ADD_PACKAGE = 'Add this line to [project] dependencies in pyproject.toml: "{package}",'
SETTINGS = ("BP_PYTHON_GROUPS", "BP_PYTHON_EXTRAS")
FILE = "pyproject.toml"


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """pyproject.toml, which need not declare a project: it may only configure tools."""
    del settings
    return tuple(name for name in (FILE,) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """The project itself is installed editable: its code is no input, unless it is compiled.

    Raises `UserError` for tables of wrong types, unknown groups and extras.
    """
    table = files.toml(FILE)
    project = _table(table, "project", FILE)
    build_system = _table(table, "build-system", FILE)
    poetry = _table(_table(table, "tool", FILE), "poetry", FILE)
    groups = group_requirements(files, settings.groups)
    if not project and "build-system" not in table and not groups:
        return Declaration(
            manager="none",
            install=None,
            notices=(f"{FILE} declares no project: only Python is installed",),
        )
    if poetry.get("package-mode") is False and "dependencies" not in project:
        raise errors.lock_missing(FILE, "poetry.lock", "poetry lock")
    dependencies = _strings(project, "dependencies")
    optional = _table(project, "optional-dependencies", f"{FILE} [project]")
    dynamic = _strings(project, "dynamic")
    # Where there is no [project] table, the backend alone knows them.
    declares = bool(project) or ("build-system" not in table and "setup.py" not in files.names)
    if declares and "optional-dependencies" not in dynamic:
        _check_extras(settings.extras, optional)
    shown = {FILE: tuple(without_credentials(line) for line in (*dependencies, *groups))}
    if "build-system" in table and poetry.get("package-mode") is not False:
        backend_path = _strings(build_system, "backend-path", f"{FILE} [build-system]")
        return root_project(
            files,
            NAME,
            extras=settings.extras,
            lines=groups,
            shown=shown,
            backend_path=backend_path,
        )
    if _needs_backend(files, project, dynamic):
        # Without [build-system], setuptools is the backend (PEP 517).
        return root_project(files, NAME, extras=settings.extras, lines=groups, shown=shown)
    _refuse_sources(table)
    extras = [line for extra in settings.extras for line in _extra_lines(optional, extra)]
    return Declaration(
        manager=NAME,
        install=InstallSet(lines=(*dependencies, *extras, *groups)),
        inputs={FILE: digest_tables(table)},
        shown=shown,
        notices=(
            f"{FILE} has no [build-system]: its dependencies are installed, and the app runs from "
            "its own directory. With that table the project itself is installed too.",
        )
        if project
        else (),
    )


def _needs_backend(files: AppFiles, project: Mapping[str, Any], dynamic: Collection[str]) -> bool:
    """Whether only a backend can say what the project depends on, or make what it offers."""
    if not project:
        return "setup.py" in files.names
    offers = any(name in project for name in ("scripts", "gui-scripts", "entry-points"))
    needs = "dependencies" in dynamic or "optional-dependencies" in dynamic
    return offers or needs or "setup.py" in files.names or (files.root / "src").is_dir()


def _check_extras(extras: Collection[str], optional: Mapping[str, Any]) -> None:
    known = {_normal(name) for name in optional}
    missing = [extra for extra in extras if _normal(extra) not in known]
    if missing:
        raise errors.extras_unknown(missing, sorted(optional), FILE)


def _extra_lines(optional: Mapping[str, Any], extra: str) -> tuple[str, ...]:
    name = next(name for name in optional if _normal(name) == _normal(extra))
    return _strings(optional, name, f"{FILE} [project.optional-dependencies]")


def _refuse_sources(table: Mapping[str, Any]) -> None:
    """Without these sources other packages of the same names would be installed."""
    uv = _table(_table(table, "tool", FILE), "uv", FILE)
    if uv.get("sources"):
        raise errors.sources_need_lock(FILE, "uv.lock", "uv lock")


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _table(table: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, Mapping):
        raise errors.file_unreadable(where, f"{name} is not a table.")
    return value


def _strings(
    table: Mapping[str, Any], name: str, where: str = f"{FILE} [project]"
) -> tuple[str, ...]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise errors.file_unreadable(where, f"{name} is not a list of strings.")
    return tuple(value)
