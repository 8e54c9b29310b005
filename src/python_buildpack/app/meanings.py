"""What a name in the app's modules stands for: an application, or what makes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from python_buildpack.app.module_scope import (
    Call,
    Class,
    Function,
    Parameter,
    Reference,
    Scope,
    Value,
)
from python_buildpack.app.sources import AppSources

WSGI = "wsgi"
ASGI = "asgi"
# A script that is its own server once its framework runs it.
SCRIPT = "script"

# What creates an application object -> the framework's distribution and its interface.
CONSTRUCTORS: dict[str, tuple[str, str]] = {
    "flask.Flask": ("flask", WSGI),
    "flask.app.Flask": ("flask", WSGI),
    # Subclasses in packages of their own, which require Flask.
    "apiflask.APIFlask": ("flask", WSGI),
    "apiflask.app.APIFlask": ("flask", WSGI),
    "eve.Eve": ("flask", WSGI),
    "eve.flaskapp.Eve": ("flask", WSGI),
    "flask_api.FlaskAPI": ("flask", WSGI),
    "flask_openapi3.OpenAPI": ("flask", WSGI),
    "flask_openapi3.openapi.OpenAPI": ("flask", WSGI),
    "fastapi.FastAPI": ("fastapi", ASGI),
    "fastapi.applications.FastAPI": ("fastapi", ASGI),
    "starlette.applications.Starlette": ("starlette", ASGI),
    "litestar.Litestar": ("litestar", ASGI),
    "litestar.app.Litestar": ("litestar", ASGI),
    "quart.Quart": ("quart", ASGI),
    "quart.app.Quart": ("quart", ASGI),
    "django.core.wsgi.get_wsgi_application": ("django", WSGI),
    "django.core.asgi.get_asgi_application": ("django", ASGI),
}
# Middleware that turns one interface into the other.
ADAPTERS = {
    "asgiref.wsgi.WsgiToAsgi": ASGI,
    "a2wsgi.WSGIMiddleware": ASGI,
    "a2wsgi.ASGIMiddleware": WSGI,
    "fastapi.middleware.wsgi.WSGIMiddleware": ASGI,
    "starlette.middleware.wsgi.WSGIMiddleware": ASGI,
    "uvicorn.middleware.wsgi.WSGIMiddleware": ASGI,
}
# What answers requests of its own, and passes the others on: only by it both are served.
_SOCKET_IO = frozenset({"socketio.ASGIApp", "socketio.WSGIApp", "socketio.Middleware"})
_DASH = "dash.Dash"
# What is given an application, and is none that a server could call.
_NO_APPLICATIONS = frozenset(
    [
        *(_DASH, "celery.Celery", "flask_restful.Api", "flask_restx.Api"),
        "flask_socketio.SocketIO",
    ]
)
_APP_ATTRIBUTES = frozenset({"wsgi_app", "asgi_app"})
_DEPTH = 20
# Names that are looked up for one module at most: no code, however twisted, takes long.
_LOOKUPS = 2000
# The names that are being looked up: (the scope's identity, name) -> the value that is followed.
_Open = Mapping[tuple[int, str], int]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a name stands for: `class`, `object` or `factory`; else a `function` or `other` thing.

    `is_wrapped`: made of an application by something unknown, middleware or an extension.
    `is_doubtful`: by a function of the app's own that returns nobody knows what. `made_of` are the
    names that it is made of, `has_socket_io` says that Socket.IO is among what wraps them. `origin`
    is what an `other` thing is made by.
    """

    kind: str
    framework: str = ""
    interface: str = ""
    needs_arguments: bool = False
    is_wrapped: bool = False
    is_doubtful: bool = False
    made_of: frozenset[str] = frozenset()
    has_socket_io: bool = False
    origin: str = ""

    @property
    def is_served(self) -> bool:
        """Whether a server can be given it."""
        return self.kind == "object" or (self.kind == "factory" and not self.needs_arguments)


