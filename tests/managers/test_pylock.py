"""pylock.toml (PEP 751): what the standard's own selection selects, each file held to its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from packaging.markers import Environment, default_environment
from packaging.pylock import Pylock
from packaging.tags import compatible_tags, cpython_tags
from tests.managers.conftest import (
    SERVER,
    Builder,
    Built,
    answer,
    assert_same_installation,
    checked_run,
    names,
    plain_environment,
    write_files,
)
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import (
    Distribution,
    write_git,
    write_sdist,
    write_source,
    write_wheel,
)

from cnb.toml import read_toml
from local_platform import Workspace


def sha256(path: Path) -> str:
    """A file's digest."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wheel(
    index: SimpleIndex, folder: Path, dist: Distribution, marker: str = "", more: str = ""
) -> str:
    """A wheel on the index, and its entry of a lock."""
    path = write_wheel(dist, folder)
    index.add(path)
    return entry(dist, marker, f"wheels = [{file_at(index, path)}]\n{more}")


def file_at(index: SimpleIndex, path: Path) -> str:
    """A file's inline table, with its URL on the index."""
    project = path.name.partition("-")[0].replace("_", "-")
    url = f"http://{index.host}/files/{project}/{path.name}"
    return f'{{ name = "{path.name}", url = "{url}", hashes = {{ sha256 = "{sha256(path)}" }} }}'


def entry(dist: Distribution, marker: str, rest: str) -> str:
    """A `[[packages]]`."""
    condition = f"marker = {marker!r}\n" if marker else ""
    name = dist.name.lower()
    return f'[[packages]]\nname = "{name}"\nversion = "{dist.version}"\n{condition}{rest}\n'


def lock(app: Path, *packages: str, head: str = "", name: str = "pylock.toml") -> Path:
    """A lock of these packages in the app."""
    text = f'lock-version = "1.0"\ncreated-by = "tests"\n{head}\n' + "\n".join(packages)
    write_files(app, {name: text})
    return app / name


def standard_selection(built: Built, path: Path, **chosen: Sequence[str]) -> set[str]:
    """The names that packaging, the reference implementation, selects for the built Python."""
    version = next((built.layers / "python").rglob("patchlevel.h")).read_text()
    full = version.partition('PY_VERSION              "')[2].partition('"')[0]
    minor = (int(full.split(".")[0]), int(full.split(".")[1]))
    environment: Environment = {
        **default_environment(),
        "python_full_version": full,
        "python_version": f"{minor[0]}.{minor[1]}",
    }
    tags = [*cpython_tags(minor), *compatible_tags(minor)]
    parsed = Pylock.from_dict(read_toml(path))
    selected = parsed.select(
        environment=environment,
        tags=tags,
        extras=chosen.get("extras", ()),
        dependency_groups=[*(parsed.default_groups or ()), *chosen.get("groups", ())],
    )
    return {package.name.replace("-", "_") for package, _ in selected}


def compare(
    built: Built,
    empty_venv: Callable[[Built], Path],
    uv: Path,
    path: Path,
    *options: str,
    **variables: str,
) -> None:
    """Have `uv pip sync` install the same lock beside it, and hold the two to each other."""
    venv = empty_venv(built)
    home = built.layers.parent / "home"
    checked_run(
        [uv, "pip", "sync", "--no-config", "--preview-features", "pylock", "--python", venv,
         *options, path],
        env={**plain_environment(home), "UV_CACHE_DIR": str(home / "cache"), **variables},
        cwd=built.app,
    )  # fmt: skip
    assert_same_installation(built.venv, venv)


CHOICES: Sequence[tuple[Mapping[str, str], Sequence[str], Sequence[str], set[str]]] = (
    ({}, (), (), {"base", "driver", "web"}),
    ({"BP_PYTHON_EXTRAS": "PG"}, ("pg",), (), {"base", "driver", "web", "psycopg"}),
    ({"BP_PYTHON_GROUPS": "dev"}, (), ("dev",), {"base", "driver", "web", "tester"}),
    (
        {"BP_PYTHON_GROUPS": "dev", "BP_PYTHON_EXTRAS": "pg"},
        ("pg",),
        ("dev",),
        {"base", "driver", "web", "tester", "psycopg", "both"},
    ),
)


