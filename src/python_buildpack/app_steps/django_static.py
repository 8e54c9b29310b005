"""Whether a Django project's static files are enabled, as its settings' text tells."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from python_buildpack.app.django_project import SETTINGS_VARIABLE, manage_directories
from python_buildpack.app.module_scope import environment_default
from python_buildpack.app.sources import AppSources, join, places

STATICFILES = "django.contrib.staticfiles"


@dataclass(frozen=True, kw_only=True)
class DjangoProject:
    """Where manage.py lies. `staticfiles` is None where only Django can tell."""

    directory: Path
    staticfiles: bool | None


def find_django_project(sources: AppSources, settings_module: str) -> DjangoProject | None:
    """The project whose manage.py is nearest to the app's root.

    `settings_module` is the environment's DJANGO_SETTINGS_MODULE, or empty.
    """
    directory = next(manage_directories(sources), None)
    if directory is None:
        return None
    manage = sources.data(join(directory, "manage.py"))
    module = settings_module or environment_default(manage, SETTINGS_VARIABLE)
    settings = _module_tree(sources, directory, module) if module else None
    return DjangoProject(
        directory=sources.root / directory,
        staticfiles=enables_staticfiles(settings) if settings else None,
    )


def _module_tree(sources: AppSources, directory: str, module: str) -> ast.Module | None:
    if not all(part.isidentifier() for part in module.split(".")):
        return None
    path = next((path for path, _ in places(module, directory) if sources.has(path)), None)
    try:
        return ast.parse(sources.data(path)) if path else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # Django says what is wrong with it


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