class Meanings:
    """Follows names through assignments, calls, imports, functions and classes."""

    def __init__(self, sources: AppSources, bases: tuple[str, ...]) -> None:
        self._sources = sources
        self._bases = bases
        self._lookups = 0

    def of_name(self, name: str, scope: Scope) -> Meaning | None:
        """What `name` means in `scope` once the module has run."""
        return self._of_name(name, (scope,), {}, 0)

    def _of_name(
        self, dotted: str, scopes: tuple[Scope, ...], open_names: _Open, depth: int
    ) -> Meaning | None:
        self._lookups += 1
        if depth > _DEPTH or self._lookups > _LOOKUPS:
            return None
        first, _, rest = dotted.partition(".")
        for number, scope in enumerate(scopes):
            # `app = Middleware(app)` speaks of the value that `app` had before.
            values = scope.values.get(first, [])[: open_names.get((id(scope), first))]
            if values:
                inner = {**open_names, (id(scope), first): len(values) - 1}
                meaning = self._of_value(values[-1], scopes[number:], inner, depth)
                return _attribute(meaning, rest) if rest and meaning else meaning
            if first in scope.imports:
                origin = scope.imports[first]
                return self._elsewhere(f"{origin}.{rest}" if rest else origin, open_names, depth)
            for star in scope.stars:
                meaning = self._elsewhere(f"{star}.{dotted}", open_names, depth)
                if meaning is not None:
                    return meaning
        return None

    def _of_value(
        self, value: Value, scopes: tuple[Scope, ...], open_names: _Open, depth: int
    ) -> Meaning | None:
        def of(reference: Reference) -> Meaning | None:
            return self._of_name(reference.name, scopes, open_names, depth + 1)

        if isinstance(value, Parameter):
            return None
        if isinstance(value, Reference):
            return of(value)
        if isinstance(value, Class):
            return next((found for base in value.bases if (found := of(base))), None)
        if isinstance(value, Function):
            return self._of_function(value, scopes, open_names, depth)
        return self._of_call(value, scopes, open_names, depth, of(value.function))

    def _of_call(
        self,
        call: Call,
        scopes: tuple[Scope, ...],
        open_names: _Open,
        depth: int,
        function: Meaning | None,
    ) -> Meaning | None:
        if function is not None and function.kind != "function":
            if function.kind == "other":
                return function
            made = function.kind in ("class", "factory")
            return _as_object(function) if made else None
        # Middleware has the interface of what it wraps.
        for argument in call.arguments:
            meaning = self._of_value(argument, scopes, open_names, depth + 1)
            if meaning is not None and meaning.kind == "object":
                by = _origin(call.function.name, scopes)
                names = {argument.name} if isinstance(argument, Reference) else set()
                return replace(
                    meaning,
                    interface=ADAPTERS.get(by, meaning.interface),
                    is_wrapped=by not in _SOCKET_IO,
                    is_doubtful=function is not None,
                    made_of=meaning.made_of | names,
                    has_socket_io=meaning.has_socket_io or by in _SOCKET_IO,
                )
        return None

    def _of_function(
        self, function: Function, scopes: tuple[Scope, ...], open_names: _Open, depth: int
    ) -> Meaning | None:
        if depth > _DEPTH:
            return None
        inner = (function.scope, *scopes)
        made = Meaning(kind="function")
        for value in function.returns:
            meaning = self._of_value(value, inner, open_names, depth + 1)
            if meaning is not None and meaning.kind == "object":
                return Meaning(
                    kind="factory",
                    framework=meaning.framework,
                    interface=meaning.interface,
                    needs_arguments=function.needs_arguments,
                    has_socket_io=meaning.has_socket_io,
                )
            if meaning is not None and meaning.kind == "other":
                made = meaning
        return made

    def _elsewhere(self, dotted: str, open_names: _Open, depth: int) -> Meaning | None:
        """What a name means that is imported: from a framework, or from a module of the app."""
        if dotted in CONSTRUCTORS:
            framework, interface = CONSTRUCTORS[dotted]
            return Meaning(kind="class", framework=framework, interface=interface)
        if dotted in _NO_APPLICATIONS:
            return Meaning(kind="other", origin=dotted)
        parts = dotted.split(".")
        for count in range(len(parts) - 1, 0, -1):
            found = self._sources.module(".".join(parts[:count]), self._bases)
            if found is not None:
                return self._of_name(".".join(parts[count:]), (found[0],), open_names, depth + 1)
        return None


def _as_object(meaning: Meaning) -> Meaning:
    return Meaning(
        kind="object",
        framework=meaning.framework,
        interface=meaning.interface,
        has_socket_io=meaning.has_socket_io,
    )


def _attribute(meaning: Meaning, name: str) -> Meaning | None:
    if meaning.origin == _DASH and name == "server":
        return Meaning(kind="object", framework="flask", interface=WSGI)
    return meaning if meaning.kind == "object" and name in _APP_ATTRIBUTES else None


def _origin(dotted: str, scopes: tuple[Scope, ...]) -> str:
    first, _, rest = dotted.partition(".")
    for scope in scopes:
        if first in scope.imports:
            origin = scope.imports[first]
            return f"{origin}.{rest}" if rest else origin
    return dotted