@pytest.mark.parametrize(("variables", "extras", "groups", "expected"), CHOICES)
def test_selection(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    uv: Path,
    app: Path,
    workplace: Path,
    variables: Mapping[str, str],
    extras: Sequence[str],
    groups: Sequence[str],
    expected: set[str],
) -> None:
    """Default groups, groups, extras, markers, platforms: as the standard selects them."""
    wheels = workplace / "wheels"
    drivers = [
        write_wheel(Distribution(name="driver", tag=f"py3-none-{platform}"), wheels)
        for platform in ("win_amd64", "manylinux_2_17_x86_64", "manylinux_2_17_aarch64")
    ]
    index.add(*drivers)
    path = lock(
        app,
        wheel(index, wheels, Distribution(name="base", scripts={"base": "base:main"})),
        wheel(index, wheels, Distribution(name="web"), "'main' in dependency_groups"),
        wheel(index, wheels, Distribution(name="tester"), "'dev' in dependency_groups"),
        wheel(index, wheels, Distribution(name="psycopg"), "'pg' in extras"),
        wheel(
            index,
            wheels,
            Distribution(name="both"),
            "'pg' in extras and 'dev' in dependency_groups",
        ),
        wheel(index, wheels, Distribution(name="win-only"), "sys_platform == 'win32'"),
        wheel(index, wheels, Distribution(name="old-only"), "python_version < '3.9'"),
        entry(
            Distribution(name="driver"),
            "",
            f"wheels = [{', '.join(file_at(index, one) for one in drivers)}]",
        ),
        head='extras = ["pg"]\ndependency-groups = ["main", "dev"]\ndefault-groups = ["main"]\n'
        'requires-python = ">=3.9"\nenvironments = ["sys_platform == \'linux\'"]',
    )
    built = build(app, **variables).passed()
    assert names(built.venv) == expected
    assert names(built.venv) == standard_selection(built, path, extras=extras, groups=groups)
    options = [f"--extra={extra}" for extra in extras]
    if groups:
        options += [f"--group={group}" for group in ("main", *groups)]
    compare(built, empty_venv, uv, path, *options)


def test_every_kind_of_source(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    uv: Path,
    app: Path,
    workplace: Path,
) -> None:
    """An sdist alone, an archive, VCS, directories, one of them editable, a wheel in the app."""
    sdist = write_sdist(Distribution(name="made"), workplace)
    archive = write_sdist(Distribution(name="archived"), workplace)
    index.add(sdist, archive)
    _, commit = write_git(Distribution(name="by-git"), workplace / "git")
    index.folders["git"] = workplace / "git"
    write_source(Distribution(name="plain"), app / "libs" / "plain")
    write_source(Distribution(name="live"), app / "libs" / "live")
    kept = write_wheel(Distribution(name="kept"), app / "wheels")
    path = lock(
        app,
        entry(Distribution(name="made"), "", f"sdist = {file_at(index, sdist)}"),
        entry(
            Distribution(name="archived"),
            "",
            file_at(index, archive).replace(f'name = "{archive.name}", ', "archive = ", 1)
            .replace("{ archive = ", "archive = { "),
        ),
        entry(
            Distribution(name="by-git"),
            "",
            f'vcs = {{ type = "git", url = "http://{index.host}/git/by_git.git", '
            f'commit-id = "{commit}" }}',
        ),
        '[[packages]]\nname = "plain"\ndirectory = { path = "libs/plain" }\n',
        '[[packages]]\nname = "live"\ndirectory = { path = "libs/live", editable = true }\n',
        entry(
            Distribution(name="kept"),
            "",
            f'wheels = [{{ path = "wheels/{kept.name}", '
            f'hashes = {{ sha256 = "{sha256(kept)}" }} }}]',
        ),
    )  # fmt: skip
    built = build(app).passed()
    assert names(built.venv) == {"made", "archived", "by_git", "plain", "live", "kept"}
    assert "no hash vouches for by-git (from version control)" in built.log
    compare(built, empty_venv, uv, path)
    # The editable one's code is no input; that of the other is.
    (app / "libs" / "live" / "src" / "live.py").write_text("version = '2'\n")
    assert "Reusing packages" in build(app, keep=True).passed().log
    (app / "libs" / "plain" / "src" / "plain.py").write_text("version = '2'\n")
    assert "libs/plain changed" in build(app, keep=True).passed().log
    # A changed file in the app is not the locked one any more.
    write_wheel(Distribution(name="kept", files={"kept.py": "evil = 1\n"}), app / "wheels")
    refused = build(app)
    assert refused.code == 1
    assert "[install-hash-mismatch]" in refused.log, refused.log


