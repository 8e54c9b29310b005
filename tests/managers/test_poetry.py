"""poetry.lock: the buildpack installs what `poetry sync` installs, and knows a stale lock."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from importlib.metadata import Distribution as Installed
from pathlib import Path

import pytest
from tests.managers.conftest import (
    SERVER,
    AppTool,
    Builder,
    Built,
    answer,
    assert_same_installation,
    checked_run,
    compare,
    distributions,
    names,
    reads,
    write_files,
)
from tests.managers.market import Market, write_libraries
from tests.managers.wheel_factory import Distribution, write_sdist, write_wheel

from local_platform import Workspace
from python_buildpack.managers import poetry as reader

SOURCE = '[[tool.poetry.source]]\nname = "main"\nurl = "{url}"\npriority = "primary"\n'
# What Poetry 1.2 calls the same.
OLD_SOURCE = SOURCE.replace('priority = "primary"', "default = true")


class Poetry(AppTool):
    """A Poetry, on one app. `installing` is the one that installs its locks."""

    def __init__(
        self, command: Path, author: Path, app: Path, home: Path, installing: Path | None = None
    ) -> None:
        variables = {
            "POETRY_CACHE_DIR": str(home / "cache"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "NO_COLOR": "1",
        }
        super().__init__(command, author, app, home, variables)
        self.installing = installing or command

    def lock(self, **variables: str) -> None:
        """`poetry lock`, as the app's author runs it."""
        self.run(self.author, "lock", **variables)

    def is_fresh(self) -> bool:
        """What `poetry check --lock` says of the lock, whatever it says of the manifest."""
        done = self.ask("check", "--lock")
        return "poetry.lock was last generated" not in done.stdout + done.stderr

    def sync(self, venv: Path, *options: str, **variables: str) -> None:
        """`poetry sync`, as users run it for production, into `venv`; older ones' `install`."""
        environ = {**self.environ, "VIRTUAL_ENV": str(venv), **variables}
        words = ["install", "--sync"] if "poetry-1" in str(self.installing) else ["sync"]
        words += options or ("--only", "main")
        checked_run([self.installing, *words], env=environ, cwd=self.app)


@pytest.fixture
def poetry_of(
    tool: Callable[[str], Path], author: Path, app: Path, build: Builder, workplace: Path
) -> Callable[[str], Poetry]:
    """`poetry_of("1.8")`: that Poetry, on this test's app."""

    def make(version: str) -> Poetry:
        name = f"poetry-{version}" if version else "poetry"
        # Poetry 1.2 installs its locks as 1.8 does, but takes half a minute.
        installing = tool("poetry-1.8") / "poetry" if version == "1.2" else None
        return Poetry(tool(name) / "poetry", author, app, workplace / "home", installing)

    return make


@pytest.fixture
def poetry(poetry_of: Callable[[str], Poetry]) -> Poetry:
    """The newest Poetry, on this test's app."""
    return poetry_of("")


def manifest(market: Market, text: str, *, source: str = SOURCE) -> str:
    """A pyproject.toml with the loopback index in the public one's place."""
    return f"{text}\n{source.format(url=market.index.url)}"


PACKAGE = """[tool.poetry]
name = "shop"
version = "1.0"
description = ""
authors = []
"""
APP = PACKAGE + "package-mode = false\n"
EVERYTHING = """[tool.poetry.dependencies]
python = ">=3.8,<4"
web = {version = "*", extras = ["fast"]}
driver = "*"
win-only = {version = "*", markers = "sys_platform == 'win32'"}
old-only = {version = "*", python = "<3.10"}
forked = [{version = "1.0", python = "<3.10"}, {version = "2.0", python = ">=3.10"}]
cache = {version = "*", optional = true}
"Zope.Thing" = "^1.0"
[tool.poetry.extras]
Quick = ["cache"]
[tool.poetry.group.dev.dependencies]
tester = "*"
[tool.poetry.group.docs]
optional = true
[tool.poetry.group.docs.dependencies]
writer = "*"
base = "1.5"
"""
PACKAGES = {"web", "base", "ring", "deep", "speedup", "driver", "forked", "zope_thing"}


