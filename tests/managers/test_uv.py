"""uv.lock: the buildpack installs what `uv sync --locked` installs, and refuses what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from tests.managers.conftest import (
    SERVER,
    Builder,
    Built,
    answer,
    checked_run,
    compare,
    distributions,
    plain_environment,
    write_files,
)
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import (
    PYPROJECT,
    Distribution,
    source_files,
    write_sdist,
    write_source,
    write_wheel,
)

from local_platform import Workspace


class Uv:
    """The uv of the package, on one app."""

    def __init__(self, uv: Path, author: Path, app: Path, home: Path) -> None:
        self.uv, self.author, self.app = uv, author, app
        self.environ = {
            **plain_environment(home),
            "UV_CACHE_DIR": str(home / "cache"),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def lock(self, *options: str, **variables: str) -> None:
        """`uv lock`, as the app's author runs it."""
        python = self.author / "bin" / "python"
        command: list[str | Path] = [self.uv, "lock", "--python", python, *options]
        checked_run(command, env={**self.environ, **variables}, cwd=self.app)

    def sync(
        self, built: Built, venv: Path, *options: str, folder: str = ".", **variables: str
    ) -> None:
        """`uv sync` as users run it for production, into `venv`."""
        environ = {**self.environ, "UV_PROJECT_ENVIRONMENT": str(venv), **variables}
        checked_run(
            [
                self.uv,
                "sync",
                "--locked",
                "--no-default-groups",
                "--python",
                built.python,
                *options,
            ],
            env=environ,
            cwd=self.app / folder,
        )


@pytest.fixture
def uv_on(uv: Path, author: Path, app: Path, workplace: Path) -> Uv:
    """uv, on this test's app."""
    return Uv(uv, author, app, workplace / "home")


def project(name: str, dependencies: Sequence[str], rest: str = "", *, build: bool = True) -> str:
    """A pyproject.toml; with `build`, it has the factory's own backend."""
    listed = ", ".join(f'"{dependency}"' for dependency in dependencies)
    return (
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
        f"dependencies = [{listed}]\n{rest}\n" + (PYPROJECT if build else "")
    )


def default_index(index: SimpleIndex) -> str:
    """uv's table for the loopback index."""
    return f'[[tool.uv.index]]\nname = "main"\nurl = "{index.url}"\ndefault = true\n'


def serve(index: SimpleIndex, folder: Path, *dists: Distribution) -> None:
    """Wheels of these on the index."""
    index.add(*(write_wheel(dist, folder) for dist in dists))


def write_project(folder: Path, dist: Distribution, manifest: str) -> None:
    """A source tree in a src layout with this pyproject.toml."""
    write_files(folder, {**source_files(dist), "pyproject.toml": manifest})


def test_app_with_everything(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
) -> None:
    """Markers, extras of dependencies, wheels for many platforms, an sdist, development groups."""
    wheels = workplace / "wheels"
    serve(
        index,
        wheels,
        Distribution(name="web", requires=["base>=1"], extras={"fast": ["speedup"]}),
        Distribution(name="base", version="1.5", scripts={"base": "base:main"}),
        Distribution(name="win-only"),
        Distribution(name="old-only"),
        Distribution(name="linter"),
        Distribution(name="tester"),
        Distribution(name="driver", tag="py3-none-win_amd64"),
        Distribution(name="driver", tag="py3-none-manylinux_2_17_x86_64"),
        Distribution(name="driver", tag="py3-none-manylinux_2_17_aarch64"),
        Distribution(name="driver", tag="py3-none-macosx_11_0_arm64"),
    )
    index.add(write_sdist(Distribution(name="speedup", scripts={"su": "speedup:main"}), wheels))
    manifest = project(
        "shop",
        ["web[fast]", "driver", "win-only; sys_platform == 'win32'",
         "old-only; python_version < '3.11'"],
        '[dependency-groups]\ndev = ["tester"]\nlint = ["linter"]\n'
        '[tool.uv]\ndefault-groups = ["dev", "lint"]\n' + default_index(index),
        build=False,
    )  # fmt: skip
    write_files(app, {"pyproject.toml": manifest})
    uv_on.lock()
    built = build(app).passed()
    assert distributions(built.venv) == {"web-1.0", "base-1.5", "speedup-1.0", "driver-1.0"}
    without_groups = distributions(built.venv)
    compare(built, empty_venv, partial(uv_on.sync, built))

    with_groups = build(app, BP_PYTHON_GROUPS="lint").passed()
    assert distributions(with_groups.venv) - without_groups == {"linter-1.0"}
    compare(with_groups, empty_venv, partial(uv_on.sync, with_groups), "--group", "lint")


