"""Where manage.py lies, and whether the settings' text tells that static files are enabled."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from python_buildpack.app.module_scope import environment_default

DEPTH = 3
STATICFILES = "django.contrib.staticfiles"
_VARIABLE = "DJANGO_SETTINGS_MODULE"
_SKIPPED = frozenset(["node_modules", "site-packages", "__pycache__"])
_MAX_DIRECTORIES = 1000
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class DjangoProject:
    """Where manage.py lies. `staticfiles` is None where only Django can tell."""

    directory: Path
    staticfiles: bool | None


def find_django_project(root: Path, settings_module: str) -> DjangoProject | None:
    """The project whose manage.py is nearest to the app's root.

    `settings_module` is the environment's DJANGO_SETTINGS_MODULE, or empty.
    """
    directory = next(_manage_directories(root), None)
    if directory is None:
        return None
    manage = _read(directory / "manage.py") or b""
    module = settings_module or environment_default(manage, _VARIABLE)
    settings = _module_tree(directory, module) if module else None
    return DjangoProject(
        directory=directory,
        staticfiles=enables_staticfiles(settings) if settings else None,
    )


def _manage_directories(root: Path) -> Iterator[Path]:
    level = [root]
    for _ in range(DEPTH + 1):
        yield from (directory for directory in level if (directory / "manage.py").is_file())
        level = [child for directory in level for child in _directories(directory)]
        level = level[:_MAX_DIRECTORIES]


def _directories(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
                and entry.name not in _SKIPPED
                and not entry.name.startswith(".")
            )
    except OSError:
        return []
    children = (folder / name for name in names)
    return [child for child in children if not (child / "pyvenv.cfg").exists()]


def _read(path: Path) -> bytes | None:
    try:
        whole = path.is_file() and path.stat().st_size <= _MAX_BYTES
        return path.read_bytes() if whole else None
    except (OSError, ValueError):
        return None


def _parse(path: Path) -> ast.Module | None:
    data = _read(path)
    try:
        return None if data is None else ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # Django says what is wrong with it


def _module_tree(directory: Path, module: str) -> ast.Module | None:
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    base = directory.joinpath(*parts)
    return _parse(base.with_suffix(".py")) or _parse(base / "__init__.py")


def enables_staticfiles(settings: ast.Module) -> bool | None:
    """Whether INSTALLED_APPS names the app; None unless it is one plain list of names.

    Whatever is computed, imported with `*` or changed later is left to Django.
    """
    names: list[str] | None = None
    mentions = 0
    for node in ast.walk(settings):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return None
        if isinstance(node, ast.Name) and node.id in ("INSTALLED_APPS", "globals", "exec"):
            mentions += 1
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(one, ast.Name) and one.id == "INSTALLED_APPS" for one in targets):
                names = _plain_names(node.value)
                if names is None:
                    return None
    if names is None or mentions != 1:
        return None
    return any(name == STATICFILES or name.startswith(f"{STATICFILES}.") for name in names)


def _plain_names(node: ast.expr | None) -> list[str] | None:
    if not isinstance(node, (ast.List, ast.Tuple)):
        return None
    names = [one.value for one in node.elts if isinstance(one, ast.Constant)]
    plain = [name for name in names if isinstance(name, str)]
    return plain if len(plain) == len(node.elts) else None