@pytest.mark.parametrize("version", ["", "1.8", "1.2"])
def test_app_with_everything(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    poetry_of: Callable[[str], Poetry],
    app: Path,
    version: str,
) -> None:
    """Markers, extras, forks, many platforms' wheels, an sdist, groups; locks of three Poetrys."""
    poetry = poetry_of(version)
    source = OLD_SOURCE if version == "1.2" else SOURCE
    write_files(app, {"pyproject.toml": manifest(market, PACKAGE + EVERYTHING, source=source)})
    poetry.lock()
    # Poetry 1.2 does not know package-mode; it is not part of what is locked.
    write_files(app, {"pyproject.toml": manifest(market, APP + EVERYTHING, source=source)})
    lock_format = {"": "2.1", "1.8": "2.0", "1.2": "1.1"}[version]
    assert f'lock-version = "{lock_format}"' in (app / "poetry.lock").read_text()
    for variables, options, more in (
        ({}, ("--only", "main"), set()),
        ({"BP_PYTHON_EXTRAS": "quick"}, ("--only", "main", "-E", "Quick"), {"cache"}),
        ({"BP_PYTHON_GROUPS": "dev docs"}, ("--with", "dev,docs"), {"tester", "writer"}),
    ):
        built = build(app, **variables).passed()
        assert names(built.venv) == PACKAGES | more
        compare(built, empty_venv, poetry.sync, *options)


def test_every_kind_of_source(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    poetry: Poetry,
    app: Path,
) -> None:
    """Git, a URL, a wheel and a directory in the app, an editable one: all as Poetry has them."""
    wheel = write_libraries(app)
    dependencies = f"""[tool.poetry.dependencies]
python = ">=3.8,<4"
by-git = {{git = "{market.repository}", branch = "main"}}
by-url = {{url = "{market.sdist_url}"}}
plain = {{path = "libs/plain"}}
live = {{path = "libs/live", develop = true}}
kept = {{path = "wheels/{wheel}"}}
"""
    write_files(app, {"pyproject.toml": manifest(market, APP + dependencies)})
    poetry.lock()
    built = build(app).passed()
    assert names(built.venv) == {
        "by_git", "by_url", "plain", "live", "kept", "base", "ring", "deep", "cache",
    }  # fmt: skip
    assert "by-git (from version control)" in built.log
    compare(built, empty_venv, poetry.sync)
    # The editable one's code is no input; the other's is.
    (app / "libs" / "live" / "src" / "live.py").write_text("version = '2'\n")
    assert "Reusing packages" in build(app, keep=True).passed().log
    (app / "libs" / "plain" / "src" / "plain.py").write_text("version = '2'\n")
    assert "libs/plain changed" in build(app, keep=True).passed().log


def test_several_sources(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    poetry: Poetry,
    app: Path,
) -> None:
    """A package comes from its own source, even where the first one has the same version of it."""
    text = f"""[project]
name = "shop"
version = "1.0"
requires-python = ">=3.10,<4"
dependencies = ["base==1.0", "both", "secret", "writer"]
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
both = {{source = "our-own"}}
secret = {{source = "our-own"}}
[[tool.poetry.source]]
name = "our-own"
url = "{market.private.url}"
priority = "explicit"
"""
    write_files(app, {"pyproject.toml": manifest(market, text)})
    variables = {
        "POETRY_HTTP_BASIC_OUR_OWN_USERNAME": market.private.user,
        "POETRY_HTTP_BASIC_OUR_OWN_PASSWORD": market.private.password,
    }
    poetry.lock(**variables)
    built = build(app, BP_LOG_LEVEL="debug", **variables).passed()
    assert market.private.password not in built.log
    assert distributions(built.venv) == {"base-1.0", "secret-1.0", "both-1.0", "writer-1.0"}
    both = next(built.venv.glob("lib/*/site-packages/both.py"))
    assert both.read_text() == "version = 'ours'\n"
    compare(built, empty_venv, poetry.sync, **variables)
    refused = build(app, **{**variables, "POETRY_HTTP_BASIC_OUR_OWN_PASSWORD": "wr0ng-pass"})
    assert refused.code == 1
    assert f"The index {market.private.url.rstrip('/')} refused" in refused.log, refused.log
    assert "wr0ng-pass" not in refused.log