def test_private_host(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    other_index: SimpleIndex,
    uv: Path,
    app: Path,
    workplace: Path,
) -> None:
    """URLs get the credentials that netrc has for their host; wrong ones are never printed."""
    path = lock(app, wheel(other_index, workplace, Distribution(name="secret")))
    netrc = workplace / "netrc"
    good = f"machine 127.0.0.1 login {other_index.user} password {other_index.password}\n"
    netrc.write_text(good)
    built = build(app, NETRC=str(netrc)).passed()
    assert names(built.venv) == {"secret"}
    compare(built, empty_venv, uv, path, NETRC=str(netrc))
    netrc.write_text(good.replace(other_index.password, "wr0ng-pass"))
    refused = build(app, NETRC=str(netrc))
    assert refused.code == 1
    assert "401" in refused.log
    assert "wr0ng-pass" not in refused.log


def test_replacement_index(
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    other_index: SimpleIndex,
    uv: Path,
    app: Path,
    workplace: Path,
) -> None:
    """The same files, by name and hash, from the index that the build names."""
    files = [
        write_wheel(Distribution(name="base"), workplace / "wheels"),
        write_sdist(Distribution(name="made"), workplace / "wheels"),
    ]
    other_index.add(*files)
    path = lock(
        app,
        wheel(index, workplace / "wheels", Distribution(name="base")),
        entry(Distribution(name="made"), "", f"sdist = {file_at(index, files[1])}"),
        wheel(index, workplace / "wheels", Distribution(name="win-only"), "os_name == 'nt'"),
    )
    index.add(files[1])
    mirror = {"PIP_INDEX_URL": other_index.url_with_credentials}
    built = build(app, **mirror).passed()
    assert index.requests == []
    assert sorted(other_index.downloads()) == ["base-1.0-py3-none-any.whl", "made-1.0.tar.gz"]
    assert other_index.password not in built.log
    compare(built, empty_venv, uv, path)
    evil = Distribution(name="base", files={"base.py": "evil = 1\n"})
    other_index.add(write_wheel(evil, workplace / "evil"))
    refused = build(app, **mirror)
    assert refused.code == 1
    assert not list(refused.venv.glob("lib/*/site-packages/base.py"))


def test_wheels_at_hand(build: Builder, index: SimpleIndex, app: Path, workplace: Path) -> None:
    """vendor/ is looked into first: the locked files are installed from there, with no network."""
    lock(app, wheel(index, workplace / "wheels", Distribution(name="base")))
    write_wheel(Distribution(name="base"), app / "vendor")
    index.offline = True
    assert names(build(app).passed().venv) == {"base"}
    assert index.requests == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"base"}),
        ({"BP_PYLOCK": "dev"}, {"base", "tester"}),
        ({"BP_PYLOCK": "pylock.dev.toml"}, {"base", "tester"}),
    ],
)
def test_named_lock(
    build: Builder,
    index: SimpleIndex,
    app: Path,
    workplace: Path,
    variables: Mapping[str, str],
    expected: set[str],
) -> None:
    """pylock.toml is taken, unless BP_PYLOCK names the pylock.dev.toml beside it."""
    base = wheel(index, workplace, Distribution(name="base"))
    lock(app, base)
    lock(app, base, wheel(index, workplace, Distribution(name="tester")), name="pylock.dev.toml")
    assert names(build(app, **variables).passed().venv) == expected


