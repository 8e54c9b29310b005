"""What the app's own modules say about how it is served: read from their syntax trees.

Decides nothing: `launch` chooses among what is found here, by what is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from python_buildpack.app.django_project import DjangoFacts, read_django
from python_buildpack.app.files import AppFiles
from python_buildpack.app.meanings import SCRIPT, Meaning, Meanings
from python_buildpack.app.module_scope import Class, Function, Scope
from python_buildpack.app.sources import AppSources, join

_ENTRY_NAMES = ("wsgi", "asgi", "app", "main", "application", "server", "api", "run", "index")
_OBJECTS = ("app", "application", "api", "server", "asgi", "wsgi", "asgi_app", "wsgi_app")
_WRAPPED = frozenset(_OBJECTS) - {"api", "server"}
_FACTORIES = (
    *("create_app", "make_app", "build_app", "get_app", "app_factory"),
    *("create_application", "get_application"),
)
# Folders whose applications are seldom the one to serve: they are looked at last.
_ASIDE = frozenset(
    ("demo", "demos", "example", "examples", "mock", "mocks", "sample", "samples", "scripts")
)
_SCRIPT_NAMES = ("streamlit_app", "gradio_app", "app", "main", "Home", "home", "index", "demo")
_MAX_SCRIPTS = 100


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application object, a factory that makes one, or a script.

    `framework` is a distribution's name, `path` the file that says so. `working_dir` is where to
    start it, `import_dir` what must be on the module path for `module` to be found. All paths are
    relative to the app's root, which is on the module path anyway. `uses` are the top-level
    modules that its own imports. `has_socket_io`: python-socketio's server is around it.
    """

    framework: str
    interface: str
    path: str
    module: str = ""
    name: str = ""
    is_factory: bool = False
    working_dir: str = ""
    import_dir: str = ""
    uses: frozenset[str] = frozenset()
    has_socket_io: bool = False

    @property
    def top(self) -> str:
        """The top-level module, or folder, that holds it."""
        return self.path.removeprefix(f"{self.import_dir}/").split("/")[0].removesuffix(".py")

    def is_related(self, other: Application) -> bool:
        """Whether one is made of the other, as by a `wsgi.py` that imports it."""
        return self.top in (other.top, *other.uses) or other.top in self.uses

    @property
    def target(self) -> str:
        """As servers take it."""
        return f"{self.module}:{self.name}"


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """Everything found, the likeliest first.

    `scripts` are the project's own console scripts, which exist once `project` is installed.
    `unread` are modules that could not be parsed by `python`, the version that runs the buildpack.
    """

    applications: tuple[Application, ...] = ()
    django: DjangoFacts | None = None
    project: str = ""
    scripts: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    python: str = f"{sys.version_info[0]}.{sys.version_info[1]}"