def test_every_kind_of_source(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
) -> None:
    """Git, a URL, a wheel and a directory in the app, an editable one: all as uv has them."""
    serve(index, workplace / "wheels", Distribution(name="base"))
    index.add(write_sdist(Distribution(name="by-url"), workplace / "sdists"))
    git = write_source(Distribution(name="by-git", requires=["base"]), workplace / "git")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "All"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *words], cwd=git, check=True)
    write_source(Distribution(name="plain"), app / "libs" / "plain")
    write_source(Distribution(name="live"), app / "libs" / "live")
    wheel = write_wheel(Distribution(name="kept"), app / "wheels")
    sources = (
        f'by-git = {{ git = "file://{git}" }}\n'
        f'by-url = {{ url = "http://{index.host}/files/by-url/by_url-1.0.tar.gz" }}\n'
        'plain = { path = "libs/plain" }\nlive = { path = "libs/live", editable = true }\n'
        f'kept = {{ path = "wheels/{wheel.name}" }}\n'
    )
    names = ["by-git", "by-url", "plain", "live", "kept"]
    write_project(
        app,
        Distribution(name="shop"),
        project("shop", names, default_index(index) + "[tool.uv.sources]\n" + sources),
    )
    uv_on.lock()
    built = build(app).passed()
    assert {name.partition("-")[0] for name in distributions(built.venv)} == {
        "by_git", "by_url", "plain", "live", "kept", "base", "shop",
    }  # fmt: skip
    assert "no hash vouches for by-git (from version control)" in built.log
    compare(built, empty_venv, partial(uv_on.sync, built))
    # The editable ones' code is no input; that of the others is.
    (app / "libs" / "live" / "src" / "live.py").write_text("version = '2'\n")
    assert "Reusing packages" in build(app, keep=True).passed().log
    (app / "libs" / "plain" / "src" / "plain.py").write_text("version = '2'\n")
    assert "libs/plain changed" in build(app, keep=True).passed().log


def workspace(app: Path, index: SimpleIndex, root: str) -> None:
    """A workspace with two services, one library and `root` as its root's own manifest."""
    rest = default_index(index) + '[tool.uv.workspace]\nmembers = ["services/*", "libs/*"]\n'
    write_files(app, {"pyproject.toml": root + rest})
    common = "[tool.uv.sources]\ncommon = { workspace = true }\n"
    for name, dependency in (("api", "web"), ("worker", "queue")):
        write_project(
            app / "services" / name,
            Distribution(
                name=name,
                scripts={name: f"{name}:main"},
                files={f"{name}.py": SERVER},
            ),
            project(
                name,
                ["common", dependency],
                f'[project.scripts]\n{name} = "{name}:main"\n'
                f'[project.optional-dependencies]\nmetrics = ["meter"]\n{common}',
            ),
        )
    write_project(app / "libs" / "common", Distribution(name="common"), project("common", ["base"]))


