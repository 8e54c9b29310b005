"""Who may import what: read from the syntax trees of src/."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent.parent / "src"

# Decisions over data: no files, processes, network, clock or environment.
PURE = (
    "python_buildpack.app_steps.environment",
    "python_buildpack.app_steps.collectstatic_causes",
    "python_buildpack.describe.components",
    "python_buildpack.describe.cyclonedx",
    "python_buildpack.packages.distribution",
    "python_buildpack.errors",
    "python_buildpack.hints",
    "python_buildpack.launch.environment",
    "python_buildpack.launch.inferred",
    "python_buildpack.launch.processes",
    "python_buildpack.layers",
    "python_buildpack.describe.licences",
    "python_buildpack.managers.declaration",
    "python_buildpack.app.module_scope",
    "python_buildpack.app_steps.nltk_index",
    "python_buildpack.plan",
    "python_buildpack.launch.procfile",
    "python_buildpack.redact",
    "python_buildpack.launch.server_commands",
    "python_buildpack.launch.servers",
    "python_buildpack.describe.report",
    "python_buildpack.settings",
    "python_buildpack.describe.spdx",
    "python_buildpack.describe.summary",
    "python_buildpack.runtime.poetry_constraint",
    "python_buildpack.runtime.version_syntax",
    "python_buildpack.runtime.versions",
)
INSTALLERS = ("installer", "uv_installer", "pip_installer", "kept_wheels", "hash_checking")
IMPURE_MODULES = frozenset(
    [
        *("io", "os", "pathlib", "random", "shutil", "socket", "subprocess", "sys", "tempfile"),
        *("time", "urllib.request", "requests"),
        *(f"cnb.{name}" for name in ("bindings", "build", "detect", "store", "target", "toml")),
        *(f"python_buildpack.{name}" for name in ("execute", "fetch", "log", "main", "run")),
        *(f"python_buildpack.{name}" for name in ("lent_python", "make_python", "make_venv")),
        "python_buildpack.workshop",
        *(f"python_buildpack.runtime.{name}" for name in ("archive", "contents")),
        *(f"python_buildpack.packages.{name}" for name in (*INSTALLERS, "tools", "venv")),
    ]
)
# Copied into the image, where they run alone: they import nothing of ours and see its environment.
IN_THE_IMAGE = "python_buildpack.in_image."
START_PROCESSES = frozenset(
    [
        *("subprocess", "multiprocessing"),
        *(f"os.{name}" for name in ("system", "popen", "fork", "posix_spawn", "posix_spawnp")),
    ]
)


def module_name(path: Path) -> str:
    """`src/cnb/build.py` is `cnb.build`."""
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(SRC.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse(MODULES[module].read_bytes())


def imported(module: str) -> Iterator[tuple[str, str]]:
    """Every import, in functions too: the module, and the name taken from it ('' for all of it)."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            yield from ((node.module, alias.name) for alias in node.names)


def imports(module: str) -> set[str]:
    """The modules that are imported; `from a import b` counts as `a` and, if it is one, `a.b`."""
    found = set()
    for name, member in imported(module):
        found |= {name, f"{name}.{member}"} if f"{name}.{member}" in MODULES else {name}
    return found


def dotted(module: str) -> set[str]:
    """Every `a.b` that is mentioned, `from a import b` included."""
    mentioned = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return mentioned | {f"{name}.{member}" for name, member in imported(module)}


def test_the_walk_sees_imports_within_functions() -> None:
    """The rules below would be worth nothing otherwise."""
    assert "requests" in imports("python_buildpack.fetch")
    assert "python_buildpack.fetch" in imports("python_buildpack.runtime.releases")
    assert "python_buildpack.errors" in imports("python_buildpack.runtime.versions")
    assert set(PURE) <= set(MODULES)
    ours = {name for name in IMPURE_MODULES if name.startswith(("python_buildpack.", "cnb."))}
    assert ours <= set(MODULES)


def test_the_binding_knows_nothing_of_the_buildpack() -> None:
    """`cnb` could be published by itself."""
    for module in MODULES:
        if module.split(".")[0] == "cnb":
            assert not {n for n in imports(module) if n.split(".")[0] == "python_buildpack"}, module


