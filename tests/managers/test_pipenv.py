"""Pipfile.lock: the buildpack installs what `pipenv sync` installs, and knows a stale lock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.managers.conftest import (
    SERVER,
    AppTool,
    Builder,
    Built,
    answer,
    compare,
    distributions,
    names,
    reads,
    write_files,
)
from tests.managers.market import Market, write_libraries
from tests.managers.wheel_factory import Distribution, write_source

from local_platform import Workspace
from python_buildpack.managers import pipenv as reader


class Pipenv(AppTool):
    """Pipenv, on one app."""

    def __init__(self, command: Path, author: Path, app: Path, home: Path) -> None:
        variables = {
            "PIPENV_CACHE_DIR": str(home / "cache"),
            "PIPENV_NOSPIN": "1",
            "PIPENV_VERBOSITY": "-1",
            "PIPENV_YES": "1",
            "NO_COLOR": "1",
        }
        super().__init__(command, author, app, home, variables)

    def lock(self, **variables: str) -> None:
        """`pipenv lock`, of all categories, as the app's author runs it."""
        categories = [
            name
            for name in re.findall(r"^\[([\w-]+)\]$", (self.app / "Pipfile").read_text(), re.M)
            if name not in ("packages", "dev-packages", "requires", "scripts", "pipenv")
        ]
        options = ["--categories", "packages dev-packages " + " ".join(categories)]
        self.run(self.author, "lock", *(options if categories else []), **variables)

    def is_fresh(self) -> bool:
        """What `pipenv verify` says of the lock."""
        return self.ask("verify").returncode == 0

    def sync(self, venv: Path, *options: str, **variables: str) -> None:
        """`pipenv sync`, as users run it for production, into `venv`."""
        self.run(venv, "sync", *options, **variables)


@pytest.fixture
def pipenv(
    tool: Callable[[str], Path], author: Path, app: Path, build: Builder, workplace: Path
) -> Pipenv:
    """Pipenv, on this test's app."""
    return Pipenv(tool("pipenv") / "pipenv", author, app, workplace / "home")


def pipfile(market: Market, text: str, *, more_sources: str = "") -> str:
    """A Pipfile with the loopback index as its first source."""
    url = market.index.url
    return f'[[source]]\nname = "main"\nurl = "{url}"\nverify_ssl = false\n{more_sources}\n{text}\n'


EVERYTHING = """[packages]
web = {version = "*", extras = ["fast"]}
driver = "*"
win-only = {version = "*", markers = "sys_platform == 'win32'"}
old-only = {version = "*", markers = "python_version < '3.11'"}
"Zope.Thing" = ">=1.0"
[dev-packages]
tester = "*"
[docs]
writer = "*"
theme = "*"
cache = "*"
[requires]
python_version = "MINOR"
"""
PACKAGES = {"web", "base", "ring", "deep", "speedup", "driver", "zope_thing"}


def test_app_with_everything(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    pipenv: Pipenv,
    app: Path,
) -> None:
    """Markers, extras of dependencies, wheels for many platforms, an sdist, categories."""
    minor = next((pipenv.author / "lib").iterdir()).name.removeprefix("python")
    write_files(app, {"Pipfile": pipfile(market, EVERYTHING.replace("MINOR", minor))})
    pipenv.lock()
    for groups, options, more in (
        ("", (), set()),
        ("dev", ("--dev",), {"tester"}),
        ("docs", ("--categories", "packages docs"), {"writer", "theme", "cache"}),
    ):
        built = build(app, BP_PYTHON_GROUPS=groups).passed()
        assert f"Python {minor}" in built.log
        assert "Pipfile.lock" in built.log.partition("\n")[0]
        assert names(built.venv) == PACKAGES | more
        compare(built, empty_venv, pipenv.sync, *options)


def test_every_kind_of_source(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    pipenv: Pipenv,
    app: Path,
) -> None:
    """Git, a URL, a wheel and a directory in the app, an editable one: all as Pipenv has them."""
    wheel = write_libraries(app)
    packages = f"""[packages]
by-git = {{git = "{market.repository}", ref = "main"}}
by-url = {{file = "{market.sdist_url}"}}
plain = {{path = "./libs/plain"}}
live = {{path = "./libs/live", editable = true}}
kept = {{path = "./wheels/{wheel}"}}
"""
    write_files(app, {"Pipfile": pipfile(market, packages)})
    pipenv.lock()
    built = build(app).passed()
    assert names(built.venv) == {
        "by_git", "by_url", "plain", "live", "kept", "base", "ring", "deep", "cache",
    }  # fmt: skip
    assert "by-git (from version control)" in built.log
    compare(built, empty_venv, pipenv.sync)
    # The editable one's code is no input; the other's is.
    (app / "libs" / "live" / "src" / "live.py").write_text("version = '2'\n")
    assert "Reusing packages" in build(app, keep=True).passed().log
    (app / "libs" / "plain" / "src" / "plain.py").write_text("version = '2'\n")
    assert "libs/plain changed" in build(app, keep=True).passed().log