def test_which_lock(build: Builder, index: SimpleIndex, app: Path, workplace: Path) -> None:
    """One named lock alone is taken; of several without pylock.toml one must be named."""
    base = wheel(index, workplace, Distribution(name="base"))
    lock(app, base, name="pylock.prod.toml")
    assert names(build(app).passed().venv) == {"base"}
    lock(app, base, name="pylock.dev.toml")
    build(app).failed("pylock-unknown", "pylock.dev.toml, pylock.prod.toml", "BP_PYLOCK")


def test_app_answers(space: Workspace, index: SimpleIndex, app: Path, workplace: Path) -> None:
    """A src-layout project in the lock, built by the real lifecycle; pylock.dev.toml beside it."""
    dist = Distribution(name="shop", scripts={"shop": "shop:main"}, files={"shop.py": SERVER})
    write_source(dist, app)
    write_files(app, {"Procfile": "web: shop\n"})
    itself = '[[packages]]\nname = "shop"\ndirectory = { path = ".", editable = true }\n'
    base = wheel(index, workplace, Distribution(name="base"))
    lock(app, itself, base)
    lock(app, itself, base, wheel(index, workplace, Distribution(name="tester")),
         name="pylock.dev.toml")  # fmt: skip
    assert answer(space, app, {"BP_PYLOCK": "dev"}) == "base==1.0 shop==1.0 tester==1.0"


def test_no_change(build: Builder, index: SimpleIndex, app: Path, workplace: Path) -> None:
    """Each file is fetched once, from its URL; a rebuild starts nothing; a change is named."""
    wheels = workplace / "wheels"
    base = wheel(index, wheels, Distribution(name="base"))
    path = lock(app, base)
    build(app).passed()
    assert index.requests == ["200 /files/base/base-1.0-py3-none-any.whl"]
    again = build(app, keep=True, BP_LOG_LEVEL="debug").passed()
    assert "Reusing packages" in again.log
    assert "running:" not in again.log
    path.write_text(path.read_text().replace('"tests"', '"other tests"'))
    assert "Reusing packages" in build(app, keep=True).passed().log
    lock(app, base, wheel(index, wheels, Distribution(name="more")))
    assert "pylock.toml changed; added more==1.0" in build(app, keep=True).passed().log


