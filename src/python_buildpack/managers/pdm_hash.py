"""The content hash of a PDM project, by which pdm.lock and PDM's pylock.toml are told to be stale."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.lock_fields import Fields

MANIFEST = "pyproject.toml"
REPAIR = "pdm lock"


def normal(name: str) -> str:
    """A group's or a package's name as PDM compares it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).lower()


def content_hash(files: AppFiles, algorithm: str) -> str | None:
    """Of the app's pyproject.toml and those of its workspace; None for an unknown algorithm."""
    try:
        hasher = hashlib.new(algorithm)
    except ValueError:
        return None
    own = _manifest_hash(files.toml(MANIFEST), MANIFEST, algorithm)
    members = list(workspace_members(files))
    if not _workspace(files).values:
        return own
    hasher.update(own.encode())
    for member in members:
        name = f"{member}/{MANIFEST}"
        hasher.update(b"\0" + member.encode() + b"\0")
        hasher.update(_manifest_hash(files.toml(name), name, algorithm).encode())
    return hasher.hexdigest()


def _workspace(files: AppFiles) -> Fields:
    fields = Fields(file=MANIFEST, values=files.toml(MANIFEST), repair=REPAIR)
    return fields.table("tool").table("pdm").table("workspace")


def workspace_members(files: AppFiles) -> Iterator[str]:
    """The paths of the projects in the app's PDM workspace, sorted."""
    root = files.root.resolve()
    found: set[Path] = set()
    for pattern in _workspace(files).texts("members"):
        if Path(pattern).is_absolute():
            continue
        paths = root.glob(pattern) if re.search(r"[*?\[]", pattern) else [root / pattern]
        found.update(path.resolve() for path in paths if (path / MANIFEST).is_file())
    inside = (path.relative_to(root).as_posix() for path in found if path.is_relative_to(root))
    return iter(sorted(inside))


def development_groups(manifest: Fields) -> dict[str, list[Any]]:
    """`[dependency-groups]`, and PDM's older table of the same meaning."""
    groups: dict[str, list[Any]] = {}
    older = manifest.table("tool").table("pdm").table("dev-dependencies")
    for table in (manifest.table("dependency-groups"), older):
        for name, items in table.values.items():
            if not isinstance(items, list):
                raise table.error(name, "is not a list")
            groups.setdefault(normal(name), []).extend(items)
    return groups


def _manifest_hash(table: Mapping[str, Any], name: str, algorithm: str) -> str:
    manifest = Fields(file=name, values=table, repair=REPAIR)
    project = manifest.table("project")
    settings = manifest.table("tool").table("pdm")
    content = {
        "sources": settings.values.get("source", []),
        "dependencies": project.values.get("dependencies", []),
        "dev-dependencies": development_groups(manifest),
        "optional-dependencies": project.values.get("optional-dependencies", {}),
        "requires-python": project.values.get("requires-python", ""),
        "resolution": settings.values.get("resolution", {}),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.new(algorithm, text.encode()).hexdigest()