def read_app_facts(
    files: AppFiles, django_settings: str = "", installed: Collection[str] = ()
) -> AppFacts:
    """Read the modules that are named like an entry point. Never raises for what they hold.

    `django_settings` is the environment's DJANGO_SETTINGS_MODULE, `installed` are the
    distributions' PEP 503 names.
    """
    sources = AppSources(files.root, installed, files.top)
    project, scripts = _project_scripts(files)
    applications: list[Application] = []
    for entries in _entries(sources, project):
        found = [one for entry in entries for one in _module_applications(sources, entry)]
        # An object beats a factory beside it, but not one of a likelier place.
        applications += sorted(found, key=lambda one: one.is_factory)
    applications += _script_applications(sources, {one.path for one in applications})
    django = read_django(sources, django_settings)
    return AppFacts(
        applications=tuple(applications),
        django=django,
        project=project,
        scripts=scripts,
        unread=tuple(sources.unread),
    )


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A module that is named like an entry point, and how it is imported."""

    path: str
    module: str
    working_dir: str = ""
    import_dir: str = ""


def _entries(sources: AppSources, project: str) -> Iterator[list[_Entry]]:
    """Those of the root, then those of each top folder, the likeliest first."""
    yield [_Entry(path=f"{name}.py", module=name) for name in _entry_names(sources, "")]
    tops = [(base, folder) for base in ("", "src") for folder in sources.packages(base)]
    for base, folder in sorted(tops, key=lambda one: _place(sources, one[1], project)):
        entries = [*_package_entries(sources, folder, base)]
        if sources.has(f"{folder}/__init__.py"):
            for inner in sources.packages(folder):
                entries += _package_entries(sources, inner, base)
        yield entries


def _place(sources: AppSources, folder: str, project: str) -> int:
    name = folder.rpartition("/")[2].lower()
    if folder == "src" or name.replace("_", "-") == project:
        return 0
    if name in _ASIDE:
        return 3
    return 1 if sources.has(f"{folder}/__init__.py") else 2


def _entry_names(sources: AppSources, folder: str) -> Iterator[str]:
    for name in _ENTRY_NAMES:
        path = join(folder, name)
        # Python imports the package, where there are both.
        if sources.has(f"{path}.py") and not sources.has(f"{path}/__init__.py"):
            yield name


def _package_entries(sources: AppSources, folder: str, base: str) -> Iterator[_Entry]:
    package = folder.removeprefix(f"{base}/" if base else "").replace("/", ".")
    for name in _entry_names(sources, folder):
        path = f"{folder}/{name}.py"
        if _is_run_from_within(sources, path, package, folder):
            yield _Entry(path=path, module=name, working_dir=folder)
        else:
            yield _Entry(path=path, module=f"{package}.{name}", import_dir=base)
    if sources.has(f"{folder}/__init__.py"):
        yield _Entry(path=f"{folder}/__init__.py", module=package, import_dir=base)


def _is_run_from_within(sources: AppSources, path: str, package: str, folder: str) -> bool:
    """Whether a module imports its siblings by their bare names, as if started beside them."""
    scope = sources.scope(path, package)
    if scope is None or scope.is_relative:
        return False
    if package.split(".")[0] in scope.tops:
        return False
    tops = {name for name in scope.tops if not _is_foreign(sources, name, package, folder)}
    files, folders = sources.listing(folder)
    root_files, root_folders = sources.listing("")
    beside = {name for name in tops if f"{name}.py" in files or name in folders}
    at_root = {name for name in tops if f"{name}.py" in root_files or name in root_folders}
    return folder == "src" or bool(beside - at_root)


def _is_foreign(sources: AppSources, name: str, package: str, folder: str) -> bool:
    """Whether `import name` cannot mean the sibling: `celery.py` is about the package celery."""
    sibling = sources.scope(f"{folder}/{name}.py", package)
    imports_itself = sibling is not None and name in sibling.tops
    is_installed = name.lower().replace("_", "-") in sources.installed
    return imports_itself or is_installed or name in sys.stdlib_module_names


def _module_applications(sources: AppSources, entry: _Entry) -> Iterator[Application]:
    is_package = entry.path.endswith("__init__.py")
    package = entry.module if is_package else entry.module.rpartition(".")[0]
    scope = sources.scope(entry.path, package)
    if scope is None:
        return
    known = Meanings(sources, tuple(dict.fromkeys((entry.working_dir, "", "src"))))
    names = [
        name
        for name in (*_OBJECTS, *_FACTORIES)
        if name in scope.values or name in scope.imports or scope.stars
    ]
    names += [
        name
        for name, values in scope.values.items()
        if name not in names and not isinstance(values[-1], (Function, Class))
    ]
    found = [(name, meaning) for name in names if (meaning := known.of_name(name, scope))]
    for name, meaning in _likeliest_first(found):
        if not meaning.is_served:
            continue
        is_factory = meaning.kind == "factory"
        if is_factory and name not in _FACTORIES:
            continue
        # `api = Api(app)` is an extension; `app = Middleware(app)` is what to serve.
        if meaning.is_wrapped and name not in _WRAPPED:
            continue
        yield Application(
            framework=meaning.framework,
            interface=meaning.interface,
            path=entry.path,
            module=entry.module,
            name=name,
            is_factory=is_factory,
            working_dir=entry.working_dir,
            import_dir=entry.import_dir or sources.way_out(scope.modules),
            uses=scope.tops,
            has_socket_io=meaning.has_socket_io,
        )


def _likeliest_first(found: Sequence[tuple[str, Meaning]]) -> list[tuple[str, Meaning]]:
    """Doubtful ones last; what adds Socket.IO to others just before them, whatever its name."""
    places = {name: place for place, (name, _) in enumerate(found)}

    def key(one: tuple[str, Meaning]) -> tuple[bool, int, int]:
        name, meaning = one
        inner = meaning.made_of & places.keys() if meaning.has_socket_io else frozenset[str]()
        return meaning.is_doubtful, min(places[name] for name in (name, *inner)), -len(inner)

    return sorted(found, key=key)


def _script_applications(sources: AppSources, taken: set[str]) -> Iterator[Application]:
    """Scripts in the root that Streamlit is to run, or that launch a Gradio interface."""
    names = sources.listing("")[0]
    usual = [f"{name}.py" for name in _SCRIPT_NAMES if f"{name}.py" in names]
    scopes: dict[str, Scope] = {}
    for path in (*usual, *sorted(names - set(usual))[:_MAX_SCRIPTS]):
        if path in taken or path.startswith("test_") or path == "conftest.py":
            continue
        # Parsing every script would cost more than a look at its bytes.
        if path in usual or any(word in sources.data(path) for word in (b"streamlit", b"gradio")):
            scope = sources.scope(path, "")
            if scope is not None:
                scopes[path] = scope
    found = {
        path: framework
        for path, scope in scopes.items()
        if (framework := _script_framework(scope, scope.tops))
    }
    for path in usual:
        if path in scopes and path not in found:
            # It may leave the framework to a module that it imports.
            inner = [scopes[f"{top}.py"].tops for top in scopes[path].tops if f"{top}.py" in scopes]
            if framework := _script_framework(scopes[path], frozenset().union(*inner)):
                found[path] = framework
    imported = {
        f"{top}.py" for path, scope in scopes.items() for top in scope.tops if f"{top}.py" != path
    }
    for path in [path for path in found if path not in imported] or found:
        yield Application(
            framework=found[path], interface=SCRIPT, path=path, uses=scopes[path].tops
        )


def _script_framework(scope: Scope, tops: frozenset[str]) -> str:
    if "gradio" in tops and "launch" in scope.methods:
        return "gradio"
    return "streamlit" if "streamlit" in tops else ""


def _project_scripts(files: AppFiles) -> tuple[str, tuple[str, ...]]:
    """The project's name (PEP 503) and its console scripts, of `[project]` or of Poetry's table."""
    if "pyproject.toml" not in files.names:
        return "", ()
    document = files.toml("pyproject.toml")
    project = _table(document, "project")
    poetry = _table(_table(document, "tool"), "poetry")
    name = project.get("name", poetry.get("name"))
    scripts = {**_table(poetry, "scripts"), **_table(project, "scripts")}
    usable = tuple(key for key, value in scripts.items() if isinstance(value, (str, dict)))
    if not isinstance(name, str):
        return "", usable
    from packaging.utils import canonicalize_name

    return canonicalize_name(name), usable


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}
