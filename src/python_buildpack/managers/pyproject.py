"""pyproject.toml without a lock: the project's dependencies, then the project (PEP 517, PEP 621)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, InstallSet
from python_buildpack.managers.groups import group_requirements
from python_buildpack.managers.local_projects import (
    digest_local_project,
    digest_tables,
    root_project,
)
from python_buildpack.managers.names import pep503_name
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "pyproject"
ADD_PACKAGE = 'Add this line to [project] dependencies in pyproject.toml: "{package}",'
SETTINGS = ("BP_PYTHON_GROUPS", "BP_PYTHON_EXTRAS")
FILE = "pyproject.toml"
_NAME = re.compile(r"\s*[A-Za-z0-9][\w.-]*")


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """pyproject.toml, which need not declare a project: it may only configure tools."""
    del settings
    return tuple(name for name in (FILE,) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """The project itself is installed editable: its code is no input, unless it is compiled.

    Raises `UserError` for tables of wrong types, unknown groups and extras.
    """
    declaration = _read(files, settings)
    unheeded = _unheeded_indexes(files.toml(FILE))
    if declaration.install is None or not unheeded:
        return declaration
    warning = (
        f"Without effect: {', '.join(unheeded)} of {FILE}, which count with a lock only. Commit the "
        "lock, or name the index by PIP_EXTRA_INDEX_URL"
    )
    return replace(declaration, warnings=(*declaration.warnings, warning))


def _read(files: AppFiles, settings: Settings) -> Declaration:
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
    _strings(build_system, "backend-path", f"{FILE} [build-system]")
    has_backend = "build-system" in table and poetry.get("package-mode") is not False
    if has_backend or _needs_backend(files, project, dynamic):
        # Without [build-system], setuptools is the backend (PEP 517).
        project_itself = root_project(
            files, NAME, extras=settings.extras, lines=groups, shown=shown
        )
        return _with_sources(project_itself, files, table)
    if _sources(table):
        raise errors.sources_need_lock(FILE, "uv.lock", "uv lock")
    extras = [line for extra in settings.extras for line in _extra_lines(optional, extra)]
    own = pep503_name(str(project.get("name", "")))
    lines = tuple(_without_itself([*dependencies, *extras, *groups], own, optional))
    return Declaration(
        manager=NAME,
        install=InstallSet(lines=lines),
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
    known = {pep503_name(name) for name in optional}
    missing = [extra for extra in extras if pep503_name(extra) not in known]
    if missing:
        raise errors.extras_unknown(missing, sorted(optional), FILE)


def _extra_lines(optional: Mapping[str, Any], extra: str) -> tuple[str, ...]:
    where = f"{FILE} [project.optional-dependencies]"
    names = [name for name in optional if pep503_name(name) == pep503_name(extra)]
    return tuple(line for name in names for line in _strings(optional, name, where))


def _without_itself(lines: Sequence[str], own: str, optional: Mapping[str, Any]) -> Iterator[str]:
    """`lines` with what the project itself, `own[extra]`, stands for: an index would be asked for
    it, and might have another package of this name. Extras that it lacks stand for nothing.
    """
    entered: set[tuple[str, tuple[str, ...]]] = set()
    waiting: list[tuple[str, tuple[str, ...]]] = [(line, ()) for line in lines]
    while waiting:
        line, markers = waiting.pop(0)
        itself = _parse_own(line, own)
        if itself is None:
            yield _under(line, markers)
            continue
        if itself.marker is not None:
            markers = tuple(dict.fromkeys([*markers, str(itself.marker)]))
        for extra in sorted(itself.extras):
            step = (pep503_name(extra), markers)
            if step not in entered:
                entered.add(step)
                waiting += [(one, markers) for one in _extra_lines(optional, extra)]


def _parse_own(line: str, own: str) -> Requirement | None:
    """The requirement, where `line` means the project itself."""
    name = _NAME.match(line)
    if name is None or pep503_name(name[0].strip()) != own:
        return None
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None  # the installer says what is wrong with it
    return None if requirement.url else requirement


def _under(line: str, markers: Sequence[str]) -> str:
    """`line` as far as all of `markers` hold."""
    if not markers:
        return line
    from packaging.markers import Marker
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return line
    given = [*markers, *([str(requirement.marker)] if requirement.marker else [])]
    requirement.marker = Marker(" and ".join(f"({marker})" for marker in given))
    return str(requirement)


def _sources(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without these sources other packages of the same names would be installed."""
    uv = _table(_table(table, "tool", FILE), "uv", FILE)
    return _table(uv, "sources", f"{FILE} [tool.uv]")


def _with_sources(
    declaration: Declaration, files: AppFiles, table: Mapping[str, Any]
) -> Declaration:
    """uv follows a project's sources, pip asks an index for these names; groups have none."""
    sources = _sources(table)
    install = declaration.install
    if not sources or install is None:
        return declaration
    if install.lines:
        raise errors.sources_need_lock(FILE, "uv.lock", "uv lock")
    given = [one for value in sources.values() for one in _list(value) if isinstance(one, Mapping)]
    paths = sorted({one["path"] for one in given if isinstance(one.get("path"), str)})
    local = {
        path: digest_local_project(files.root, path, editable=False)
        for path in paths
        if files.holds(path)
    }
    return replace(
        declaration,
        install=replace(install, uv_only="[tool.uv.sources]"),
        inputs={**declaration.inputs, **local},
    )


def _unheeded_indexes(table: Mapping[str, Any]) -> list[str]:
    """The tables of indexes that serve more than what sources name them for."""
    found = []
    for tool, key in (("uv", "index"), ("poetry", "source"), ("pdm", "source")):
        settings = _table(_table(table, "tool", FILE), tool, f"{FILE} [tool]")
        entries = [one for one in _list(settings.get(key, [])) if isinstance(one, Mapping)]
        if any(
            one.get("explicit") is not True and one.get("priority") != "explicit" for one in entries
        ):
            found.append(f"[[tool.{tool}.{key}]]")
    return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


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
