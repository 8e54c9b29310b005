"""Where a project's version comes from, if not from its files: version control."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.build_inputs import at, read_manifest
from python_buildpack.managers.local_projects import BUILD_FILES
from python_buildpack.presence import is_dir, is_file

_FROM_COMMITS = re.compile(
    rb"(?i)\b(?:setuptools[-_]scm|hatch[-_]vcs|vcs[-_]versioning|setuptools[-_]git[-_]versioning"
    rb"|[\w-]*dynamic[-_]versioning|versioningit|versioneer|dunamai|flit[-_]scm|pbr)\b"
    rb"|\bsource\s*=\s*[\"']scm[\"']"
)


def commit_inputs(files: AppFiles, projects: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Of the commit, and the tags, that one of `projects` has its version from.

    `given` are variables that say a version: where they do for all projects, no commit is asked.
    """
    if any("_FOR_" not in name for name in given):
        return {}
    if not any(_asks_for_commit(files, os.path.normpath(one), given) for one in projects):
        return {}
    for folder in (files.root, *files.root.parents):
        if is_dir(folder / ".git"):
            return {"the commit that the version comes from": _digest_of_commit(folder / ".git")}
        if folder == files.top:
            break
    return {}


def _asks_for_commit(files: AppFiles, place: str, given: Sequence[str]) -> bool:
    root = files.root / place
    texts = [(root / name).read_bytes() for name in BUILD_FILES if is_file(root / name)]
    if not any(_FROM_COMMITS.search(text) for text in texts):
        return False
    parsed = place == "." and BUILD_FILES[0] in files.names
    project = at(files.toml(BUILD_FILES[0]) if parsed else read_manifest(root), "project")
    name = re.sub(r"[-_.]+", "_", str(at(project, "name"))).upper()
    return not (at(project, "version") or any(one.endswith(f"_FOR_{name}") for one in given))


def _digest_of_commit(git: Path) -> str:
    """The same for each clone with these tags."""
    refs = dict(_packed_refs(git))
    for folder, _, names in os.walk(git / "refs" / "tags"):
        for path in (Path(folder) / name for name in names):
            refs[path.relative_to(git).as_posix()] = _text(path)
    head = _text(git / "HEAD")
    branch = head.removeprefix("ref: ")
    commit = head if branch == head else _text(git / branch) or refs.get(branch, "")
    tags = sorted(f"{name} {of}" for name, of in refs.items() if name.startswith("refs/tags/"))
    return hashlib.sha256("\n".join([commit, *tags]).encode()).hexdigest()


def _packed_refs(git: Path) -> list[tuple[str, str]]:
    """Name and object of each line; those of tags have a line of their commit below."""
    lines = (line.split(" ") for line in _text(git / "packed-refs").splitlines())
    return [(line[1], line[0]) for line in lines if len(line) == 2]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except (OSError, ValueError):
        return ""
