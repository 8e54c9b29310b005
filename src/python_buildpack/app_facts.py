"""What the app's own modules say about how it is served: read from their syntax trees."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WSGI = "wsgi"
ASGI = "asgi"

# What creates an application object -> the framework's distribution and its interface.
CONSTRUCTORS: dict[str, tuple[str, str]] = {
    "flask.Flask": ("flask", WSGI),
    "fastapi.FastAPI": ("fastapi", ASGI),
    "fastapi.applications.FastAPI": ("fastapi", ASGI),
    "starlette.applications.Starlette": ("starlette", ASGI),
    "litestar.Litestar": ("litestar", ASGI),
    "quart.Quart": ("quart", ASGI),
    "django.core.wsgi.get_wsgi_application": ("django", WSGI),
    "django.core.asgi.get_asgi_application": ("django", ASGI),
}
_ENTRY_NAMES = ("app", "main", "wsgi", "asgi", "application", "server", "api", "run", "index")
_FACTORIES = ("create_app", "make_app", "get_app", "app_factory")
_OBJECTS = ("app", "application", "api", "server")
_SKIPPED = frozenset({"tests", "test", "docs", "venv", "node_modules", "build", "dist", "vendor"})
_MAX_BYTES = 1024 * 1024
_MAX_DIRECTORIES = 200
_MANAGE_DEPTH = 3


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application object: `module:name`, or a factory that makes one."""

    module: str
    name: str
    framework: str
    interface: str
    is_factory: bool = False

    @property
    def target(self) -> str:
        """As servers take it."""
        return f"{self.module}:{self.name}"


@dataclass(frozen=True, kw_only=True)
class DjangoFacts:
    """`directory` of manage.py relative to the app; the settings' `module:name` targets."""

    directory: str
    settings: str
    wsgi: str | None
    asgi: str | None


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """Everything found, the likeliest first."""

    applications: tuple[Application, ...]
    django: DjangoFacts | None


def read_app_facts(app_dir: Path) -> AppFacts:
    """Read the modules that are named like an entry point. Never raises for what they hold."""
    applications: list[Application] = []
    for module, path in _entry_modules(app_dir):
        tree = _parse(path)
        if tree is not None:
            applications += module_applications(tree, module)
    return AppFacts(applications=tuple(applications), django=_django(app_dir))


def _entry_modules(app_dir: Path) -> Iterator[tuple[str, Path]]:
    for name in _ENTRY_NAMES:
        yield name, app_dir / f"{name}.py"
    for base, prefix in ((app_dir, ""), (app_dir / "src", "src/")):
        for package in _directories(base):
            if prefix and not (package / "__init__.py").is_file():
                continue
            for name in _ENTRY_NAMES:
                yield f"{package.name}.{name}", package / f"{name}.py"
            yield package.name, package / "__init__.py"


def _directories(base: Path) -> list[Path]:
    try:
        with os.scandir(base) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name.isidentifier()
                and entry.name not in _SKIPPED
                and entry.is_dir(follow_symlinks=False)
            )
    except OSError:
        return []
    return [base / name for name in names[:_MAX_DIRECTORIES]]


def _parse(path: Path) -> ast.Module | None:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return None
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        # Whatever is wrong with it, Python will say so when the app starts.
        return None