STANDARD = """[project]
name = "shop"
version = "1.0"
requires-python = ">=3.10,<4"
dependencies = ["web[fast]>=1", "win-only; sys_platform == 'win32'"]
[project.scripts]
shop = "shop:main"
[project.optional-dependencies]
pg = ["driver", "cache; python_version > '3.6'"]
[dependency-groups]
docs = ["writer", {include-group = "theme"}]
theme = ["theme"]
[tool.poetry.group.old.dependencies]
tester = "*"
"""
# The backend that Poetry itself builds with; it is in Poetry's own environment.
BACKEND = '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
LAYOUT = '[tool.poetry]\npackages = [{ include = "shop.py", from = "src" }]\n'


@pytest.fixture(scope="session")
def with_backend(market: Market, tool: Callable[[str], Path], shelter: Path) -> Market:
    """The market, which sells Poetry's build backend too."""
    (site,) = (tool("poetry").parent / "lib").glob("python3*/site-packages")
    (info,) = site.glob("poetry_core-*.dist-info")
    version = info.name.removesuffix(".dist-info").partition("-")[2]
    wheel = shelter / f"poetry_core-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in Installed.at(info).files or ():
            if file.suffix != ".pyc" and ".." not in file.parts:
                archive.write(site / file, str(file))
    market.index.add(wheel)
    return market


@pytest.mark.parametrize("package_mode", [True, False])
def test_standard_project(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    with_backend: Market,
    poetry: Poetry,
    app: Path,
    package_mode: bool,
) -> None:
    """[project] and PEP 735 groups, as a package with a console script, and as no package."""
    mode = "" if package_mode else "[tool.poetry]\npackage-mode = false\n"
    text = manifest(with_backend, STANDARD + BACKEND + (LAYOUT if package_mode else mode))
    write_files(app, {"pyproject.toml": text, "src/shop.py": SERVER})
    poetry.lock()
    for variables, options, more in (
        ({}, ("--without", "docs,theme,old"), set()),
        ({"BP_PYTHON_EXTRAS": "pg", "BP_PYTHON_GROUPS": "docs"},
         ("-E", "pg", "--without", "theme,old"), {"driver", "cache", "writer", "theme"}),
    ):  # fmt: skip
        built = build(app, **variables).passed()
        wanted = {"web", "base", "ring", "deep", "speedup", *more}
        assert names(built.venv) == wanted | ({"shop"} if package_mode else set())
        assert (built.venv / "bin" / "shop").exists() is package_mode
        venv = empty_venv(built)
        poetry.sync(venv, *options)
        # The path to the project's code: one name is Poetry's, the other its backend's.
        assert_same_installation(built.venv, venv, ["shop.pth"])


def test_without_build_system(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    with_backend: Market,
    poetry: Poetry,
    app: Path,
) -> None:
    """Poetry builds such a project itself, whatever directories lie beside it; its file stays."""
    text = PACKAGE + '[tool.poetry.dependencies]\npython = ">=3.10,<4"\nwriter = "*"\n'
    text = manifest(with_backend, text + '[tool.poetry.scripts]\nshop = "shop:main"').rstrip()
    files = {"shop/__init__.py": SERVER, "migrations/a.py": "", "static/a.css": ""}
    write_files(app, {"pyproject.toml": text, **files})
    poetry.lock()
    os.utime(app / "pyproject.toml", (1, 1))
    before = set(app.rglob("*"))
    built = build(app).passed()
    assert "pyproject.toml has no [build-system]: poetry-core builds the project" in built.log
    assert names(built.venv) == {"shop", "writer"}
    assert (built.venv / "bin" / "shop").exists()
    compare(built, empty_venv, poetry.sync)
    assert (app / "pyproject.toml").read_text() == text
    assert (app / "pyproject.toml").stat().st_mtime == 1
    assert {path for path in app.rglob("*") if "__pycache__" not in path.parts} == before
    assert "Reusing packages" in build(app, keep=True).passed().log

    # Whatever happens in between.
    with_backend.index.files["poetry-core"], kept = {}, with_backend.index.files["poetry-core"]
    try:
        failed = build(app)
    finally:
        with_backend.index.files["poetry-core"] = kept
    assert failed.code == 1
    assert "poetry-core" in failed.log
    assert (app / "pyproject.toml").read_text() == text
    assert {path for path in app.rglob("*") if "__pycache__" not in path.parts} == before


