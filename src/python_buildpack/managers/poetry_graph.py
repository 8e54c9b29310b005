"""Poetry's locks before format 2.1: they say what depends on what, not who needs which package.

For each span of Python versions the graph is walked from the dependencies of pyproject.toml.
Pure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from python_buildpack.managers.lock_fields import Fields
from python_buildpack.managers.pinned_lines import normal_name
from python_buildpack.managers.python_spans import PythonSpans
from python_buildpack.runtime.poetry_constraint import translate_poetry

_ROUNDS = 20
_DIRECT = ("git", "path", "file", "url")
_EXTRA = re.compile(r"\bextra\b")
_LEADING_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A dependency as pyproject.toml and poetry.lock write it."""

    name: str
    version: str = "*"
    is_direct: bool = False
    marker: str = ""
    python: str = ""
    platform: str = ""
    extras: frozenset[str] = frozenset()
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Node:
    """A locked package; `extras` maps its own extras to the names that they bring."""

    name: str
    version: str
    is_direct: bool = False
    python: str = "*"
    edges: tuple[Edge, ...] = ()
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)


@functools.cache
def specifiers(constraint: str) -> tuple[SpecifierSet, ...]:
    """The alternatives of `constraint`. Raises `ValueError` where it cannot be understood."""
    return tuple(SpecifierSet("" if one == "*" else one) for one in translate_poetry(constraint))


def allows(constraint: str, version: str) -> bool:
    """Whether `constraint` allows `version`. Raises `ValueError` where it cannot be understood."""
    return any(one.contains(version, prereleases=True) for one in specifiers(constraint))


def read_edges(table: Fields) -> tuple[Edge, ...]:
    """The dependencies in a table. Raises `UserError` for what cannot be understood."""
    edges: list[Edge] = []
    for name, value in table.values.items():
        if name.lower() == "python":
            continue
        alternatives = value if isinstance(value, list) else [value]
        for number, one in enumerate(alternatives):
            place = f"{name}[{number}]" if isinstance(value, list) else name
            if isinstance(one, str):
                one = {"version": one}
            if not isinstance(one, Mapping):
                raise table.error(place, "is not a version or a table")
            edges.append(_edge(table, name, place, one))
    return tuple(edges)


def _edge(table: Fields, name: str, place: str, values: Mapping[str, object]) -> Edge:
    fields = Fields(
        file=table.file, values=values, repair=table.repair, path=table.place(place)
    )  # fmt: skip
    version, python = fields.optional_text("version") or "*", fields.optional_text("python") or ""
    try:
        for constraint in (version, python):
            specifiers(constraint or "*")
        return Edge(
            name=normal_name(name),
            version=version,
            is_direct=any(key in values for key in _DIRECT),
            marker=fields.optional_text("markers") or "",
            python=python,
            platform=fields.optional_text("platform") or "",
            extras=frozenset(normal_name(extra) for extra in fields.texts("extras")),
            optional=fields.flag("optional"),
        )
    except ValueError as error:
        raise table.error(place, str(error)) from None


def read_node(package: Fields) -> Node:
    """A `[[package]]` of the lock. Raises `UserError` for what cannot be understood."""
    python = package.optional_text("python-versions") or "*"
    extras = package.table("extras")
    try:
        specifiers(python)
        return Node(
            name=normal_name(package.text("name")),
            version=str(Version(package.text("version"))),
            is_direct=package.table("source").optional_text("type") in ("git", "file", "url", "directory"),
            python=python,
            edges=read_edges(package.table("dependencies")),
            extras={
                normal_name(name): names_in(extras.texts(name)) for name in extras.values
            },
        )  # fmt: skip
    except ValueError as error:
        raise package.error("python-versions", str(error)) from None


def names_in(requirements: Sequence[str]) -> frozenset[str]:
    """The names of requirements in any of the spellings that Poetry has had."""
    found = (_LEADING_NAME.match(text) for text in requirements)
    return frozenset(normal_name(name[1].rstrip("._-")) for name in found if name)