@pytest.mark.parametrize(
    ("variables", "options", "folder", "expected"),
    [
        ({}, (), ".", {"tool"}),
        ({"BP_UV_PACKAGE": "worker"}, ("--package", "worker"), ".",
         {"worker", "common", "base", "queue"}),
        ({"BP_UV_PACKAGE": "api", "BP_PYTHON_EXTRAS": "metrics"},
         ("--package", "api", "--extra", "metrics"), ".",
         {"api", "common", "base", "web", "meter"}),
        ({"BP_PYTHON_PROJECT_DIR": "services/api"}, (), "services/api",
         {"api", "common", "base", "web"}),
    ],
    ids=["root", "by-name", "by-name-with-extra", "by-directory"],
)  # fmt: skip
def test_workspace(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
    variables: Mapping[str, str],
    options: Sequence[str],
    folder: str,
    expected: set[str],
) -> None:
    """The root, a member by its name, a member by its directory: each with its own packages."""
    names = ("web", "queue", "base", "meter", "tool")
    serve(index, workplace / "wheels", *(Distribution(name=name) for name in names))
    workspace(app, index, project("root", ["tool"], build=False))
    uv_on.lock()
    built = build(app, **variables).passed()
    assert {name.partition("-")[0] for name in distributions(built.venv)} == expected
    compare(built, empty_venv, partial(uv_on.sync, built), *options, folder=folder)


@pytest.mark.parametrize(
    ("settings", "page"),
    [
        ({"BP_PYTHON_PROJECT_DIR": "services/api"}, "api==1.0 base==1.0 common==1.0 web==1.0"),
        ({"BP_UV_PACKAGE": "worker"}, "base==1.0 common==1.0 queue==1.0 worker==1.0"),
    ],
    ids=["by-directory", "by-name"],
)
def test_workspace_member_answers(
    space: Workspace,
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
    settings: Mapping[str, str],
    page: str,
) -> None:
    """A member in a src layout is built by the real lifecycle; its console script serves a page."""
    names = ("web", "queue", "base", "meter")
    serve(index, workplace / "wheels", *(Distribution(name=name) for name in names))
    workspace(app, index, "")
    uv_on.lock()
    write_files(app, {"services/api/Procfile": "web: api\n", "Procfile": "web: worker\n"})
    assert answer(space, app, settings) == page