WHEEL = 'wheels = [{ url = "http://127.0.0.1:1/base-1.0-py3-none-any.whl", hashes = {HASHES} }]'
BASE = '[[packages]]\nname = "base"\nversion = "1.0"\n'
SHA = '{ sha256 = "' + "0" * 64 + '" }'
REFUSED: Mapping[str, tuple[str, str, str]] = {
    "no hash": (BASE + WHEEL.replace("{HASHES}", "{}"), "lock-malformed", "packages[0]"),
    "a weak hash": (
        BASE + WHEEL.replace("{HASHES}", '{ md5 = "' + "0" * 32 + '" }'),
        "lock-malformed",
        "packages[0].wheels: a file has no sha256 hash",
    ),
    "a wrong hash": (BASE + WHEEL.replace("{HASHES}", "3"), "lock-malformed", "packages[0]"),
    "no source": (BASE, "lock-malformed", "packages[0]"),
    "a name not normalized": (
        BASE.replace('"base"', '"Base"') + WHEEL.replace("{HASHES}", SHA),
        "lock-malformed",
        "packages[0].name",
    ),
    "no such marker": (
        BASE + "marker = 'moon == \"full\"'\n" + WHEEL.replace("{HASHES}", SHA),
        "lock-malformed",
        "packages[0].marker",
    ),
    "packages of another type": ("packages = 3", "lock-malformed", "packages"),
    "no TOML": ("packages = [", "file-unreadable", "pylock.toml"),
    "a directory that is not there": (
        '[[packages]]\nname = "base"\ndirectory = { path = "libs/base" }\n',
        "lock-path-missing",
        "libs/base",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(build: Builder, app: Path, case: str) -> None:
    """A lock that the standard forbids is an error that names the place."""
    packages, id, words = REFUSED[case]
    lock(app, packages)
    build(app).failed(id, words)


HEADS: Mapping[str, tuple[str, str, str]] = {
    "a newer format": ('lock-version = "2.0"', "lock-version-unknown", "2.0"),
    "another platform": (
        "environments = [\"sys_platform == 'win32'\"]",
        "lock-environment",
        "win32",
    ),
    "another Python": ('requires-python = ">=3.99"', "python-range-empty]", ">=3.99"),
}


@pytest.mark.parametrize("case", HEADS)
def test_not_for_this_build(
    build: Builder, index: SimpleIndex, app: Path, workplace: Path, case: str
) -> None:
    """A format, a platform or a Python that the lock does not fit: nothing is installed."""
    head, id, words = HEADS[case]
    path = lock(app, wheel(index, workplace, Distribution(name="base")), head=head)
    if head.startswith("lock-version"):
        path.write_text(path.read_text().replace('lock-version = "1.0"\n', ""))
    built = build(app)
    assert built.code == 1
    assert f"[{id}" in built.log, built.log
    assert words in built.log
    assert "Traceback" not in built.log
    assert index.downloads() == []


def test_python_of_a_package(
    build: Builder, index: SimpleIndex, app: Path, workplace: Path
) -> None:
    """A package that is locked for another Python is an error before anything is installed."""
    dist = Distribution(name="base")
    lock(app, wheel(index, workplace, dist, more='requires-python = ">=3.99"'))
    build(app).failed("python-version-conflict", "base in pylock.toml", ">=3.99")


def test_a_file_without_a_wheel_for_this_python(
    build: Builder, index: SimpleIndex, app: Path, workplace: Path
) -> None:
    """A package whose wheels do not fit and that has no sdist is named."""
    lock(app, wheel(index, workplace, Distribution(name="base", tag="cp27-cp27m-win32")))
    built = build(app)
    assert built.code == 1
    assert "base" in built.log
    assert "Traceback" not in built.log
    assert index.downloads() == []


def test_tampered_file(build: Builder, index: SimpleIndex, app: Path, workplace: Path) -> None:
    """A file that is not the locked one is refused, whichever algorithm the lock has."""
    path = lock(app, wheel(index, workplace / "wheels", Distribution(name="base")))
    good = workplace / "wheels" / "base-1.0-py3-none-any.whl"
    text = path.read_text()
    sha512 = hashlib.sha512(good.read_bytes()).hexdigest()
    for locked in (text, text.replace(f'sha256 = "{sha256(good)}"', f'sha512 = "{sha512}"')):
        path.write_text(locked)
        index.add(good)
        build(app).passed()
        evil = Distribution(name="base", files={"base.py": "evil = 1\n"})
        index.add(write_wheel(evil, workplace / "evil"))
        refused = build(app)
        assert refused.code == 1
        assert "[install-hash-mismatch]" in refused.log, refused.log
        assert not list(refused.venv.glob("lib/*/site-packages/base.py"))


@pytest.mark.parametrize(
    ("variables", "id", "words"),
    [
        ({"BP_PYTHON_GROUPS": "nope"}, "dependency-group-unknown", "dev"),
        ({"BP_PYTHON_EXTRAS": "nope"}, "extra-unknown", "pg"),
        ({"BP_PYLOCK": "nope", "BP_PYTHON_PACKAGE_MANAGER": "pylock"},
         "package-manager-without-files", "pylock"),
    ],
)  # fmt: skip
def test_unknown_choices(
    build: Builder,
    index: SimpleIndex,
    app: Path,
    workplace: Path,
    variables: Mapping[str, str],
    id: str,
    words: str,
) -> None:
    """A group, extra or lock that is not there is an error that lists those that are."""
    head = 'extras = ["pg"]\ndependency-groups = ["dev"]'
    lock(app, wheel(index, workplace, Distribution(name="base")), head=head)
    build(app, **variables).failed(id, words)


def test_a_lock_of_nothing_with_an_index_of_ones_own(build: Builder, app: Path) -> None:
    """Nothing is asked of the index, and nothing is installed."""
    lock = 'lock-version = "1.0"\ncreated-by = "tests"\npackages = []\n'
    write_files(app, {"main.py": "", "pylock.toml": lock})
    built = build(app, PIP_INDEX_URL="http://127.0.0.1:9/simple/").passed()
    assert "0 packages installed" in built.log
