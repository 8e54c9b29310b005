"""What building the app's own projects leaves beside their sources: removed, or kept in the layer.

An editable project imports compiled modules, and what else its build generates, from there. A build
that reuses the layer builds nothing: so the layer holds these files, and the app links to them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from python_buildpack.managers.local_projects import runs_in_place

_FOLDER = "in-place"
# In a project's root, and needed by nothing but its build.
_USELESS = frozenset(["build", ".eggs", ".pdm-build"])
_SKIPPED = frozenset(["node_modules", "__pycache__", "site-packages"])
_CACHE_TAG = "CACHEDIR.TAG"  # Cargo's target/ has one
_COMPILED = ".so"


@contextlib.contextmanager
def kept_in_layer(root: Path, top: Path, projects: Sequence[str], venv: Path) -> Iterator[None]:
    """Build `projects` (paths from `root`) meanwhile. `top` is what was uploaded.

    Left in the app, its own layer would differ between a build that installs and one that does not.
    """
    import shutil

    places = [os.path.normpath(root / project) for project in projects]
    roots = [place for place in dict.fromkeys(places) if os.path.isdir(place)]  # noqa: PTH112
    useless_before, before = _look(roots)
    for path in [path for path, _ in before if _links_to_layer(path, venv)]:
        # Of a build before this one, in the same directory: a compiler would write through it.
        os.unlink(path)  # noqa: PTH108
        before = {file for file in before if file[0] != path}
    try:
        yield
    finally:
        for folder in _look(roots)[0] - useless_before:
            shutil.rmtree(folder, ignore_errors=True)
    for path, _ in sorted(_look(roots)[1] - before):
        if _is_within(path, top) and not os.path.islink(path):  # noqa: PTH114
            target = _in_layer(venv, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
            Path(path).symlink_to(target)
    for place in roots:
        if not runs_in_place(Path(place)):
            _link_shadowed(Path(place), top, venv)


def _link_shadowed(project: Path, top: Path, venv: Path) -> None:
    """Give a project that had to be installed its compiled modules in place, too.

    In a flat layout its packages come before the installed ones: the app runs from its directory.
    """
    from python_buildpack.packages.venv import site_packages  # the links alone do without

    packages = site_packages(venv)
    for module in sorted(packages.rglob(f"*{_COMPILED}")):
        path = project / module.relative_to(packages)
        inside = path.parent != project and path.parent.is_dir() and _is_within(str(path), top)
        if inside and not os.path.lexists(path):
            target = _in_layer(venv, str(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(module)
            path.symlink_to(target)


def kept_paths(venv: Path) -> list[str]:
    """The app's files that are in the layer."""
    folder = venv / _FOLDER
    return sorted(f"/{file.relative_to(folder)}" for file in folder.rglob("*") if file.is_file())


def link_again(top: Path, venv: Path, paths: Sequence[object]) -> None:
    """Have the app hold the links to the `paths` that its layer has.

    What the app itself has by now stays, but for compiled modules: those would be built anew.
    """
    for path in paths:
        if not isinstance(path, str) or not _is_within(path, top):
            continue
        link = Path(path)
        with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.suffix == _COMPILED:
                link.unlink(missing_ok=True)
            link.symlink_to(_in_layer(venv, path))


def _in_layer(venv: Path, path: str) -> Path:
    return venv / _FOLDER / path.lstrip("/")


def _links_to_layer(path: str, venv: Path) -> bool:
    link = Path(path)
    return link.is_symlink() and link.readlink().is_relative_to(venv / _FOLDER)


def _is_within(path: str, top: Path) -> bool:
    """Also where links lead; a name that is no text cannot be in a layer's metadata."""
    folder, real = Path(os.path.realpath(Path(path).parent)), os.path.realpath(top)
    is_text = path.encode("utf-8", "replace") == os.fsencode(path)
    return is_text and os.path.normpath(path) == path and folder.is_relative_to(real)


def _look(roots: Sequence[str]) -> tuple[set[str], set[tuple[str, int]]]:
    """The useless directories, and the files elsewhere: compiled ones with the time of writing."""
    useless: set[str] = set()
    files: set[tuple[str, int]] = set()
    for root in roots:
        for folder, folders, names in os.walk(root):
            if _CACHE_TAG in names and folder != root:
                useless.add(folder)
                folders.clear()
                continue
            found = {
                name
                for name in folders
                if name.endswith(".egg-info") or (name in _USELESS and folder == root)
            }
            useless.update(f"{folder}/{name}" for name in found)
            folders[:] = [
                name for name in folders if name not in found | _SKIPPED and name[0] != "."
            ]
            for name in names:
                path = f"{folder}/{name}"
                compiled = name.endswith(_COMPILED)
                files.add((path, os.lstat(path).st_mtime_ns if compiled else 0))
    return useless, files