def private_source(market: Market) -> str:
    """A second source whose credentials are in the environment."""
    return (
        '[[source]]\nname = "ours"\nverify_ssl = false\n'
        f'url = "http://${{OUR_USER}}:${{OUR_PASSWORD}}@{market.private.host}/simple/"\n'
    )


def test_several_sources(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    pipenv: Pipenv,
    app: Path,
) -> None:
    """A package comes from its own source, even where the first one has the same version of it."""
    packages = (
        '[packages]\nbase = "==1.0"\nsecret = {version = "*", index = "ours"}\n'
        'both = {version = "*", index = "ours"}\nwriter = "*"\n'
    )
    text = pipfile(market, packages, more_sources=private_source(market))
    write_files(app, {"Pipfile": text})
    variables = {"OUR_USER": market.private.user, "OUR_PASSWORD": market.private.password}
    pipenv.lock(**variables)
    built = build(app, BP_LOG_LEVEL="debug", **variables).passed()
    assert market.private.password not in built.log
    assert distributions(built.venv) == {"base-1.0", "secret-1.0", "both-1.0", "writer-1.0"}
    both = next(built.venv.glob("lib/*/site-packages/both.py"))
    assert both.read_text() == "version = 'ours'\n"
    compare(built, empty_venv, pipenv.sync, **variables)
    build(app).failed("index-variable-missing", "OUR_USER", "ours")
    # Without a hash, and beside an index of the build's own, its source is what it is held to.
    lock = app / "Pipfile.lock"
    hashed = lock.read_text()
    table = json.loads(hashed)
    for entry in table["default"].values():
        del entry["hashes"]
    lock.write_text(json.dumps(table))
    built = build(app, PIP_INDEX_URL=market.index.url, **variables).passed()
    both = next(built.venv.glob("lib/*/site-packages/both.py"))
    assert both.read_text() == "version = 'ours'\n"
    assert market.private.password not in built.log
    compare(built, empty_venv, pipenv.sync, **variables)
    lock.write_text(hashed)
    refused = build(app, OUR_USER="alice", OUR_PASSWORD="wr0ng-pass")
    assert refused.code == 1
    assert f"The index {market.private.url} refused" in refused.log, refused.log
    assert "wr0ng-pass" not in refused.log


def test_what_pipenv_does_not_pin(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    market: Market,
    pipenv: Pipenv,
    app: Path,
) -> None:
    """A package that resolution on Linux passed over has neither version nor hash in the lock.

    Pipenv installs its newest version where no marker forbids that, and asks no hash of any.
    """
    packages = '[packages]\nforked = {version = "*", sys_platform = "== \'win32\'"}\n'
    write_files(app, {"Pipfile": pipfile(market, packages + 'cache = "*"\n')})
    pipenv.lock()
    locked = json.loads((app / "Pipfile.lock").read_text())["default"]["forked"]
    assert "hashes" not in locked, locked
    built = build(app).passed()
    compare(built, empty_venv, pipenv.sync)


def test_app_answers(space: Workspace, market: Market, pipenv: Pipenv, app: Path) -> None:
    """A src-layout project that is its own editable package: its console script serves a page."""
    dist = Distribution(
        name="shop",
        requires=["writer"],
        extras={"pg": ["cache"]},
        scripts={"shop": "shop:main"},
        files={"shop.py": SERVER},
    )
    write_source(dist, app)
    packages = '[packages]\nshop = {path = ".", editable = true, extras = ["pg"]}\n'
    write_files(app, {"Pipfile": pipfile(market, packages), "Procfile": "web: shop\n"})
    pipenv.lock()
    assert answer(space, app) == "cache==1.0 shop==1.0 writer==1.0"


