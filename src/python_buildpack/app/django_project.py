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
    """A Django project: where manage.py is, its settings' module, and its applications.

    `directory` is relative to the app's root. `declares_asgi`: the settings name ASGI_APPLICATION.
    """

    directory: str
    settings: str
    wsgi: str | None
    asgi: str | None
    declares_asgi: bool = False


def read_django(sources: AppSources, settings_module: str) -> DjangoFacts | None:
    """The project of the first manage.py that names its settings: the root first, then below.

    `settings_module` is the environment's DJANGO_SETTINGS_MODULE, which goes first, or empty.
    """
    for directory in manage_directories(sources):
        manage = sources.data(join(directory, "manage.py"))
        settings = environment_default(manage, SETTINGS_VARIABLE)
        if settings_module and (settings or b"execute_from_command_line" in manage):
            settings = settings_module
        if settings is None:
            continue
        named: dict[str, str] = {}
        for scope in _settings_scopes(sources, settings, (directory,)):
            for key in ("WSGI_APPLICATION", "ASGI_APPLICATION"):
                if key in scope.texts:
                    named.setdefault(key, scope.texts[key])
        wsgi = _target(named.get("WSGI_APPLICATION", ""))
        asgi = _target(named.get("ASGI_APPLICATION", ""))
        return DjangoFacts(
            directory=directory,
            settings=settings,
            wsgi=wsgi or _beside(sources, directory, settings, "wsgi"),
            asgi=asgi or _beside(sources, directory, settings, "asgi"),
            declares_asgi=asgi is not None,
        )
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
    """The module `name` in the settings' package, in one above, or beside manage.py."""
    parts = settings.split(".")[:-1]
    while True:
        if sources.has(join(directory, "/".join([*parts, f"{name}.py"]))):
            return f"{'.'.join([*parts, name])}:application"
        if not parts:
            return None
        parts.pop()


def _target(dotted: str) -> str | None:
    module, _, name = dotted.rpartition(".")
    whole = all(part.isidentifier() for part in dotted.split("."))
    return f"{module}:{name}" if module and whole else None