def test_its_own_notation_in_requires_python(
    build: Builder, with_backend: Market, poetry: Poetry, app: Path
) -> None:
    """Poetry takes `^3.10` there, so it is built, with a warning that has what all tools take."""
    text = manifest(with_backend, STANDARD.replace(">=3.10,<4", "^3.10") + BACKEND + LAYOUT)
    write_files(app, {"pyproject.toml": text, "src/shop.py": SERVER})
    poetry.lock()
    built = build(app).passed()
    assert names(built.venv) == {"web", "base", "ring", "deep", "speedup", "shop"}
    assert "^3.10 is Poetry's notation" in built.log
    assert 'requires-python = ">=3.10,<4"' in built.log
    assert (app / "pyproject.toml").read_text() == text
    (info,) = built.venv.rglob("shop-1.0.dist-info/METADATA")
    assert "Requires-Python: >=3.10,<4\n" in info.read_text()


@pytest.mark.parametrize("package_mode", [True, False])
def test_app_answers(
    space: Workspace, with_backend: Market, poetry: Poetry, app: Path, package_mode: bool
) -> None:
    """A src-layout package with a console script, and a script that is no package, serve when built
    by the real lifecycle."""
    if package_mode:
        text = STANDARD + BACKEND + LAYOUT
        files = {"src/shop.py": SERVER, "Procfile": "web: shop\n"}
    else:
        text = STANDARD + BACKEND + "[tool.poetry]\npackage-mode = false\n"
        files = {"serve.py": f"{SERVER}\nmain()\n", "Procfile": "web: python serve.py\n"}
    write_files(app, {"pyproject.toml": manifest(with_backend, text), **files})
    poetry.lock()
    shop = "shop==1.0 " if package_mode else ""
    assert answer(space, app) == f"base==1.5 deep==1.0 ring==1.0 {shop}speedup==1.0 web==1.0"


# A change of STANDARD (of EVERYTHING for OLD_CHANGES) -> (the old text, the new one, whether the lock is fresh).
CHANGES: Mapping[str, tuple[str, str, bool]] = {
    "a dependency": ('"web[fast]>=1"', '"web[fast]>=1", "cache"', False),
    "requires-python": ('">=3.10,<4"', '">=3.10,<3.15"', False),
    "an extra": ("pg = [", 'other = ["writer"]\npg = [', False),
    "a group of PEP 735": ('theme = ["theme"]', 'theme = ["theme>=1"]', False),
    "a group of Poetry's": ('tester = "*"', 'tester = ">=1"', False),
    "a new group": ("[tool.poetry.group.old", "[tool.poetry.group.new.dependencies]\n"
                    'cache = "*"\n[tool.poetry.group.old', False),
    "a source": ('name = "main"', 'name = "ours"', False),
    "the version": ('version = "1.0"', 'version = "2.0"', True),
    "a console script": ('shop = "shop:main"', 'store = "shop:main"', True),
    "package-mode": ("package-mode = false", "package-mode = true", True),
    "a linter": ("[project.scripts]", "[tool.ruff]\nline-length = 9\n[project.scripts]", True),
    "white space": ("dependencies = [", "dependencies = [  ", True),
    "a comment": ("[project]", "# ours\n[project]", True),
}  # fmt: skip
OLD_CHANGES: Mapping[str, tuple[str, str, bool]] = {
    "a dependency": ('driver = "*"', 'driver = ">=1"', False),
    "the Python": ('">=3.8,<4"', '">=3.9,<4"', False),
    "an extra": ('Quick = ["cache"]', 'quick = ["cache"]', False),
    "a group": ('writer = "*"', 'writer = ">=1"', False),
    "a group that is optional": ("optional = true\n[", "optional = false\n[", False),
    "a source": ('name = "main"', 'name = "ours"', False),
    "the version": ('version = "1.0"', 'version = "2.0"', True),
}


def check_changes(
    poetry: Poetry, app: Path, basis: str, changes: Mapping[str, tuple[str, str, bool]]
) -> None:
    """Make every change of a manifest that is locked, and ask Poetry and the buildpack."""
    path = app / "pyproject.toml"
    for change, (old, new, fresh) in changes.items():
        assert old in basis, change
        path.write_text(basis.replace(old, new, 1))
        assert poetry.is_fresh() is fresh, change
        assert reads(app, reader) is fresh, change


