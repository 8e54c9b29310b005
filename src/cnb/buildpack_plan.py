"""The buildpack plan that build is given (buildpack.md, Buildpack Plan)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnb.toml import read_toml


@dataclass(frozen=True, kw_only=True)
class PlanEntry:
    """A requirement that this buildpack is to meet; several may share a name."""

    name: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What all entries of one name ask for together; `versions` in their order, each once."""

    build: bool
    launch: bool
    versions: tuple[str, ...]


def wishes(entries: Sequence[PlanEntry], name: str) -> Wishes:
    """The wishes of the entries for `name`; nothing is wished for where there are none."""
    found = [entry.metadata for entry in entries if entry.name == name]
    versions = [str(metadata["version"]) for metadata in found if metadata.get("version")]
    return Wishes(
        build=any(metadata.get("build") is True for metadata in found),
        launch=any(metadata.get("launch") is True for metadata in found),
        versions=tuple(dict.fromkeys(versions)),
    )


def read_buildpack_plan(path: Path) -> tuple[PlanEntry, ...]:
    """The entries in file order; an absent file has none."""
    if not path.is_file():
        return ()
    entries = read_toml(path).get("entries", [])
    return tuple(
        PlanEntry(name=entry["name"], metadata=entry.get("metadata", {})) for entry in entries
    )
