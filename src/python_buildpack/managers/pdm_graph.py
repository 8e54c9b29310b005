"""Which packages of a pdm.lock without inherited metadata a group needs, and under which marker.

Such a lock says neither: both follow from the requirements of pyproject.toml and of the packages.
Pure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from python_buildpack.managers.pdm_hash import normal

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

# More alternatives than this, and a package counts as needed always: too much is better than a
# package that is missing.
_MOST = 32
Condition = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A `[[package]]`: `extras` sets it apart from the package itself."""

    name: str
    version: str
    extras: frozenset[str]
    path: str
    needs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Need:
    """A requirement line, as far as it matters here. `name` is empty where only a path is given."""

    name: str
    extras: frozenset[str]
    specifier: SpecifierSet | None
    marker: str
    path: str


def parse_need(line: str) -> Need | None:
    """None for a line that is no requirement."""
    from packaging.requirements import InvalidRequirement, Requirement

    text = line.strip()
    editable = re.match(r"-e\s+|--editable[\s=]+", text)
    if editable:
        url, _, fragment = text[editable.end() :].partition("#")
        named = re.search(r"egg=([\w.-]+)(?:\[([^\]]*)\])?", fragment)
        return Need(
            name=normal(named[1]) if named else "",
            extras=frozenset(normal(e) for e in (named[2] or "").split(",") if e)
            if named
            else frozenset(),
            specifier=None,
            marker="",
            path=_local_path(url),
        )
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    return Need(
        name=normal(requirement.name),
        extras=frozenset(normal(extra) for extra in requirement.extras),
        specifier=requirement.specifier,
        marker=str(requirement.marker or ""),
        path=_local_path(requirement.url or ""),
    )


def _local_path(url: str) -> str:
    found = re.match(r"(?:file:)?/*(?:\$\{PROJECT_ROOT\}|\{root:uri\})/(.*)", url.partition("#")[0])
    if found:
        return os.path.normpath(found[1])
    return os.path.normpath(url) if url and "://" not in url and not url.startswith("/") else ""


def group_requirements(
    wanted: Iterable[str],
    dependencies: Sequence[str],
    optional: Mapping[str, Sequence[str]],
    development: Mapping[str, Sequence[Any]],
    project: str,
) -> list[str]:
    """The requirement lines of `wanted`, and of the groups and extras that those include."""
    tables: dict[str, Sequence[Any]] = {**development, **optional, "default": dependencies}
    lines: list[str] = []
    seen: set[str] = set()
    queue = list(wanted)
    while queue:
        group = queue.pop(0)
        if group in seen:
            continue
        seen.add(group)
        for item in tables.get(group, ()):
            if isinstance(item, Mapping):
                queue.append(normal(str(item.get("include-group", ""))))
            elif (need := parse_need(str(item))) and need.name == normal(project) and project:
                queue += sorted(need.extras)
            else:
                lines.append(str(item))
    return lines


def markers(nodes: Sequence[Node], lines: Iterable[str]) -> dict[int, str]:
    """The positions of the needed nodes, each with its marker (empty: always)."""
    conditions: dict[int, set[Condition]] = {}
    queue: list[tuple[str, Condition]] = [(line, frozenset()) for line in lines]
    parsed: dict[str, Need | None] = {}
    while queue:
        line, before = queue.pop()
        need = parsed.setdefault(line, parse_need(line))
        if need is None:
            continue
        condition = before | {need.marker} if need.marker else before
        for position in _matching(nodes, need):
            if _add(conditions.setdefault(position, set()), condition):
                current = conditions[position]
                reached = frozenset[str]() if frozenset() in current else condition
                queue += [(further, reached) for further in nodes[position].needs]
    return {position: _text(found) for position, found in conditions.items()}


def _add(known: set[Condition], new: Condition) -> bool:
    """Take `new` in unless a weaker condition is there; whether anything changed."""
    if any(one <= new for one in known):
        return False
    if len(known) >= _MOST:
        new = frozenset()
    known -= {one for one in known if new <= one}
    known.add(new)
    return True


def _text(alternatives: set[Condition]) -> str:
    if frozenset() in alternatives:
        return ""
    parts = sorted(" and ".join(f"({marker})" for marker in sorted(one)) for one in alternatives)
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def _matching(nodes: Sequence[Node], need: Need) -> list[int]:
    named = [
        position
        for position, node in enumerate(nodes)
        if (node.name == need.name if need.name else node.path and node.path == need.path)
    ]
    exact = [position for position in named if nodes[position].extras == need.extras]
    found = exact or [position for position in named if not nodes[position].extras]
    fitting = [position for position in found if _fits(nodes[position], need)]
    return fitting or found


def _fits(node: Node, need: Need) -> bool:
    return need.specifier is None or need.specifier.contains(node.version, prereleases=True)
