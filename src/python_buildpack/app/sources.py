"""The Python modules of an app: found by name, each read and parsed once."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection
from pathlib import Path

from python_buildpack.app.module_scope import Scope, read_scope
from python_buildpack.presence import is_file

_SKIPPED = frozenset(
    [
        *("tests", "test", "docs", "venv", "node_modules", "build", "dist", "vendor"),
        *("site-packages", "__pycache__"),
    ]
)
_MAX_BYTES = 1024 * 1024
_MAX_DIRECTORIES = 200


class AppSources:
    """The app's modules, each read once.

    `unread` are those that could not be parsed, in order. `installed` are the PEP 503 names of the
    distributions that are there beside them. `names` are those of the root itself, as modules of the
    folders above it in `top`, which was uploaded: name -> the way to the folder.
    """

    def __init__(
        self, root: Path, installed: Collection[str] = (), top: Path | None = None
    ) -> None:
        self.root = root
        parts = root.relative_to(top or root).parts
        self.names = {
            ".".join(parts[-count:]): "/".join([".."] * count) for count in range(1, len(parts) + 1)
        }
        self.installed = installed
        self.unread: list[str] = []

    @functools.cache  # noqa: B019 - there is one object of this class for each build
    def listing(self, directory: str) -> tuple[frozenset[str], tuple[str, ...]]:
        """The names of the `.py` files in `directory`, and of its sub-directories in order."""
        try:
            with os.scandir(self.root / directory) as entries:
                files, folders = [], []
                for entry in entries:
                    if entry.name.endswith(".py") and is_file(entry.path):
                        files.append(entry.name)
                    elif entry.name[0] != "." and entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
        except OSError:
            return frozenset(), ()
        return frozenset(files), tuple(sorted(folders)[:_MAX_DIRECTORIES])

    def folders(self, directory: str) -> list[str]:
        """The sub-directories that may hold files of the app, as paths."""
        names = self.listing(directory)[1]
        return [join(directory, name) for name in names if name not in _SKIPPED]

    def packages(self, directory: str) -> list[str]:
        """Those that may hold modules."""
        return [path for path in self.folders(directory) if path.rpartition("/")[2].isidentifier()]

    def has(self, path: str) -> bool:
        """Whether there is this `.py` file."""
        directory, _, name = path.rpartition("/")
        return name in self.listing(directory)[0]

    def data(self, path: str) -> bytes:
        """A file's bytes; none of what is too large to be an entry module."""
        try:
            place = self.root / path
            return place.read_bytes() if place.stat().st_size <= _MAX_BYTES else b""
        except OSError:
            return b""

    @functools.cache  # noqa: B019
    def scope(self, path: str, package: str) -> Scope | None:
        """The names of the module in a file."""
        if not self.has(path):
            return None
        scope = read_scope(self.data(path), package)
        if scope is None and path not in self.unread:
            self.unread.append(path)
        return scope

    def module(self, dotted: str, bases: tuple[str, ...]) -> tuple[Scope, str] | None:
        """A module by name, and its own package's name; None for what is no name."""
        if not all(part.isidentifier() for part in dotted.split(".")):
            return None
        for base in bases:
            for path, package in places(dotted, base):
                scope = self.scope(path, package)
                if scope is not None:
                    return scope, package
        return None

    def way_out(self, modules: Collection[str]) -> str:
        """The folder above that must be on the module path: where these name the root's own modules."""
        for name, way in self.names.items():
            for module in modules:
                inner = module.removeprefix(f"{name}.")
                if inner != module and self.module(inner, ("",)) is not None:
                    return way
        return ""


def places(dotted: str, base: str) -> tuple[tuple[str, str], ...]:
    """Where a module's file may lie below `base`, and what its own package is then."""
    inner = join(base, dotted.replace(".", "/"))
    return (f"{inner}.py", dotted.rpartition(".")[0]), (f"{inner}/__init__.py", dotted)


def join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
