"""Pipfile.lock and poetry.lock, read as data: tables, and properties over odd documents."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from tests.unit.mutations import mutated

from python_buildpack.app.files import AppFiles
from python_buildpack.errors import UserError
from python_buildpack.managers import pinned_lines, pipenv, pipenv_reader, poetry, poetry_reader
from python_buildpack.managers.declaration import Index
from python_buildpack.managers.lock_fields import Fields
from python_buildpack.managers.poetry_graph import allows, names_in
from python_buildpack.managers.python_spans import LINUX, PythonSpans
from python_buildpack.settings import read_settings

SHA = "0" * 64
HASH = f" --hash=sha256:{SHA}"
PIPFILE: dict[str, Any] = {
    "source": [
        {"name": "main", "url": "https://main.example/simple", "verify_ssl": True},
        {"name": "ours", "url": "https://${U}@ours.example/simple", "verify_ssl": False},
        {"name": "unused", "url": "https://unused.example/simple", "verify_ssl": True},
    ],
    "packages": {"base": "*", "secret": {"version": "*", "index": "ours"}},
    "dev-packages": {"tester": "*"},
    "docs": {"writer": "*"},
    "requires": {"python_version": "3.13"},
}
PIPFILE_LOCK: dict[str, Any] = {
    "_meta": {"hash": {"sha256": ""}, "sources": PIPFILE["source"]},
    "default": {
        "base": {"version": "==1.0", "hashes": [f"sha256:{SHA}"], "markers": "os_name == 'posix'"},
        "secret": {"version": "==2.0", "hashes": [f"sha256:{SHA}"], "index": "ours"},
        "by-git": {"git": "https://git.example/a.git@main", "ref": "c0ffee", "subdirectory": "s"},
        "lib": {"path": "./lib", "editable": True},
    },
    "develop": {"tester": {"version": "*"}},
    "docs": {"writer": {"version": "==1.0", "hashes": [f"sha256:{SHA}"]}},
}
PYPROJECT: dict[str, Any] = {
    "project": {"name": "shop", "version": "1.0", "requires-python": ">=3.10", "dependencies": ["a"]},
    "dependency-groups": {"docs": ["writer"]},
    "tool": {
        "poetry": {
            "package-mode": False,
            "dependencies": {"python": "^3.10", "base": [{"version": "^1.0", "python": "<3.12"}],
                             "secret": {"version": "*", "optional": True}},
            "group": {"old": {"dependencies": {"tester": "*"}}},
            "source": [{"name": "main", "url": "https://main.example/simple"}],
        }
    },
}  # fmt: skip


def locked(name: str, **more: Any) -> dict[str, Any]:
    """A package of poetry.lock, from the primary source."""
    return {
        "name": name,
        "version": "1.0",
        "optional": False,
        "python-versions": ">=3.8",
        "groups": ["main"],
        "files": [{"file": f"{name}-1.0-py3-none-any.whl", "hash": f"sha256:{SHA}"}],
        "source": {"type": "legacy", "url": "https://main.example/simple", "reference": "main"},
        **more,
    }


POETRY_LOCK: dict[str, Any] = {
    "package": [
        locked("base", markers='python_version < "3.12"', dependencies={"deep": ">=1,<2 || ^3"}),
        locked("secret", markers='extra == "pg"', optional=True),
        locked("tester", groups=["old"]),
        locked("both", groups=["main", "old"],
               markers={"main": "os_name == 'nt'", "old": "python_version >= '3.11'"}),
        locked("by-git", files=[], source={"type": "git", "url": "git@git.example:a/b.git",
                                           "reference": "main", "resolved_reference": "c0ffee"}),
        locked("by-url", source={"type": "url", "url": "https://a.example/mono-1.0.zip",
                                 "subdirectory": "python/a b"}),
        locked("by-file", source={"type": "file", "url": "mono.zip", "subdirectory": "python"}),
        locked("lib", files=[], develop=True, source={"type": "directory", "url": "lib"}),
    ],
    "extras": {"pg": ["secret"]},
    "metadata": {"lock-version": "2.1", "python-versions": ">=3.10", "content-hash": ""},
}  # fmt: skip


def app(root: Path, files: Mapping[str, Mapping[str, Any]]) -> AppFiles:
    """An app with these files; `lib` is a project in it."""
    (root / "lib").mkdir(exist_ok=True)
    (root / "mono.zip").touch()
    (root / "lib" / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    for name, table in files.items():
        is_json = name == "Pipfile.lock"
        (root / name).write_text(json.dumps(table) if is_json else tomli_w.dumps(table))
    return AppFiles(root)


def pipenv_app(
    root: Path, lock: Mapping[str, Any] = PIPFILE_LOCK, manifest: Mapping[str, Any] = PIPFILE
) -> AppFiles:
    """An app of Pipenv's, whose hash is right where there can be one."""
    meta = lock.get("_meta")
    try:
        fields = Fields(file="Pipfile", values=manifest, repair="")
        digest = min(pipenv_reader.content_hashes(fields, PIPFILE["source"]))
    except UserError:
        digest = ""
    if isinstance(meta, dict):
        lock = {**lock, "_meta": {**meta, "hash": {"sha256": digest}}}
    return app(root, {"Pipfile": manifest, "Pipfile.lock": lock})


