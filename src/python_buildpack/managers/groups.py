"""Dependency groups of pyproject.toml (PEP 735), as requirement lines."""

from __future__ import annotations

from collections.abc import Collection

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.names import pep503_name

FILE = "pyproject.toml"


def group_requirements(files: AppFiles, groups: Collection[str]) -> tuple[str, ...]:
    """The requirements of `groups`, those of included groups too; each once.

    Raises `UserError` for a group that does not exist and for a table that is malformed.
    """
    if not groups:
        return ()
    table = files.toml(FILE).get("dependency-groups") if FILE in files.names else None
    if table is not None and not isinstance(table, dict):
        raise errors.file_unreadable(FILE, "[dependency-groups] is not a table.")
    known = table or {}
    missing = [group for group in groups if pep503_name(group) not in map(pep503_name, known)]
    if missing:
        raise errors.groups_unknown(missing, sorted(known), FILE)
    from packaging.dependency_groups import resolve_dependency_groups

    try:
        return tuple(dict.fromkeys(resolve_dependency_groups(known, *groups)))
    except Exception as error:
        # An exception group, or what odd types lead to: all of them tell what is malformed.
        causes = getattr(error, "exceptions", (error,))
        why = "; ".join(str(cause) for cause in causes)
        raise errors.file_unreadable(f"{FILE} [dependency-groups]", f"{why}.") from None