def module_applications(tree: ast.Module, module: str) -> list[Application]:
    """The application objects that a module's top level makes, and its factories."""
    imported: dict[str, str] = {}
    objects: dict[str, Application] = {}
    factories: list[Application] = []
    for node in _top_level(tree.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imported[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            made = _constructed(node.value, imported)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and made:
                    objects[target.id] = Application(
                        module=module, name=target.id, framework=made[0], interface=made[1]
                    )
        elif isinstance(node, ast.FunctionDef) and node.name in _FACTORIES:
            made = _made_inside(node, imported)
            required = len(node.args.args) - len(node.args.defaults)
            if made and not required:
                factories.append(
                    Application(
                        module=module,
                        name=node.name,
                        framework=made[0],
                        interface=made[1],
                        is_factory=True,
                    )
                )
    usual = [objects[name] for name in _OBJECTS if name in objects]
    others = [found for name, found in objects.items() if name not in _OBJECTS]
    return usual + others + factories


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run on import, those within `if` and `try` included."""
    for node in body:
        if isinstance(node, ast.If):
            if "__main__" not in ast.dump(node.test):
                yield from _top_level(node.body)
            yield from _top_level(node.orelse)
        elif isinstance(node, ast.Try):
            for block in (node.body, node.orelse, node.finalbody):
                yield from _top_level(block)
        else:
            yield node


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return f"{base}.{node.attr}" if base else None
    return None


def _constructed(node: ast.expr | None, imported: dict[str, str]) -> tuple[str, str] | None:
    if not isinstance(node, ast.Call):
        return None
    name = _dotted(node.func)
    if name is None:
        return None
    first, _, rest = name.partition(".")
    origin = imported.get(first)
    if origin is None:
        return None
    return CONSTRUCTORS.get(f"{origin}.{rest}" if rest else origin)


def _made_inside(node: ast.FunctionDef, imported: dict[str, str]) -> tuple[str, str] | None:
    local = dict(imported)
    for inner in ast.walk(node):
        if isinstance(inner, ast.ImportFrom) and not inner.level:
            for alias in inner.names:
                local[alias.asname or alias.name] = f"{inner.module}.{alias.name}"
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and (made := _constructed(inner, local)):
            return made
    return None


def _django(app_dir: Path) -> DjangoFacts | None:
    for directory in _manage_directories(app_dir):
        tree = _parse(app_dir / directory / "manage.py")
        settings = _settings_module(tree) if tree else None
        if settings is None:
            continue
        root = app_dir / directory
        wsgi, asgi = _django_targets(root, settings)
        return DjangoFacts(
            directory="" if directory == "." else directory,
            settings=settings,
            wsgi=wsgi,
            asgi=asgi,
        )
    return None


def _manage_directories(app_dir: Path) -> Iterator[str]:
    level = [app_dir]
    for _ in range(_MANAGE_DEPTH + 1):
        for directory in level:
            if (directory / "manage.py").is_file():
                yield directory.relative_to(app_dir).as_posix()
        level = [child for directory in level for child in _directories(directory)]
        level = level[:_MAX_DIRECTORIES]


def _settings_module(tree: ast.Module) -> str | None:
    """The value that manage.py gives to DJANGO_SETTINGS_MODULE."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) == 2:
            name, value = node.args
            if (
                isinstance(name, ast.Constant)
                and name.value == "DJANGO_SETTINGS_MODULE"
                and isinstance(value, ast.Constant)
                and isinstance(value.value, str)
            ):
                return value.value
    return None


def _django_targets(root: Path, settings: str) -> tuple[str | None, str | None]:
    """WSGI and ASGI targets: what the settings name, else the modules beside them."""
    found: dict[str, str | None] = {"WSGI_APPLICATION": None, "ASGI_APPLICATION": None}
    base = root.joinpath(*settings.split("."))
    candidates = [base.with_suffix(".py"), base / "__init__.py", base.parent / "base.py"]
    candidates += [base / "base.py"]
    for path in candidates:
        tree = _parse(path)
        for node in _top_level(tree.body) if tree else ():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                for target in node.targets:
                    value = node.value.value
                    if isinstance(target, ast.Name) and target.id in found and value:
                        found[target.id] = found[target.id] or _target(str(value))
    package = settings.rpartition(".")[0]
    for name, module in (("WSGI_APPLICATION", "wsgi"), ("ASGI_APPLICATION", "asgi")):
        parent = package
        while found[name] is None and parent:
            if root.joinpath(*parent.split("."), f"{module}.py").is_file():
                found[name] = f"{parent}.{module}:application"
            parent = parent.rpartition(".")[0]
    return found["WSGI_APPLICATION"], found["ASGI_APPLICATION"]


def _target(dotted: str) -> str | None:
    if not re.fullmatch(r"\w+(\.\w+)+", dotted):
        return None
    module, _, name = dotted.rpartition(".")
    return f"{module}:{name}"
