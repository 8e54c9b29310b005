"""The buildpack plan that build is given (buildpack.md, Buildpack Plan)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnb.toml import read_toml


@dataclass(frozen=True, kw_only=True)
class PlanEntry:
    """A requirement that this buildpack is to meet; several may share a name."""

    name: str
    metadata: Mapping[str, Any]


def read_buildpack_plan(path: Path) -> tuple[PlanEntry, ...]:
    """The entries in file order; an absent file has none."""
    if not path.is_file():
        return ()
    entries = read_toml(path).get("entries", [])
    return tuple(
        PlanEntry(name=entry["name"], metadata=entry.get("metadata", {})) for entry in entries
    )
