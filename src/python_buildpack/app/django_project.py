"""A Django project: where it lies, its settings, and the applications that they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from python_buildpack.app.module_scope import Scope, environment_default
from python_buildpack.app.sources import AppSources, join

SETTINGS_VARIABLE = "DJANGO_SETTINGS_MODULE"
_MANAGE_DEPTH = 3
_MAX_DIRECTORIES = 200
_DEPTH = 20


@dataclass(frozen=True, kw_only=True)
class DjangoFacts:
    """A Django project: where manage.py is, and its applications.

    `directory` is relative to the app's root. `declares_asgi`: the settings name ASGI_APPLICATION.
    """

    directory: str
    wsgi: str | None
    asgi: str | None
    declares_asgi: bool = False


def read_django(sources: AppSources, settings_module: str) -> DjangoFacts | None:
    """The project of the first manage.py that names its settings or has its server's module beside it.

    The root comes first, then what is below.

    `settings_module` is the environment's DJANGO_SETTINGS_MODULE, which goes first, or empty.
    """
    for directory in manage_directories(sources):
        manage = sources.data(join(directory, "manage.py"))
        settings = environment_default(manage, SETTINGS_VARIABLE)
        if settings is None and b"execute_from_command_line" in manage:
            settings = _servers_settings(sources, directory)
        if settings is None:
            continue
        settings = settings_module or settings
        named: dict[str, str] = {}
        for scope in _settings_scopes(sources, settings, (directory,)):
            for key in ("WSGI_APPLICATION", "ASGI_APPLICATION"):
                if key in scope.texts:
                    named.setdefault(key, scope.texts[key])
        wsgi = _target(named.get("WSGI_APPLICATION", ""))
        asgi = _target(named.get("ASGI_APPLICATION", ""))
        project = DjangoFacts(
            directory=directory,
            wsgi=wsgi or _beside(sources, directory, settings, "wsgi"),
            asgi=asgi or _beside(sources, directory, settings, "asgi"),
            declares_asgi=asgi is not None,
        )
        if settings or project.wsgi or project.asgi:
            return project
    return None


def manage_directories(sources: AppSources) -> Iterator[str]:
    """Where a manage.py lies: the nearest to the app's root first."""
    level = [""]
    for _ in range(_MANAGE_DEPTH + 1):
        for directory in level:
            if sources.has(join(directory, "manage.py")):
                yield directory
        level = [child for directory in level for child in sources.folders(directory)]
        level = level[:_MAX_DIRECTORIES]


def _settings_scopes(
    sources: AppSources, settings: str, bases: tuple[str, ...], depth: int = 0
) -> Iterator[Scope]:
    """The settings' module, then those that it takes everything from."""
    found = sources.module(settings, bases)
    if found is None or depth > _DEPTH:
        return
    yield found[0]
    for star in reversed(found[0].stars):
        yield from _settings_scopes(sources, star, bases, depth + 1)


def _beside(sources: AppSources, directory: str, settings: str, name: str) -> str | None:
    """The module `name` in the settings' package, in one above, or beside manage.py.

    Else the only one in a package beside it.
    """
    parts = settings.split(".")[:-1]
    while True:
        if sources.has(join(directory, "/".join([*parts, f"{name}.py"]))):
            return f"{'.'.join([*parts, name])}:application"
        if not parts:
            only = _only(sources, directory, name)
            return f"{only}.{name}:application" if only else None
        parts.pop()


def _only(sources: AppSources, directory: str, name: str) -> str | None:
    """The only package beside manage.py that has a module `name`."""
    folders = sources.packages(directory)
    found = [folder for folder in folders if sources.has(join(folder, f"{name}.py"))]
    return found[0].rpartition("/")[2] if len(found) == 1 else None


def _servers_settings(sources: AppSources, directory: str) -> str:
    """The settings that the server's own module names; empty where it does not."""
    for name in ("wsgi", "asgi"):
        if package := _only(sources, directory, name):
            module = sources.data(join(directory, f"{package}/{name}.py"))
            if settings := environment_default(module, SETTINGS_VARIABLE):
                return settings
    return ""


def _target(dotted: str) -> str | None:
    module, _, name = dotted.rpartition(".")
    whole = all(part.isidentifier() for part in dotted.split("."))
    return f"{module}:{name}" if module and whole else None
