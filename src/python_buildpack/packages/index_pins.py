"""Packages that one index alone may serve, in the form that uv takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from python_buildpack.packages.package_sources import Source


def manifest(
    pinned: Mapping[str, Sequence[str]], indexes: Mapping[str, Source]
) -> dict[str, Any] | None:
    """A pyproject.toml that requires the lines of `pinned`, each from its index; None: none has one.

    uv asks an explicit index for these packages only, and no other index for them.
    """
    requirements: list[str] = []
    sources: dict[str, list[dict[str, str]]] = {}
    used: list[Source] = []
    for name, lines in pinned.items():
        if name not in indexes:
            continue
        used.append(indexes[name])
        for line in lines:
            requirement = Requirement(line.partition(" --hash=")[0])
            requirements.append(str(requirement))
            source = {"index": indexes[name].name}
            if requirement.marker:
                source["marker"] = str(requirement.marker)
            sources.setdefault(canonicalize_name(requirement.name), []).append(source)
    if not used:
        return None
    return {
        "project": {"name": "pinned-to-indexes", "version": "0", "dependencies": requirements},
        "tool": {
            "uv": {
                "index": [
                    {"name": one.name, "url": one.url, "explicit": True} for one in used
                ],
                "sources": {name: _one_or_all(several) for name, several in sources.items()},
            }
        },
    }  # fmt: skip


def _one_or_all(several: Sequence[dict[str, str]]) -> object:
    """uv wants the markers of several sources to exclude each other; one index needs none."""
    indexes = {one["index"] for one in several}
    return {"index": several[0]["index"]} if len(indexes) == 1 else list(several)


def credentials(indexes: Mapping[str, Source]) -> dict[str, str]:
    """The variables by which uv gets the user names and passwords of these indexes."""
    found: dict[str, str] = {}
    for one in indexes.values():
        variable = "UV_INDEX_" + one.name.upper().replace("-", "_")
        if one.user or one.password:
            found[f"{variable}_USERNAME"] = one.user
            found[f"{variable}_PASSWORD"] = one.password
    return found