def poetry_app(
    root: Path, lock: Mapping[str, Any] = POETRY_LOCK, manifest: Mapping[str, Any] = PYPROJECT
) -> AppFiles:
    """An app of Poetry's, whose hash is right where there can be one."""
    metadata = lock.get("metadata")
    if isinstance(metadata, dict):
        (digest,) = poetry_reader.content_hashes(manifest, lock_format=(2, 1), generator="")
        lock = {**lock, "metadata": {**metadata, "content-hash": digest}}
    return app(root, {"pyproject.toml": manifest, "poetry.lock": lock})


# Pipenv


@pytest.mark.parametrize(
    ("groups", "lines", "pinned"),
    [
        ("", [f'base===1.0 ; os_name == "posix"{HASH}'], {"ours": (f"secret===2.0{HASH}",)}),
        ("dev", [f'base===1.0 ; os_name == "posix"{HASH}', "tester"],
         {"ours": (f"secret===2.0{HASH}",)}),
        ("docs", [f'base===1.0 ; os_name == "posix"{HASH}', f"writer===1.0{HASH}"],
         {"ours": (f"secret===2.0{HASH}",)}),
    ],
)  # fmt: skip
def test_pipenv_lines(
    tmp_path: Path, groups: str, lines: list[str], pinned: Mapping[str, Sequence[str]]
) -> None:
    """Pins with markers and hashes, sources of their own, categories; no source that serves none."""
    install = pipenv.read(pipenv_app(tmp_path), read_settings({"BP_PYTHON_GROUPS": groups})).install
    assert install is not None
    ours = (f"-e {tmp_path.as_uri()}/lib",
            "by-git @ git+https://git.example/a.git@c0ffee#subdirectory=s")  # fmt: skip
    assert [line for line in install.lines if line not in ours] == lines
    assert set(ours) < set(install.lines)
    assert install.pinned == pinned
    assert install.indexes == (
        Index(name="main", url="https://main.example/simple", default=True),
        Index(name="ours", url="https://${U}@ours.example/simple", default=False, verified=False),
    )