def test_freshness(market: Market, poetry: Poetry, app: Path) -> None:
    """Every change makes the lock stale for the buildpack where it does for Poetry."""
    text = manifest(market, STANDARD + "[tool.poetry]\npackage-mode = false\n")
    write_files(app, {"pyproject.toml": text})
    poetry.lock()
    check_changes(poetry, app, text, CHANGES)


def test_freshness_of_an_older_lock(
    market: Market, poetry_of: Callable[[str], Poetry], app: Path
) -> None:
    """The same for a lock of Poetry 1.8, and a manifest in Poetry's own tables."""
    poetry = poetry_of("1.8")
    text = manifest(market, APP + EVERYTHING)
    write_files(app, {"pyproject.toml": text})
    poetry.lock()
    check_changes(poetry, app, text, OLD_CHANGES)


def small(app: Path, market: Market, poetry: Poetry) -> Path:
    """An app with one dependency, and its lock; the manifest."""
    text = STANDARD.replace('"web[fast]>=1"', '"writer"')
    text = manifest(market, text + "[tool.poetry]\npackage-mode = false\n")
    write_files(app, {"pyproject.toml": text})
    poetry.lock()
    return app / "pyproject.toml"


def test_built_from_source(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    poetry: Poetry,
    app: Path,
    workplace: Path,
) -> None:
    """`installer.no-binary` of a poetry.toml: the sdist, though there is a wheel."""
    for write, text in ((write_wheel, "a wheel"), (write_sdist, "an sdist")):
        dist = Distribution(name="twofold", files={"twofold.py": f"WHAT = '{text}'\n"})
        market.index.add(write(dist, workplace / "files"))
    text = STANDARD.replace('"web[fast]>=1"', '"twofold"')
    text = manifest(market, text + "[tool.poetry]\npackage-mode = false\n")
    write_files(
        app, {"pyproject.toml": text, "poetry.toml": '[installer]\nno-binary = ["twofold"]\n'}
    )
    poetry.lock()
    built = build(app).passed()
    assert "an sdist" in next(built.venv.glob("lib/*/site-packages/twofold.py")).read_text()
    compare(built, empty_venv, poetry.sync)


def test_stale(build: Builder, market: Market, poetry: Poetry, app: Path) -> None:
    """A manifest that changed stops the build before any request; so does one that is missing."""
    path = small(app, market, poetry)
    path.write_text(path.read_text().replace('"writer"', '"writer", "cache"'))
    market.index.requests.clear()
    build(app).failed("lock-stale", "poetry.lock", "Run `poetry lock` and commit poetry.lock")
    assert market.index.requests == []
    path.unlink()
    build(app).failed("manifest-missing", "poetry.lock", "pyproject.toml")


def test_odd_locks(build: Builder, market: Market, poetry: Poetry, app: Path) -> None:
    """A lock that cannot be used is an error that names the place; nothing is installed."""
    small(app, market, poetry)
    lock = app / "poetry.lock"
    fresh = lock.read_text()
    writer = next(iter(market.index.files["writer"].values())).sha256
    for old, new, id, words in (
        ('lock-version = "2.1"', 'lock-version = "3.0"', "lock-version-unknown", "1.0 to 2.1"),
        ("[metadata]", "[metadata", "file-unreadable", "poetry.lock"),
        ('name = "writer"', "name = 7", "lock-malformed", "package["),
        ('version = "1.0"', 'version = "one"', "lock-malformed", "package["),
        ('hash = "sha256:', 'hash = "sha256:0000', "lock-malformed", "a hash that is none"),
        (writer, "0" * 64, "install-hash-mismatch", "writer"),
        ('type = "legacy"', 'type = "odd"', "lock-malformed", "].source.type"),
    ):
        assert old in fresh, old
        lock.write_text(fresh.replace(old, new))
        build(app).failed(id, words)
    lock.write_text(fresh)
    build(app, BP_PYTHON_GROUPS="nope").failed("dependency-group-unknown", "nope", "docs", "old")
    build(app, BP_PYTHON_EXTRAS="nope").failed("extra-unknown", "nope", "pg")