@pytest.mark.parametrize("module", PURE)
def test_decisions_do_no_io(module: str) -> None:
    """Pure modules import nothing that touches the world, and no reader or writer of cnb."""
    assert not imports(module) & IMPURE_MODULES
    touching = {
        f"{name}.{member}"
        for name, member in imported(module)
        if name.split(".")[0] == "cnb" and member.startswith(("read_", "write_"))
    }
    assert not touching
    called = {
        node.func.id
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input", "exec", "eval"}


def test_one_module_starts_processes() -> None:
    """run.py; what runs in the image replaces itself by the app (os.exec*) and starts nothing.

    compile_script.py is a program by itself, which run.py starts and which divides itself.
    """
    starting = {
        module
        for module in MODULES
        if imports(module) & START_PROCESSES or dotted(module) & START_PROCESSES
    }
    assert starting == {"python_buildpack.run", "python_buildpack.compile_script"}
    replacing = {
        module for module in MODULES if any(name.startswith("os.exec") for name in dotted(module))
    }
    assert replacing == {"python_buildpack.in_image.launch_wrapper"}


def test_one_module_speaks_to_the_network() -> None:
    """fetch.py."""
    clients = {"requests", "urllib3", "urllib.request", "http.client", "socket", "ftplib"}
    assert {m for m in MODULES if imports(m) & clients} == {"python_buildpack.fetch"}


def test_the_environment_is_read_in_one_place() -> None:
    """The launcher of detect and build hands it on; programs in the image have their own."""
    names = {"os.environ", "os.getenv", "os.environb", "os.putenv"}
    reading = {module for module in MODULES if dotted(module) & names}
    in_image = {module for module in reading if module.startswith(IN_THE_IMAGE)}
    assert reading - in_image == {"python_buildpack.__main__"}


def test_programs_of_the_image_stand_alone() -> None:
    """They are copied as single files."""
    for module in MODULES:
        if module.startswith(IN_THE_IMAGE):
            ours = {n for n in imports(module) if n.split(".")[0] in ("cnb", "python_buildpack")}
            assert not ours, module


def test_managers_only_read() -> None:
    """A package manager's module starts no process and asks no network: others carry out."""
    forbidden = {
        *(f"python_buildpack.{name}" for name in ("run", "fetch", "execute")),
        *(f"python_buildpack.packages.{name}" for name in (*INSTALLERS, "tools")),
    }
    for module in MODULES:
        if module.startswith("python_buildpack.managers"):
            assert not imports(module) & forbidden, module


def test_users_errors_are_made_in_one_module() -> None:
    """errors.py holds every text; the class itself is raised nowhere else."""
    for module in MODULES:
        if module == "python_buildpack.errors":
            continue
        made = {
            ast.unparse(node.func)
            for node in ast.walk(tree(module))
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("UserError")
        }
        assert not made, module


def imported_at_start(module: str) -> set[str]:
    """The modules that importing this one imports, ours followed to the end."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for node in tree(name).body if name in MODULES else ():
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                members = [f"{node.module}.{alias.name}" for alias in node.names]
                waiting += [node.module, *(member for member in members if member in MODULES)]
    return found


def test_a_build_that_changes_nothing_imports_no_installer() -> None:
    """What makes, lends or describes a new layer, or reads a lock, is imported where it is used."""
    start = imported_at_start("python_buildpack.main")
    assert {"python_buildpack.execute", "python_buildpack.app_steps.prepare_app"} <= start
    later = {
        *(
            f"python_buildpack.{n}"
            for n in ("kept_trees", "lent_python", "make_python", "make_venv")
        ),
        *(f"python_buildpack.app.{n}" for n in ("facts", "meanings", "module_scope")),
        *(f"python_buildpack.app_steps.{n}" for n in ("collectstatic", "django_static")),
        *(f"python_buildpack.app_steps.{n}" for n in ("nltk_index", "transient")),
        *(f"python_buildpack.describe.{n}" for n in ("components", "sbom", "sizes")),
        *(f"python_buildpack.launch.{n}" for n in ("environment", "inferred", "servers")),
        *(
            f"python_buildpack.managers.{n}_reader"
            for n in ("pdm", "pip", "pipenv", "poetry", "uv")
        ),
        *(
            f"python_buildpack.managers.{n}"
            for n in ("lock_fields", "pinned_lines", "python_spans")
        ),
        *(f"python_buildpack.packages.{n}" for n in ("app_indexes", "index_access", *INSTALLERS)),
        *(f"python_buildpack.packages.{n}" for n in ("index_pins", "resolution", "venv")),
        *(f"python_buildpack.runtime.{n}" for n in ("archive", "contents", "poetry_constraint")),
    }
    assert later <= set(MODULES)
    assert not start & later
    assert not start & {
        *("requests", "zipfile", "tarfile", "email.parser", "tomli_w", "traceback"),
        *("base64", "calendar", "configparser", "csv", "gzip", "platform", "random", "shutil"),
        *("tempfile", "packaging.markers", "packaging.specifiers", "packaging.utils"),
    }


def test_nothing_is_imported_in_a_circle() -> None:
    """Imports at the top of modules have one direction."""
    top = {
        module: {
            name if f"{name}.{member}" not in MODULES else f"{name}.{member}"
            for node in tree(module).body
            if isinstance(node, ast.ImportFrom) and node.module
            for name, member in ((node.module, alias.name) for alias in node.names)
        }
        & set(MODULES)
        for module in MODULES
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for name in sorted(top[module]):
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())