@settings(max_examples=150)
@given(lock=mutated(PIPFILE_LOCK), manifest=mutated(PIPFILE))
def test_odd_pipfiles(lock: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Whatever stands in the files: a declaration, or an error for the user."""
    for pair in ((lock, PIPFILE), (PIPFILE_LOCK, manifest)):
        with tempfile.TemporaryDirectory() as root:
            files = pipenv_app(Path(root), *pair)
            for environ in ({}, {"BP_PYTHON_GROUPS": "docs"}):
                try:
                    pipenv.read(files, read_settings(environ))
                except UserError as error:
                    assert error.title


# Poetry


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, {"base": 'python_version < "3.12"'}),
        ({"BP_PYTHON_EXTRAS": "PG"}, {"base": 'python_version < "3.12"', "secret": ""}),
        ({"BP_PYTHON_GROUPS": "old"},
         {"base": 'python_version < "3.12"', "tester": "", "both": 'python_version >= "3.11"'}),
    ],
)  # fmt: skip
def test_poetry_lines(tmp_path: Path, environ: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Which packages, and for which Python, by groups and extras."""
    install = poetry.read(poetry_app(tmp_path), read_settings(environ)).install
    assert install is not None
    found = {}
    for line in install.lines:
        if "===" in line:
            name, _, rest = line.partition(" --hash=")[0].partition("===")
            found[name] = rest.partition(" ; ")[2]
    assert set(found) == set(names)
    spans = PythonSpans([*found.values(), *names.values()])
    for name, marker in names.items():
        assert spans.where(found[name]) == spans.where(marker), name
    assert "by-git @ git+ssh://git@git.example/a/b.git@c0ffee" in install.lines
    archive = f"{tmp_path.as_uri()}/mono.zip"
    assert f"by-file @ {archive}#subdirectory=python{HASH}" in install.lines
    by_url = "by-url @ https://a.example/mono-1.0.zip#subdirectory=python/a%20b"
    assert f"{by_url}{HASH}" in install.lines
    assert f"-e {tmp_path.as_uri()}/lib" in install.lines
    assert install.editables == ()


@pytest.mark.parametrize(
    ("installer", "environ", "options"),
    [
        ({"no-binary": ["Base"]}, {}, ["--no-binary base"]),
        ({"only-binary": "base,by-git"}, {}, ["--only-binary base"]),
        ({"no-binary": True}, {}, ["--no-binary base"]),
        ({"no-binary": [":all:"], "only-binary": ["base"]}, {}, ["--only-binary base"]),
        ({"no-binary": ["base"]}, {"POETRY_INSTALLER_NO_BINARY": "false"}, []),
        ({}, {"POETRY_INSTALLER_ONLY_BINARY": "other, base"}, ["--only-binary base"]),
        ({}, {"POETRY_INSTALLER_NO_BINARY": ":none:"}, []),
    ],
)
def test_poetry_builds(
    tmp_path: Path,
    installer: Mapping[str, Any],
    environ: Mapping[str, str],
    options: Sequence[str],
) -> None:
    """What Poetry would build from source, or not; only what an index serves; it is an input."""
    before = poetry.read(poetry_app(tmp_path), read_settings({}))
    (tmp_path / "poetry.toml").write_text(tomli_w.dumps({"installer": installer}))
    after = poetry.read(poetry_app(tmp_path), read_settings(environ))
    assert after.install is not None
    assert [line for line in after.install.lines if line.startswith("--")] == options
    assert (before.inputs != after.inputs) is bool(options)


def graph_lock(lock: Mapping[str, Any]) -> dict[str, Any]:
    """The same in format 2.0, which names no groups."""
    metadata = lock.get("metadata")
    if isinstance(metadata, dict):
        lock = {**lock, "metadata": {**metadata, "lock-version": "2.0"}}
    return dict(lock)


@settings(max_examples=150)
@given(lock=mutated(POETRY_LOCK), manifest=mutated(PYPROJECT))
def test_odd_poetry_locks(lock: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Whatever stands in the files: a declaration, or an error for the user."""
    for pair in ((lock, PYPROJECT), (graph_lock(lock), PYPROJECT), (POETRY_LOCK, manifest)):
        with tempfile.TemporaryDirectory() as root:
            files = poetry_app(Path(root), *pair)
            for environ in ({}, {"BP_PYTHON_GROUPS": "old", "BP_PYTHON_EXTRAS": "pg"}):
                try:
                    poetry.read(files, read_settings(environ))
                except UserError as error:
                    assert error.title


@settings(max_examples=150)
@given(lock=st.binary(max_size=80), manifest=st.binary(max_size=80))
def test_any_bytes(lock: bytes, manifest: bytes) -> None:
    """Files that are no TOML and no JSON are errors that name the file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, data in (("Pipfile", manifest), ("Pipfile.lock", lock),
                           ("pyproject.toml", manifest), ("poetry.lock", lock)):  # fmt: skip
            (root / name).write_bytes(data)
        for manager in (pipenv, poetry):
            with pytest.raises(UserError) as caught:
                manager.read(AppFiles(root), read_settings({}))
            said = caught.value.title + caught.value.body
            assert "Pipfile" in said if manager is pipenv else ".lock" in said or ".toml" in said


@pytest.mark.parametrize(
    ("constraint", "yes", "no"),
    [
        ("^1.2", ("1.2", "1.9"), ("2.0", "1.1")),
        ("^0.2.3", ("0.2.9",), ("0.3",)),
        ("~1.2", ("1.2.9",), ("1.3",)),
        ("~1", ("1.9",), ("2.0",)),
        (">=1,<2 || ^3", ("1.5", "3.1"), ("2.5", "4")),
        (">=1 <2", ("1.5",), ("2.5",)),
        ("*", ("7",), ()),
        ("1.*", ("1.5",), ("2",)),
        ("2.0.0+cu118", ("2.0.0+cu118",), ("2.0.0",)),
        (">=2.0.0+cu118", ("2.1",), ("1.9",)),
        ("^2.0.0+cu118", ("2.1",), ("3.0",)),
    ],
)
def test_constraints(constraint: str, yes: Sequence[str], no: Sequence[str]) -> None:
    """Poetry's constraints, as its locks write them."""
    assert all(allows(constraint, version) for version in yes)
    assert not any(allows(constraint, version) for version in no)


@settings(max_examples=200)
@given(text=st.text(max_size=30))
def test_odd_constraints_and_names(text: str) -> None:
    """What Poetry does not understand is a ValueError, which becomes an error for the user."""
    names_in([text])
    try:
        allows(text, "1.0")
    except ValueError as error:
        assert str(error) is not None


# Spans of Python versions

MARKERS = (
    "python_version < '3.11'",
    "python_version >= '3.9' and python_version < '3.12'",
    "python_full_version >= '3.10.4'",
    "python_full_version == '3.11.2' or python_version == '3.13'",
    "sys_platform == 'linux'",
    "sys_platform == 'win32'",
    "python_full_version > '3.12.0' and os_name == 'posix'",
    "implementation_name == 'cpython' and python_version != '3.10'",
)


@settings(max_examples=100)
@given(
    markers=st.lists(st.sampled_from(MARKERS), min_size=1, max_size=3),
    minor=st.integers(min_value=6, max_value=16),
    patch=st.integers(min_value=0, max_value=6),
)
def test_spans_decide_as_packaging(markers: list[str], minor: int, patch: int) -> None:
    """The marker for the spans where any of several holds is true just where one of them is."""
    spans = PythonSpans(markers)
    chosen = [any(one) for one in zip(*map(spans.where, markers), strict=True)]
    version = f"3.{minor}.{patch}"
    environment = {
        **LINUX,
        "python_version": f"3.{minor}",
        "python_full_version": version,
        "implementation_version": version,
    }
    wanted = any(Marker(one).evaluate(environment) for one in markers)
    marker = spans.marker(chosen)
    found = marker is not None and (not marker or Marker(marker).evaluate(environment))
    assert found is wanted


@settings(max_examples=200)
@given(text=st.text(alphabet="python_version<>=!'\" 3.109extra()andor", max_size=40))
def test_odd_markers(text: str) -> None:
    """What is no marker is a ValueError."""
    spans = PythonSpans([text])
    try:
        spans.marker(spans.where(text))
    except ValueError as error:
        assert str(error) is not None


# Lines


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://git.example/a.git", "git+https://git.example/a.git@c0ffee"),
        ("git+https://git.example/a.git", "git+https://git.example/a.git@c0ffee"),
        ("git@git.example:a/b.git", "git+ssh://git@git.example/a/b.git@c0ffee"),
        ("git.example:a/b.git", "git+ssh://git.example/a/b.git@c0ffee"),
        ("ssh://git@git.example/a.git", "git+ssh://git@git.example/a.git@c0ffee"),
    ],
)
def test_vcs_urls(tmp_path: Path, url: str, expected: str) -> None:
    """Every way that git knows to name a repository becomes a URL."""
    assert pinned_lines.vcs_url("git", url, "c0ffee", "", tmp_path) == expected


@settings(max_examples=200)
@given(
    name=st.text(max_size=12),
    version=st.text(max_size=8),
    marker=st.text(max_size=12),
    digest=st.text(max_size=12),
)
def test_lines_are_one_line(name: str, version: str, marker: str, digest: str) -> None:
    """Nothing that a lock holds can add an option or a line to what the installer reads."""
    for direct in (False, True):
        hashes = [f"sha256:{digest}"] if digest else []
        try:
            if direct:
                line = pinned_lines.direct(name, version, marker)
            else:
                line = pinned_lines.pinned(name, version, marker, hashes)
        except ValueError:
            continue
        assert len(line.splitlines()) == 1
        assert not line.lstrip().startswith("-")
