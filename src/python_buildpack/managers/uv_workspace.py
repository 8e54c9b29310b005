"""uv's workspaces: a member's lock lies with the workspace's root, above the member."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from python_buildpack.app.files import AppFiles

LOCK = "uv.lock"
MANIFEST = "pyproject.toml"


def lock_above(files: AppFiles) -> frozenset[str]:
    """`../../uv.lock` where the app is a member of the workspace there; else empty.

    A project directory's parents are searched up to the root of what was uploaded.
    """
    if MANIFEST not in files.names or LOCK in files.names:
        return frozenset()
    steps = files.root.relative_to(files.top).parts
    for depth in range(1, len(steps) + 1):
        above = "/".join([".."] * depth)
        member = "/".join(steps[-depth:])
        if all((files.root / above / name).is_file() for name in (LOCK, MANIFEST)):
            inside = _is_member(files.toml(f"{above}/{MANIFEST}"), member)
            return frozenset({f"{above}/{LOCK}"}) if inside else frozenset()
    return frozenset()


def _is_member(manifest: dict[str, Any], member: str) -> bool:
    workspace: Any = manifest
    for key in ("tool", "uv", "workspace"):
        workspace = workspace.get(key) if isinstance(workspace, dict) else None
    if not isinstance(workspace, dict):
        return False
    return _matches(workspace.get("members"), member) and not _matches(
        workspace.get("exclude"), member
    )


def _matches(patterns: object, path: str) -> bool:
    parts = PurePosixPath(path).parts
    return isinstance(patterns, list) and any(
        _fits(PurePosixPath(os.path.normpath(pattern)).parts, parts)
        for pattern in patterns
        if isinstance(pattern, str)
    )


def _fits(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a glob, part by part, matches; `**` stands for any number of parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(pattern[1:], parts[start:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(pattern[1:], parts[1:])