def test_workspace_changes(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """Another member's new dependency reinstalls nothing here; a shared one's does, and is named."""
    names = ("web", "queue", "base", "meter", "extra")
    serve(index, workplace / "wheels", *(Distribution(name=name) for name in names))
    workspace(app, index, "")
    uv_on.lock()
    build(app, BP_UV_PACKAGE="api").passed()
    worker = app / "services" / "worker" / "pyproject.toml"
    worker.write_text(worker.read_text().replace('"queue"', '"queue", "extra"'))
    uv_on.lock()
    requests = len(index.requests)
    assert "Reusing packages" in build(app, keep=True, BP_UV_PACKAGE="api").passed().log
    assert len(index.requests) == requests
    common = app / "libs" / "common" / "pyproject.toml"
    common.write_text(common.read_text().replace('"base"', '"base", "extra"'))
    uv_on.lock()
    changed = build(app, keep=True, BP_UV_PACKAGE="api").passed()
    assert "uv.lock changed" in changed.log
    assert "added extra==1.0" in changed.log


def test_indexes(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    other_index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
) -> None:
    """Each package comes from its own index, even where another has the same version of it."""
    serve(index, workplace / "a", Distribution(name="base"), Distribution(name="both"))
    ours = {"both.py": "version = 'ours'\n"}
    serve(other_index, workplace / "b", Distribution(name="both", files=ours))
    private = (
        f'[[tool.uv.index]]\nname = "our-own"\nurl = "{other_index.url}"\nexplicit = true\n'
        '[tool.uv.sources]\nboth = { index = "our-own" }\n'
    )
    manifest = project("shop", ["base", "both"], default_index(index) + private, build=False)
    write_files(app, {"pyproject.toml": manifest})
    credentials = {
        "UV_INDEX_OUR_OWN_USERNAME": other_index.user,
        "UV_INDEX_OUR_OWN_PASSWORD": other_index.password,
    }
    uv_on.lock(**credentials)
    built = build(app, **credentials).passed()
    assert other_index.password not in built.log
    assert next(built.venv.glob("lib/*/site-packages/both.py")).read_text() == ours["both.py"]
    compare(built, empty_venv, partial(uv_on.sync, built), **credentials)
    refused = build(app, UV_INDEX_OUR_OWN_USERNAME="alice", UV_INDEX_OUR_OWN_PASSWORD="wr0ng-pass")
    assert refused.code == 1
    assert "401" in refused.log
    assert "wr0ng-pass" not in refused.log


def test_replacement_index(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    other_index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
) -> None:
    """The lock is checked as it is; then its very files are fetched from the replacement."""
    manifest = project("shop", ["base", "made"], default_index(index), build=False)
    write_files(app, {"pyproject.toml": manifest})
    files = [
        write_wheel(Distribution(name="base"), workplace / "wheels"),
        write_sdist(Distribution(name="made"), workplace / "wheels"),
    ]
    index.add(*files)
    uv_on.lock()
    other_index.add(*files)
    index.offline = True
    mirror = {"UV_DEFAULT_INDEX": other_index.url_with_credentials}
    built = build(app, **mirror).passed()
    assert sorted(other_index.downloads()) == ["base-1.0-py3-none-any.whl", "made-1.0.tar.gz"]
    assert other_index.password not in built.log
    index.offline = False
    compare(built, empty_venv, partial(uv_on.sync, built))
    # A replacement that has other files under the same names is found out.
    other_index.add(
        write_wheel(Distribution(name="base", files={"base.py": "evil = 1\n"}), workplace / "evil")
    )
    refused = build(app, **mirror)
    assert refused.code == 1
    assert "hash" in refused.log.lower()
    assert not list(refused.venv.glob("lib/*/site-packages/base.py"))


def test_forks_and_flat_index(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
) -> None:
    """A lock with two versions of a package for two platforms, and a directory as an index."""
    serve(
        index,
        workplace / "wheels",
        Distribution(name="base", version="1.0"),
        Distribution(name="base", version="2.0"),
    )
    write_wheel(Distribution(name="flat"), app / "wheelhouse")
    manifest = project(
        "shop",
        ["base==1.0; sys_platform == 'linux'", "base==2.0; sys_platform != 'linux'", "flat"],
        f'[tool.uv]\nfind-links = ["wheelhouse"]\n{default_index(index)}',
        build=False,
    )
    write_files(app, {"pyproject.toml": manifest})
    uv_on.lock()
    built = build(app).passed()
    assert distributions(built.venv) == {"base-1.0", "flat-1.0"}
    compare(built, empty_venv, partial(uv_on.sync, built))


def test_not_a_package(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
) -> None:
    """`package = false`: the dependencies and a chosen extra, not the project."""
    serve(index, workplace / "wheels", Distribution(name="base"), Distribution(name="driver"))
    rest = '[project.optional-dependencies]\npg = ["driver"]\n[tool.uv]\npackage = false\n'
    manifest = project("shop", ["base"], rest + default_index(index), build=False) + PYPROJECT
    write_project(app, Distribution(name="shop"), manifest)
    uv_on.lock()
    built = build(app, BP_PYTHON_EXTRAS="pg").passed()
    assert distributions(built.venv) == {"base-1.0", "driver-1.0"}
    compare(built, empty_venv, partial(uv_on.sync, built), "--extra", "pg")


def small(app: Path, index: SimpleIndex, uv_on: Uv, workplace: Path, rest: str = "") -> Path:
    """An app with one dependency, and its lock; the manifest."""
    serve(index, workplace / "wheels", Distribution(name="base"), Distribution(name="more"))
    manifest = project("shop", ["base"], rest + default_index(index), build=False)
    write_files(app, {"pyproject.toml": manifest})
    uv_on.lock()
    return app / "pyproject.toml"


def test_stale(build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path) -> None:
    """A lock that pyproject.toml has left behind is refused, with and without a network."""
    manifest = small(app, index, uv_on, workplace)
    lock = app / "uv.lock"
    fresh = lock.read_text()
    lock.write_text(fresh.replace('requires-python = ">=3.10"', 'requires-python = ">=3.14"'))
    write_files(app, {".python-version": "3.13\n"})
    build(app).failed("python-version-conflict", ".python-version line 1", "uv.lock line 3")
    (app / ".python-version").unlink()
    lock.write_text(fresh)
    manifest.write_text(manifest.read_text().replace('"base"', '"base", "more"'))
    build(app).failed("lock-stale", "uv.lock", "Run `uv lock` and commit uv.lock")
    assert index.downloads() == []
    index.offline = True
    build(app).failed("lock-stale", "Run `uv lock`")
    index.offline = False
    uv_on.lock()
    assert distributions(build(app).passed().venv) == {"base-1.0", "more-1.0"}


def test_fresh_lock_asks_for_its_files_only(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """No page of an index is asked for, each file comes once, and nothing on a rebuild."""
    small(app, index, uv_on, workplace)
    index.requests.clear()
    first = build(app).passed()
    assert index.requests == ["200 /files/base/base-1.0-py3-none-any.whl"]
    assert sorted(path.name for path in app.iterdir()) == ["pyproject.toml", "uv.lock"]
    again = build(app, keep=True, BP_LOG_LEVEL="debug").passed()
    assert "Reusing packages" in again.log
    assert "running:" not in again.log, "uv need not run to see that nothing changed"
    assert len(index.requests) == 1
    assert not list((first.layers.parent / "home").rglob("uv*")), "nothing is left in the home"


def test_settings_of_a_user(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """A uv.toml in the home directory changes nothing about what the lock says."""
    small(app, index, uv_on, workplace)
    settings = 'exclude-newer = "2001-01-01T00:00:00Z"\nindex-url = "http://127.0.0.1:1/"\n'
    write_files(workplace / "home", {".config/uv/uv.toml": settings})
    assert distributions(build(app).passed().venv) == {"base-1.0"}


def test_settings_of_the_machine(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path, buildpack: Path
) -> None:
    """Nor does /etc/uv/uv.toml: the build sees another /etc here, with one in it."""
    small(app, index, uv_on, workplace)
    subprocess.run(["cp", "-a", "/etc", workplace], check=False, stderr=subprocess.DEVNULL)
    write_files(workplace / "etc", {"uv/uv.toml": 'exclude-newer = "2001-01-01T00:00:00Z"\n'})
    alone = "unshare --mount" if os.getuid() == 0 else "unshare --mount --map-root-user"
    script = workplace / "build"
    mount = f"mount --bind {workplace}/etc /etc && test -s /etc/uv/uv.toml"
    script.write_text(f"#!/bin/sh\nexec {alone} sh -c '{mount} && exec {buildpack}/bin/build'\n")
    script.chmod(0o755)
    assert distributions(build(app, program=script).passed().venv) == {"base-1.0"}


def test_tampered_file(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """A file that is not the locked one is refused."""
    small(app, index, uv_on, workplace)
    evil = Distribution(name="base", files={"base.py": "evil = 1\n"})
    index.add(write_wheel(evil, workplace / "evil"))
    refused = build(app)
    assert refused.code == 1
    assert "[install-hash-mismatch]" in refused.log, refused.log
    assert not list(refused.venv.glob("lib/*/site-packages/base.py"))


@pytest.mark.parametrize(
    ("old", "new", "id", "words"),
    [
        ("version = 1\n", "version = 2\n", "lock-version-unknown", "It knows version 1"),
        ("version = 1\n", "version = [\n", "file-unreadable", "uv.lock"),
        ('name = "base"', "name = 7", "lock-malformed", "package[0].name"),
        ("registry =", "somewhere =", "lock-malformed", "package[0].source"),
    ],
)
def test_odd_lock(
    build: Builder,
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
    old: str,
    new: str,
    id: str,
    words: str,
) -> None:
    """A lock that cannot be used is an error that names the file and the place."""
    small(app, index, uv_on, workplace)
    lock = app / "uv.lock"
    assert old in lock.read_text()
    lock.write_text(lock.read_text().replace(old, new, 1))
    build(app).failed(id, words)


def test_newer_revision(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """A lock of a newer revision of the same format is used: uv promises that it can be."""
    small(app, index, uv_on, workplace)
    lock = app / "uv.lock"
    text, count = re.subn(r"revision = \d+", "revision = 99", lock.read_text())
    assert count == 1
    lock.write_text(text)
    assert distributions(build(app).passed().venv) == {"base-1.0"}


def test_newer_uv_required(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """A project that asks for a newer uv gets an error that says so."""
    manifest = small(app, index, uv_on, workplace)
    text = manifest.read_text() + '[tool.uv]\nrequired-version = ">=99"\n'
    manifest.write_text(text.replace("[[tool.uv", "[[tool.uv"))
    build(app).failed("uv-lock-unusable", "Required uv version")


@pytest.mark.parametrize(
    ("variables", "id", "words"),
    [
        ({"BP_PYTHON_GROUPS": "nope"}, "dependency-group-unknown", "dev"),
        ({"BP_PYTHON_EXTRAS": "nope"}, "extra-unknown", "pg"),
        ({"BP_UV_PACKAGE": "nope"}, "workspace-member-unknown", "shop"),
    ],
)
def test_unknown_choices(
    build: Builder,
    index: SimpleIndex,
    uv_on: Uv,
    app: Path,
    workplace: Path,
    variables: Mapping[str, str],
    id: str,
    words: str,
) -> None:
    """A group, extra or member that is not there is an error that lists those that are."""
    rest = '[project.optional-dependencies]\npg = ["more"]\n[dependency-groups]\ndev = ["more"]\n'
    small(app, index, uv_on, workplace, rest)
    build(app, **variables).failed(id, "nope", words)


def test_root_without_project(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """A workspace whose root is no project: an error that lists the members to choose from."""
    names = ("web", "queue", "base", "meter")
    serve(index, workplace / "wheels", *(Distribution(name=name) for name in names))
    workspace(app, index, "")
    uv_on.lock()
    build(app).failed("workspace-member-needed", "BP_UV_PACKAGE", "api, common, worker")


def script(index: SimpleIndex, dependencies: str, settings: str) -> str:
    """A script with its own metadata (PEP 723)."""
    return (
        f'# /// script\n# requires-python = ">=3.10"\n# dependencies = [{dependencies}]\n'
        f'# [tool.uv]\n# index = [{{ url = "{index.url}", default = true }}]\n# {settings}\n# ///\n'
    )


def test_script_with_settings_and_lock(
    build: Builder, index: SimpleIndex, uv_on: Uv, app: Path, workplace: Path
) -> None:
    """As `uv run --script`: [tool.uv] of a script says what is chosen, and its lock holds it."""
    serve(
        index,
        workplace / "wheels",
        *(Distribution(name="web", requires=["base"]), Distribution(name="base")),
        Distribution(name="base", version="2.0"),
    )
    run = partial(build, app, BP_PYTHON_SCRIPT="jobs/run.py")
    text = script(index, '"web"', 'constraint-dependencies = ["base<2"]\n# link-mode = "copy"')
    write_files(app, {"jobs/run.py": text})
    built = run().passed()
    assert distributions(built.venv) == {"web-1.0", "base-1.0"}
    assert "Warning: Without effect: link-mode in [tool.uv] of jobs/run.py" in built.log
    by_pip = run(BP_PIP_INSTALLER="pip").passed()
    assert distributions(by_pip.venv) == {"web-1.0", "base-2.0"}
    assert "Without effect: constraint-dependencies of [tool.uv]. pip installs" in by_pip.log
    uv_on.lock("--script", "jobs/run.py")
    serve(index, workplace / "wheels", Distribution(name="base", version="1.5"))
    assert distributions(run().passed().venv) == {"web-1.0", "base-1.0"}
    write_files(app, {"jobs/run.py": text.replace('"web"', '"web", "base"')})
    run().failed("lock-stale", "jobs/run.py.lock", "Run `uv lock --script jobs/run.py`")
