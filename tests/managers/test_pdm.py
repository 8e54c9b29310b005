"""pdm.lock: the buildpack installs what `pdm sync --prod` installs, and knows a stale lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from tests.managers.conftest import (
    SERVER,
    AppTool,
    Builder,
    Built,
    answer,
    assert_same_installation,
    compare,
    distributions,
    write_files,
)
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import (
    PYPROJECT,
    Distribution,
    source_files,
    write_git,
    write_sdist,
    write_source,
    write_wheel,
)

from local_platform import Workspace


class Pdm(AppTool):
    """PDM, on one app."""

    def __init__(self, command: Path, author: Path, app: Path, home: Path) -> None:
        variables = {
            "PDM_CHECK_UPDATE": "0",
            "PDM_CACHE_DIR": str(home / "cache"),
            "PDM_IGNORE_SAVED_PYTHON": "1",
        }
        super().__init__(command, author, app, home, variables)

    def lock(self, *options: str, **variables: str) -> None:
        """`pdm lock`, of all groups, as the app's author runs it."""
        self.run(self.author, "lock", "-G", ":all", *options, **variables)

    def is_fresh(self) -> bool:
        """What `pdm lock --check` says of the lock."""
        return self.ask("lock", "--check").returncode == 0

    def sync(self, venv: Path, *options: str, **variables: str) -> None:
        """`pdm sync` as users run it for production."""
        self.run(venv, "sync", *(options or ("--prod",)), **variables)


@pytest.fixture
def pdm(
    tool: Callable[[str], Path], author: Path, app: Path, build: Builder, workplace: Path
) -> Pdm:
    """PDM, on this test's app."""
    return Pdm(tool("pdm") / "pdm", author, app, workplace / "home")


def project(
    index: SimpleIndex, dependencies: Sequence[str], rest: str = "", settings: str = ""
) -> str:
    """A pyproject.toml with the loopback index as PDM's own."""
    listed = ", ".join(f'"{dependency}"' for dependency in dependencies)
    return (
        f'[project]\nname = "shop"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
        f"dependencies = [{listed}]\n{rest}\n{PYPROJECT}\n[tool.pdm]\n{settings}\n"
        f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{index.url}"\nverify_ssl = false\n'
    )


def write_app(app: Path, manifest: str, dist: Distribution | None = None) -> Path:
    """The app's source tree in a src layout; its manifest."""
    files = source_files(dist or Distribution(name="shop"))
    write_files(app, {**files, "pyproject.toml": manifest})
    return app / "pyproject.toml"


def serve(index: SimpleIndex, folder: Path, *dists: Distribution) -> None:
    """Wheels of these on the index."""
    index.add(*(write_wheel(dist, folder) for dist in dists))