def texts(nodes: Sequence[Node], root: Sequence[Edge]) -> set[str]:
    """Whatever in it may mention a version of Python."""
    edges = [*root, *(edge for node in nodes for edge in node.edges)]
    return {node.python for node in nodes} | {
        text for edge in edges for text in (edge.marker, edge.python)
    }


def walk(
    nodes: Sequence[Node],
    root: Sequence[Edge],
    wanted: Collection[str],
    spans: PythonSpans,
) -> tuple[tuple[bool, ...], ...]:
    """For each node, in which spans it is installed.

    `wanted` are the optional packages that the chosen extras bring. Raises `ValueError` for
    markers that cannot be understood.
    """
    by_name: dict[str, list[int]] = {}
    for number, node in enumerate(nodes):
        by_name.setdefault(node.name, []).append(number)
    chosen = [
        _walk_one(nodes, by_name, root, frozenset(wanted), spans, position)
        for position in range(len(spans.spans))
    ]
    return tuple(tuple(number in one for one in chosen) for number in range(len(nodes)))


def _walk_one(
    nodes: Sequence[Node],
    by_name: Mapping[str, Sequence[int]],
    root: Sequence[Edge],
    wanted: frozenset[str],
    spans: PythonSpans,
    position: int,
) -> set[int]:
    """Walk again with what every edge asks of a package, until nothing changes any more."""
    version = spans.spans[position].version
    choice: dict[str, int] = {}
    for _ in range(_ROUNDS):
        edges: dict[str, list[Edge]] = {}
        extras: dict[str, frozenset[str]] = {}
        queue = [
            edge
            for edge in root
            if (not edge.optional or edge.name in wanted)
            and _is_active(edge, frozenset(), spans, position)
        ]
        while queue:
            edge = queue.pop()
            name = edge.name
            seen = name in edges
            edges.setdefault(name, []).append(edge)
            before = extras.get(name, frozenset())
            extras[name] = before | edge.extras
            if name not in by_name or (seen and extras[name] == before):
                continue
            number = choice.get(name)
            if number is None:
                number = choice[name] = _pick(nodes, by_name[name], edges[name], version)
            queue += _edges_of(nodes[number], extras[name], spans, position)
        better = {
            name: _pick(nodes, by_name[name], asked, version)
            for name, asked in edges.items()
            if name in by_name
        }
        if better == {name: choice[name] for name in better}:
            return set(better.values())
        choice = better
    return set(choice.values())


def _edges_of(node: Node, extras: frozenset[str], spans: PythonSpans, position: int) -> list[Edge]:
    brought = frozenset().union(*(node.extras.get(extra, frozenset()) for extra in extras))
    return [
        edge
        for edge in node.edges
        if (not edge.optional or edge.name in brought or _EXTRA.search(edge.marker))
        and _is_active(edge, extras, spans, position)
    ]


def _is_active(edge: Edge, extras: frozenset[str], spans: PythonSpans, position: int) -> bool:
    if edge.python and not allows(edge.python, spans.spans[position].version):
        return False
    if edge.platform and not _is_linux(edge.platform):
        return False
    return spans.where(edge.marker, extras)[position]


def _is_linux(platform: str) -> bool:
    """Whether a constraint such as `linux || darwin` or `!=win32` admits Linux."""
    for alternative in re.split(r"\s*\|\|?\s*", platform):
        parts = [part.strip() for part in re.split(r"[,\s]+(?![=!])", alternative) if part.strip()]
        if all(
            ("linux" in part) != part.startswith("!=") if "linux" in part else part.startswith("!=")
            for part in parts
        ):
            return True
    return False


def _pick(
    nodes: Sequence[Node], numbers: Sequence[int], edges: Sequence[Edge], version: str
) -> int:
    """The one of several locked versions that most of the edges admit, else the newest."""
    if len(numbers) == 1:
        return numbers[0]

    def rank(number: int) -> tuple[bool, int, Version]:
        node = nodes[number]
        admitted = sum(
            edge.is_direct == node.is_direct
            and (edge.is_direct or allows(edge.version, node.version))
            for edge in edges
        )
        return allows(node.python, version), admitted, Version(node.version)

    return max(numbers, key=rank)
