"""Projects in the app's own tree: what their installation depends on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_EXTENSION = re.compile(rb"ext_modules|Extension\(|cffi|Cython|maturin|mesonpy|scikit_build")


def digest_local_project(app_dir: Path, project: str, *, editable: bool) -> str:
    """A digest of what building `project` depends on: its build files, or all of it.

    An editable project's code is not copied, so it is no input, unless it is compiled.
    """
    root = app_dir / project
    hasher = hashlib.sha256()
    if root.is_file():
        hasher.update(root.read_bytes())
        return hasher.hexdigest()
    if editable and not has_extensions(root):
        paths = [root / name for name in _BUILD_FILES]
    else:
        paths = sorted(
            Path(folder) / name
            for folder, folders, names in os.walk(root)
            for name in names
            if not _prune(folders) and not name.endswith(".pyc")
        )
    for path in paths:
        if path.is_file():
            hasher.update(os.fsencode(str(path.relative_to(root))) + b"\0")
            hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


def _prune(folders: list[str]) -> bool:
    folders[:] = sorted(
        f for f in folders if f not in {".git", "__pycache__", "build"} and "egg-info" not in f
    )
    return False


def has_extensions(root: Path) -> bool:
    """Whether a project's build files speak of compiled modules."""
    paths = (root / name for name in ("setup.py", "pyproject.toml"))
    return any(path.is_file() and _EXTENSION.search(path.read_bytes()) for path in paths)


@contextlib.contextmanager
def without_leftovers(app_dir: Path, projects: Sequence[str]) -> Iterator[None]:
    """Remove what setuptools leaves beside the sources that it builds.

    Left there, the app's own layer would differ between a build that installs and one that does
    not.
    """
    roots = [app_dir / project for project in projects if (app_dir / project).is_dir()]
    before = _leftovers(roots)
    try:
        yield
    finally:
        for path in _leftovers(roots) - before:
            shutil.rmtree(path, ignore_errors=True)


def _leftovers(roots: Sequence[Path]) -> set[Path]:
    found: set[Path] = set()
    for root in roots:
        found.update(path for path in (root / "build",) if path.is_dir())
        for pattern in ("*.egg-info", "*/*.egg-info"):
            found.update(path for path in root.glob(pattern) if path.is_dir())
    return found