BASIS = """[packages]
writer = "*"
[dev-packages]
tester = "*"
[Odd_Category]
theme = "*"
[requires]
[scripts]
a = "b"
[pipenv]
allow_prereleases = false
"""
# A change of it -> (the old text, the new one, whether the lock is still fresh).
CHANGES: Mapping[str, tuple[str, str, bool]] = {
    "a package": ('writer = "*"', 'writer = "*"\ncache = "*"', False),
    "a version": ('writer = "*"', 'writer = ">=1"', False),
    "another spelling of it": ('writer = "*"', 'writer = {version = "*"}', False),
    "an upper-case name": ('writer = "*"', 'Writer = "*"', True),
    "a development package": ('tester = "*"', 'tester = "==1.0"', False),
    "a category": ('theme = "*"', 'theme = "==1.0"', False),
    "a new category": ("[requires]", '[docs]\nwriter = "*"\n[requires]', False),
    "a source": ('name = "main"', 'name = "other"', False),
    "a source's options": ("verify_ssl = false", "verify_ssl = true", False),
    "requires": ("[requires]", '[requires]\npython_version = "3"', False),
    "a script": ('a = "b"', 'a = "c"', True),
    "a setting": ("prereleases = false", "prereleases = true", True),
    "a comment": ("[requires]", "# none\n[requires]", True),
    "white space": ('writer = "*"', 'writer   =   "*"', True),
}


def test_freshness(market: Market, pipenv: Pipenv, app: Path) -> None:
    """Every change makes the lock stale for the buildpack where it does for `pipenv verify`."""
    path = app / "Pipfile"
    path.write_text(pipfile(market, BASIS))
    pipenv.lock()
    basis = path.read_text()
    for change, (old, new, fresh) in CHANGES.items():
        assert old in basis, change
        path.write_text(basis.replace(old, new, 1))
        assert pipenv.is_fresh() is fresh, change
        assert reads(app, reader) is fresh, change


def test_stale(build: Builder, market: Market, pipenv: Pipenv, app: Path) -> None:
    """A Pipfile that changed, and one that never was locked, stop the build before any request."""
    path = write_files(app, {"Pipfile": pipfile(market, '[packages]\nwriter = "*"\n')}) / "Pipfile"
    build(app).failed("lock-missing", "Run `pipenv lock` and commit Pipfile.lock")
    pipenv.lock()
    path.write_text(path.read_text().replace("[packages]", '[packages]\ncache = "*"'))
    market.index.requests.clear()
    build(app).failed("lock-stale", "Pipfile.lock", "Run `pipenv lock` and commit Pipfile.lock")
    assert market.index.requests == []
    path.unlink()
    build(app).failed("manifest-missing", "Pipfile.lock", "Pipfile")


def test_odd_locks(build: Builder, market: Market, pipenv: Pipenv, app: Path) -> None:
    """A lock that cannot be used is an error that names the place; nothing is installed."""
    text = pipfile(market, '[packages]\nwriter = "*"\n[dev-packages]\ntester = "*"\n')
    write_files(app, {"Pipfile": text})
    pipenv.lock()
    lock = app / "Pipfile.lock"
    fresh = json.loads(lock.read_text())
    right = fresh["default"]["writer"]["hashes"]
    for change, id, words in (
        ({"hashes": ["sha256:" + "0" * 64]}, "install-hash-mismatch", "writer"),
        ({"hashes": 7}, "lock-malformed", "default.writer.hashes"),
        ({"version": "==oops"}, "lock-malformed", "default.writer"),
        ({"version": "==>=1"}, "lock-malformed", "no installer understands: '==>=1'"),
        ({"markers": "what?"}, "lock-malformed", "default.writer"),
        ({"index": "nowhere"}, "lock-malformed", "default.writer.index"),
        ({"path": "./gone", "hashes": right}, "lock-path-missing", "./gone"),
        ({"hg": "https://example.com/a"}, "lock-malformed", "git is the only"),
    ):
        table = {**fresh, "default": {"writer": {**fresh["default"]["writer"], **change}}}
        lock.write_text(json.dumps(table))
        build(app).failed(id, words)
    requires = {"_meta": {**fresh["_meta"], "requires": {"python_version": "3.12"}}}
    lock.write_text(json.dumps({**fresh, **requires}))
    write_files(app, {".python-version": "3.13\n"})
    build(app).failed("python-version-conflict", ".python-version line 1", "Pipfile.lock line 1")
    (app / ".python-version").unlink()
    lock.write_text("{")
    build(app).failed("file-unreadable", "Pipfile.lock")
    lock.write_text(json.dumps(fresh))
    build(app, BP_PYTHON_GROUPS="nope").failed("dependency-group-unknown", "nope", "develop")