STRATEGIES = ["inherit_metadata", "no_inherit_metadata", "static_urls"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_app_with_everything(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
    strategy: str,
) -> None:
    """Markers, extras of dependencies, platforms' wheels, an sdist, the project: every strategy."""
    serve(
        index,
        workplace / "wheels",
        Distribution(name="web", requires=["base>=1"], extras={"fast": ["speedup"]}),
        Distribution(name="base", version="1.5", requires=["ring"], scripts={"base": "base:main"}),
        Distribution(name="ring", requires=["base", "deep; python_version >= '3'"]),
        Distribution(name="deep", requires=["win-only; sys_platform == 'win32'"]),
        Distribution(name="win-only"),
        Distribution(name="old-only"),
        Distribution(name="tester"),
        Distribution(name="driver", tag="py3-none-win_amd64"),
        Distribution(name="driver", tag="py3-none-manylinux_2_17_x86_64"),
        Distribution(name="driver", tag="py3-none-manylinux_2_17_aarch64"),
    )
    index.add(write_sdist(Distribution(name="speedup", scripts={"su": "speedup:main"}), workplace))
    manifest = project(
        index,
        ["web[fast]", "driver", "win-only; sys_platform == 'win32'",
         "old-only; python_version < '3.11'"],
        '[dependency-groups]\ndev = ["tester"]\n',
    )  # fmt: skip
    write_app(app, manifest)
    pdm.lock("-S", strategy)
    built = build(app).passed()
    assert {name.partition("-")[0] for name in distributions(built.venv)} == {
        "web", "base", "ring", "deep", "speedup", "driver", "shop",
    }  # fmt: skip
    compare(built, empty_venv, pdm.sync)


@pytest.mark.parametrize("strategy", STRATEGIES[:2])
@pytest.mark.parametrize(
    ("variables", "options", "expected"),
    [
        ({}, (), {"base"}),
        ({"BP_PYTHON_EXTRAS": "pg"}, ("--prod", "-G", "pg"), {"base", "driver"}),
        ({"BP_PYTHON_EXTRAS": "all"}, ("--prod", "-G", "all"), {"base", "driver", "cache"}),
        ({"BP_PYTHON_GROUPS": "docs"}, ("-G", "docs"), {"base", "writer", "theme"}),
        (
            {"BP_PYTHON_GROUPS": "Docs, old", "BP_PYTHON_EXTRAS": "pg"},
            ("-G", "docs", "-G", "old", "-G", "pg"),
            {"base", "writer", "theme", "tester", "driver"},
        ),
    ],
    ids=["default", "extra", "extra-of-extras", "group", "several"],
)
def test_groups(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
    strategy: str,
    variables: Mapping[str, str],
    options: Sequence[str],
    expected: set[str],
) -> None:
    """No development group without being asked; groups and extras that are chosen, with includes."""
    names = ("base", "driver", "cache", "writer", "theme", "tester")
    serve(index, workplace / "wheels", *(Distribution(name=name) for name in names))
    manifest = project(
        index,
        ["base"],
        '[project.optional-dependencies]\npg = ["driver"]\nall = ["shop[pg]", "cache"]\n'
        '[dependency-groups]\ndocs = ["writer", {include-group = "theme"}]\ntheme = ["theme"]\n'
        '[tool.pdm.dev-dependencies]\nold = ["tester"]\n',
        "distribution = false",
    )
    write_app(app, manifest)
    pdm.lock("-S", strategy)
    built = build(app, **variables).passed()
    assert {name.partition("-")[0] for name in distributions(built.venv)} == expected
    venv = empty_venv(built)
    if "-G" in options and "--prod" not in options:
        # PDM adds every development group to a named one: the others are left out by name.
        others = {"docs", "theme", "old"} - set(options)
        options = (*options, *(word for group in sorted(others) for word in ("--without", group)))
    pdm.sync(venv, *options)
    assert_same_installation(built.venv, venv)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_kind_of_source(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
    strategy: str,
) -> None:
    """VCS, a URL, a wheel and a directory in the app, and an editable one in a group."""
    serve(index, workplace / "wheels", Distribution(name="base"))
    index.add(write_sdist(Distribution(name="by-url"), workplace / "sdists"))
    write_git(Distribution(name="by-git", requires=["base"]), workplace / "git")
    index.folders["git"] = workplace / "git"
    write_source(Distribution(name="plain"), app / "libs" / "plain")
    write_source(Distribution(name="live"), app / "libs" / "live")
    wheel = write_wheel(Distribution(name="kept"), app / "wheels")
    manifest = project(
        index,
        [
            f"by-git @ git+http://{index.host}/git/by_git.git@main",
            f"by-url @ http://{index.host}/files/by-url/by_url-1.0.tar.gz",
            "plain @ file:///${PROJECT_ROOT}/libs/plain",
            f"kept @ file:///${{PROJECT_ROOT}}/wheels/{wheel.name}",
        ],
        '[tool.pdm.dev-dependencies]\nlive = ["-e file:///${PROJECT_ROOT}/libs/live#egg=live"]\n',
        "distribution = false",
    ).replace('build-backend = "backend"\nbackend-path = ["."]', 'build-backend = "pdm.backend"')
    write_app(app, manifest)
    pdm.lock("-S", strategy)
    built = build(app, BP_PYTHON_GROUPS="live").passed()
    assert {name.partition("-")[0] for name in distributions(built.venv)} == {
        "by_git", "by_url", "plain", "kept", "base", "live",
    }  # fmt: skip
    assert "no hash vouches for by-git (from version control)" in built.log
    venv = empty_venv(built)
    pdm.sync(venv, "-G", "live")
    # PDM writes its own file for an editable project, whose name and hash it chooses.
    assert_same_installation(built.venv, venv)


def test_several_sources(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    other_index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
) -> None:
    """A private source with variables in its URL, and a directory of wheels as a source."""
    serve(index, workplace / "a", Distribution(name="base"))
    serve(other_index, workplace / "b", Distribution(name="private"))
    write_wheel(Distribution(name="flat"), workplace / "flat")
    manifest = project(index, ["base", "private", "flat"], settings="distribution = false")
    manifest += (
        '[[tool.pdm.source]]\nname = "ours"\n'
        f'url = "http://${{OUR_USER}}:${{OUR_PASSWORD}}@{other_index.host}/simple/"\n'
        'verify_ssl = false\n[[tool.pdm.source]]\nname = "flat"\ntype = "find_links"\n'
        f'url = "{(workplace / "flat").as_uri()}"\n'
    )
    write_app(app, manifest)
    variables = {"OUR_USER": other_index.user, "OUR_PASSWORD": other_index.password}
    pdm.lock(**variables)
    built = build(app, **variables).passed()
    assert other_index.password not in built.log
    assert distributions(built.venv) == {"base-1.0", "private-1.0", "flat-1.0"}
    compare(built, empty_venv, pdm.sync, "--prod", **variables)
    build(app).failed("index-variable-missing", "OUR_USER")


def test_workspace(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
) -> None:
    """The members of PDM's workspaces are installed editable; their manifests belong to the hash."""
    serve(index, workplace / "wheels", Distribution(name="base"), Distribution(name="more"))
    manifest = project(index, ["base"]) + '[tool.pdm.workspace]\nmembers = ["libs/*"]\n'
    write_app(app, manifest)
    member = project(index, ["more"]).replace('"shop"', '"common"')
    write_app(app / "libs" / "common", member, Distribution(name="common"))
    pdm.lock()
    built = build(app).passed()
    assert {name.partition("-")[0] for name in distributions(built.venv)} == {
        "base", "more", "common", "shop",
    }  # fmt: skip
    compare(built, empty_venv, pdm.sync)
    path = app / "libs" / "common" / "pyproject.toml"
    path.write_text(path.read_text().replace('"more"', '"more>=0"'))
    assert not pdm.is_fresh()
    build(app).failed("lock-stale", "pdm lock")


def test_app_answers(
    space: Workspace, index: SimpleIndex, pdm: Pdm, app: Path, workplace: Path
) -> None:
    """A src-layout project, with a group, is built by the real lifecycle; its script serves a page."""
    serve(index, workplace / "wheels", Distribution(name="base"), Distribution(name="more"))
    dist = Distribution(name="shop", scripts={"shop": "shop:main"}, files={"shop.py": SERVER})
    write_app(app, project(index, ["base"], '[dependency-groups]\nprod = ["more"]\n'), dist)
    write_files(app, {"Procfile": "web: shop\n"})
    pdm.lock()
    settings = {"BP_PYTHON_GROUPS": "prod"}
    assert answer(space, app, settings) == "base==1.0 more==1.0 shop==1.0"


CHANGES: Mapping[str, tuple[str, str, bool]] = {
    "a dependency": ('"base"', '"base", "more"', False),
    "requires-python": ('">=3.10"', '">=3.11"', False),
    "a group": ("[dependency-groups]", '[dependency-groups]\nnew = ["more"]', False),
    "an extra": ("[dependency-groups]", '[project.optional-dependencies]\nx = ["more"]\n'
                 "[dependency-groups]", False),
    "a source": ('name = "pypi"', 'name = "ours"', False),
    "an override": ("[tool.pdm]", '[tool.pdm.resolution.overrides]\nbase = "1.0"\n[tool.pdm]',
                    False),
    "the version": ('version = "1.0"', 'version = "2.0"', True),
    "a linter": ("[tool.pdm]", "[tool.ruff]\nline-length = 9\n[tool.pdm]", True),
    "a script of PDM's": ("[tool.pdm]", '[tool.pdm.scripts]\na = "b"\n[tool.pdm]', True),
    "white space": ("dependencies = [", "dependencies = [  ", True),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_freshness(
    build: Builder, index: SimpleIndex, pdm: Pdm, app: Path, workplace: Path, change: str
) -> None:
    """A change makes the lock stale for the buildpack where it does for PDM."""
    serve(index, workplace / "wheels", Distribution(name="base"), Distribution(name="more"))
    rest = '[dependency-groups]\nMy_Docs = ["more"]\n'
    manifest = write_app(app, project(index, ["base"], rest, "distribution = false"))
    pdm.lock()
    old, new, fresh = CHANGES[change]
    text = manifest.read_text()
    assert text.count(old) >= 1
    manifest.write_text(text.replace(old, new, 1))
    assert pdm.is_fresh() is fresh
    index.requests.clear()
    if fresh:
        build(app).passed()
    else:
        build(app).failed("lock-stale", "pdm.lock", "Run `pdm lock` and commit pdm.lock")
        assert index.requests == []


def test_pylock_of_pdm(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
) -> None:
    """PDM's other format of a lock, pylock.toml, has the same content hash in it: it is checked."""
    serve(index, workplace / "wheels", Distribution(name="base"), Distribution(name="more"))
    rest = '[dependency-groups]\ndocs = ["more"]\n'
    manifest = write_app(app, project(index, ["base"], rest, "distribution = false"))
    pdm.run(pdm.author, "config", "--local", "lock.format", "pylock")
    pdm.lock()
    assert (app / "pylock.toml").is_file()
    built = build(app).passed()
    assert distributions(built.venv) == {"base-1.0"}
    compare(built, empty_venv, pdm.sync)
    built = build(app, BP_PYTHON_GROUPS="docs").passed()
    assert distributions(built.venv) == {"base-1.0", "more-1.0"}
    manifest.write_text(manifest.read_text().replace('"base"', '"base", "more"'))
    build(app).failed("lock-stale", "pylock.toml", "pdm lock")


@pytest.mark.parametrize(
    ("old", "new", "id", "words"),
    [
        ('lock_version = "4.5', 'lock_version = "5.0', "lock-version-unknown", "versions 4.4"),
        ("[metadata]", "[metadata", "file-unreadable", "pdm.lock"),
        ('name = "base"', "name = 7", "lock-malformed", "package[0].name"),
        ('content_hash = "sha256:', 'content_hash = "sha1024:', "lock-stale", "pdm lock"),
        ('whl", hash = "sha256:', 'whl", hash = "sha256:0000', "install-", ""),
    ],
)
def test_odd_lock(
    build: Builder,
    index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
    old: str,
    new: str,
    id: str,
    words: str,
) -> None:
    """A lock that cannot be used is an error that names the file and the place."""
    serve(index, workplace / "wheels", Distribution(name="base"))
    write_app(app, project(index, ["base"], settings="distribution = false"))
    pdm.lock()
    lock = app / "pdm.lock"
    assert lock.read_text().count(old) == 1
    lock.write_text(lock.read_text().replace(old, new))
    built = build(app)
    assert built.code == 1
    assert f"[{id}" in built.log, built.log
    assert words in built.log
    assert "Traceback" not in built.log


@pytest.mark.parametrize(
    ("variables", "id", "words"),
    [
        ({"BP_PYTHON_GROUPS": "nope"}, "dependency-group-unknown", "dev"),
        ({"BP_PYTHON_EXTRAS": "nope"}, "extra-unknown", "pg"),
        ({"BP_PYTHON_EXTRAS": "dev"}, "extra-unknown", "pg"),
    ],
)
def test_unknown_choices(
    build: Builder,
    index: SimpleIndex,
    pdm: Pdm,
    app: Path,
    workplace: Path,
    variables: Mapping[str, str],
    id: str,
    words: str,
) -> None:
    """A group or an extra that the lock does not have is an error that lists those it has."""
    serve(index, workplace / "wheels", Distribution(name="base"))
    rest = '[project.optional-dependencies]\npg = ["base"]\n[dependency-groups]\ndev = ["base"]\n'
    write_app(app, project(index, ["base"], rest, "distribution = false"))
    pdm.lock()
    build(app, **variables).failed(id, next(iter(variables.values())), words)


def test_lock_inputs(
    build: Builder, index: SimpleIndex, pdm: Pdm, app: Path, workplace: Path
) -> None:
    """A lock without a content hash, as PDM's newer setting makes it, is refused with the way out."""
    serve(index, workplace / "wheels", Distribution(name="base"))
    settings = "distribution = false\n[tool.pdm.resolution]\nlock_inputs = true\n"
    write_app(app, project(index, ["base"], settings=settings))
    pdm.lock()
    build(app).failed("lock-inputs", "Remove the setting")


def test_other_python(
    build: Builder, index: SimpleIndex, pdm: Pdm, app: Path, workplace: Path
) -> None:
    """A lock for other Pythons than the one that is asked for: an error before any request."""
    serve(index, workplace / "wheels", Distribution(name="base"))
    write_app(app, project(index, ["base"], settings="distribution = false"))
    pdm.lock()
    lock = app / "pdm.lock"
    assert '"' + ">=3.10" + '"' in lock.read_text()
    lock.write_text(lock.read_text().replace(">=3.10", ">=3.14"))
    write_files(app, {".python-version": "3.13\n"})
    index.requests.clear()
    build(app).failed("python-version-conflict", ".python-version line 1", "pdm.lock line")
    assert index.requests == []
