"""The release list and the support dates: the data in the repository, and lists of one's own."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections import defaultdict
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

import package_runtimes
import release_list
import runtime_archive
from python_buildpack.errors import UserError
from python_buildpack.log import Log
from python_buildpack.runtime import releases
from python_buildpack.runtime.releases import (
    DATA_DIR,
    Release,
    builtin_releases,
    builtin_support,
    load_list,
    parse_list,
    parse_releases,
)

SOURCE: list[dict[str, Any]] = json.loads(
    resources.files("pbs_installer").joinpath("versions.json").read_text(encoding="utf-8")
)
# Never built for this architecture.
WITHOUT_ARM = {"3.8.12"}


def test_the_list_is_what_its_generator_makes() -> None:
    """`make release-list` changes no byte of it."""
    assert (DATA_DIR / "releases.json").read_text() == release_list.render(SOURCE)


def test_every_release_is_complete() -> None:
    """One archive for each version, architecture and kind of threads, over https, with a digest."""
    found = builtin_releases()
    keys = [(r.version, r.arch, r.free_threaded) for r in found]
    assert len(set(keys)) == len(keys)
    for release in found:
        assert re.fullmatch(r"[0-9a-f]{64}", release.sha256)
        assert release.url.startswith("https://github.com/")
        assert release.file_name.startswith(f"cpython-{release.version}")
        assert {"amd64": "x86_64", "arm64": "aarch64"}[release.arch] in release.file_name
        assert release.free_threaded == ("freethreaded" in release.file_name)
        assert release.flavour == release_list.flavour(release.file_name)
        assert "unknown-linux-gnu" in release.file_name
        assert re.fullmatch(r"20\d{6}", release.build)
        assert release.build in release.file_name
    assert len({release.sha256 for release in found}) == len(found)


def test_both_architectures() -> None:
    """Every version, free-threaded or not, has both; the one exception is known."""
    architectures: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for release in builtin_releases():
        architectures[release.version, release.free_threaded].add(release.arch)
    incomplete = {key for key, found in architectures.items() if found != {"amd64", "arm64"}}
    assert incomplete == {(version, False) for version in WITHOUT_ARM}


def test_free_threaded_builds_are_listed_where_they_exist() -> None:
    """From 3.13 on, each with its ordinary twin."""
    found = builtin_releases()
    ordinary = {r.version for r in found if not r.free_threaded}
    threaded = {r.version for r in found if r.free_threaded}
    assert threaded <= ordinary
    assert threaded == {version for version in ordinary if Version(version) >= Version("3.13")}


def test_nothing_of_the_source_is_left_out() -> None:
    """Every CPython from 3.8 on for glibc that its source knows with a digest."""
    expected = {
        (f"3.{v['minor']}.{v['micro']}", release_list.ARCHITECTURES[f["arch"]], v["freethreaded"])
        for entry in SOURCE
        for v in [entry["python_version"]]
        for f in entry["files"]
        if v["implementation"] == "cpython"
        and v["minor"] >= 8
        and f["platform"] == "linux"
        and f["arch"] in release_list.ARCHITECTURES
        and f["sha256"]
        and release_list.flavour(f["filename"])
    }
    assert {(r.version, r.arch, r.free_threaded) for r in builtin_releases()} == expected


def pbs(*names: str, micro: int = 1, implementation: str = "cpython") -> dict[str, Any]:
    """A version of the source with these files."""
    files = [
        {"arch": "x86_64", "filename": name, "platform": "linux", "sha256": "0" * 64, "url": name}
        for name in names
    ]
    version = {"implementation": implementation, "minor": 13, "micro": micro, "freethreaded": False}
    return {"python_version": version, "files": files}


STRIPPED = "cpython-3.13.1+20250101-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
INSTALL = "cpython-3.13.1+20250101-x86_64-unknown-linux-gnu-install_only.tar.gz"
FULL = "cpython-3.13.1+20250101-x86_64-unknown-linux-gnu-pgo+lto-full.tar.zst"
MUSL = "cpython-3.13.1+20250101-x86_64-unknown-linux-musl-install_only.tar.gz"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((FULL, INSTALL, STRIPPED), [(STRIPPED, "install_only_stripped")]),
        ((FULL, INSTALL), [(INSTALL, "install_only")]),
        ((FULL, MUSL), [(FULL, "full")]),
        ((MUSL,), []),
    ],
)
def test_the_generator_takes_the_best_flavour(
    names: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    """Stripped before plain before full; never one for musl."""
    made = release_list.releases([pbs(*names), pbs(STRIPPED, implementation="pypy")])
    assert [(entry["url"], entry["flavour"]) for entry in made] == expected
    assert {entry["build"] for entry in made} <= {"20250101"}


def test_the_generator_sorts_and_takes_no_file_without_digest() -> None:
    """The newest first; numbers, not texts."""
    undigested = pbs(STRIPPED, micro=3)
    undigested["files"][0]["sha256"] = None
    made = release_list.releases([pbs(STRIPPED, micro=9), pbs(STRIPPED, micro=10), undigested])
    assert [entry["version"] for entry in made] == ["3.13.10", "3.13.9"]


def test_support_dates() -> None:
    """Every minor on the list has both dates, in order; their source is named."""
    support = builtin_support()
    minors = {release.version.rpartition(".")[0] for release in builtin_releases()}
    assert set(support) == minors
    for minor, dates in support.items():
        assert dates.end_of_life < dates.refused_from, minor
    ordered = sorted(support, key=Version)
    for earlier, later in itertools.pairwise(ordered):
        assert support[earlier].end_of_life < support[later].end_of_life
        assert support[earlier].refused_from <= support[later].refused_from
    source = json.loads((DATA_DIR / "support.json").read_text())["source"]
    for minor in minors:
        assert f"({minor})" in source
    assert support["3.9"].end_of_life.isoformat() == "2025-10-31"
    assert support["3.13"].end_of_life.isoformat() == "2029-10-31"


GOOD: dict[str, Any] = {
    "version": "3.13.1",
    "arch": "amd64",
    "free_threaded": False,
    "flavour": "install_only",
    "build": "mine",
    "glibc": "2.17",
    "url": "python.tar.gz",
    "sha256": "a" * 64,
}


def listing(*entries: Any) -> bytes:
    """A release list."""
    return json.dumps({"format": 1, "releases": list(entries)}).encode()


def test_a_good_entry_is_taken() -> None:
    """Every field as it is; unknown ones do not matter."""
    (release,) = parse_releases(listing({**GOOD, "note": "x"}), "mine", base="")
    assert release == Release(**GOOD)
    for version in ("3.14.0a1", "3.14.0rc2"):
        (release,) = parse_releases(listing({**GOOD, "version": version}), "mine", base="")
        assert release.version == version


BROKEN: list[tuple[str, bytes, str]] = [
    ("not JSON", b"<html>", "not JSON"),
    ("empty", b"", "not JSON"),
    ("not UTF-8", b"\xff\xfe{", "not JSON"),
    ("too deep", b"[" * 100_000, "not JSON"),
    ("a list", b"[]", "format"),
    ("another format", b'{"format": 2, "releases": []}', "format"),
    ("no releases", b'{"format": 1}', "releases"),
    ("empty releases", b'{"format": 1, "releases": []}', "releases"),
    ("releases of another type", b'{"format": 1, "releases": {"a": 1}}', "releases"),
    ("an entry that is no object", listing(GOOD, "x"), "Release 1: version"),
    ("a digest that is none", listing({**GOOD, "sha256": "A" * 64}), "Release 0: sha256"),
    ("a short digest", listing({**GOOD, "sha256": "a" * 63}), "Release 0: sha256"),
    ("a number as truth", listing({**GOOD, "free_threaded": 0}), "Release 0: free_threaded"),
    *[
        (f"version {version!r}", listing({**GOOD, "version": version}), "not a version")
        for version in ("3.13", "3.13.1.2", "v3.13.1", "3.13.1\n", "", "2.7.18")
    ],
    *[
        (f"glibc {glibc!r}", listing({**GOOD, "glibc": glibc}), "glibc")
        for glibc in ("", "musl", "2.", "2.17\n")
    ],
    *[
        (f"url {url!r}", listing({**GOOD, "url": url}), "names no file")
        for url in ("", "dir/", "..", "dir/.", "http://[", "http://host", "a%00b", "..%2F")
    ],
    *[
        (
            f"without {name}",
            listing({key: value for key, value in GOOD.items() if key != name}),
            f"Release 0: {name}",
        )
        for name in GOOD
    ],
]


@pytest.mark.parametrize(
    ("data", "words"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
@pytest.mark.parametrize("base", ["", "https://host.example/releases.json"])
def test_broken_lists_are_errors(data: bytes, words: str, base: str) -> None:
    """Each names the list, the entry and what is wrong with it."""
    with pytest.raises(UserError) as caught:
        parse_releases(data, "my-list.json", base=base)
    assert caught.value.id == "release-list-unreadable"
    assert "my-list.json" in caught.value.title
    assert words in caught.value.body


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("python.tar.gz", "https://host.example/lists/python.tar.gz"),
        ("../other/python.tar.gz", "https://host.example/other/python.tar.gz"),
        ("/python.tar.gz", "https://host.example/python.tar.gz"),
        ("https://else.example/x.tar.gz", "https://else.example/x.tar.gz"),
        ("file:///srv/x.tar.gz", "file:///srv/x.tar.gz"),
    ],
)
def test_relative_urls_resolve_against_the_list(url: str, expected: str) -> None:
    """As links in a page do."""
    data = listing({**GOOD, "url": url})
    (release,) = parse_releases(data, "x", base="https://host.example/lists/releases.json")
    assert release.url == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host.example/a/cpython-3.13.1%2B2025.tar.gz", "cpython-3.13.1+2025.tar.gz"),
        ("https://host.example/a/x.tar.gz?token=1#2", "x.tar.gz"),
        ("https://host.example/a/..%2F..%2Fx.tar.gz", "x.tar.gz"),
    ],
)
def test_file_names_are_names(url: str, expected: str) -> None:
    """Unescaped, and never a path."""
    (release,) = parse_releases(listing({**GOOD, "url": url}), "x", base="")
    assert release.file_name == expected


def load(source: str) -> tuple[Release, ...]:
    """Load a list without a network."""
    return load_list(source, Log(io.StringIO()), {}).releases


def test_lists_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By path, absolute or relative, and by file URL; archives lie beside the list."""
    folder = tmp_path / "with space+ä"
    folder.mkdir()
    path = folder / "releases.json"
    path.write_bytes(listing(GOOD))
    expected = (folder / "python.tar.gz").as_uri()
    monkeypatch.chdir(tmp_path)
    for source in (str(path), path.as_uri(), "with space+ä/releases.json"):
        (release,) = load(source)
        assert release.url == expected


@pytest.mark.parametrize("source", ["no-such-file.json", "file:///no/such/file", "."])
def test_a_list_that_is_not_there(source: str) -> None:
    """The error names the source and the setting."""
    with pytest.raises(UserError) as caught:
        load(source)
    assert caught.value.id == "release-list-unreadable"
    assert source in caught.value.title
    assert "BP_PYTHON_RELEASES" in caught.value.body


def test_credentials_of_a_list_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """They reach the archives beside it, and no error."""
    from python_buildpack import fetch

    answers = [listing(GOOD), b"nonsense"]
    monkeypatch.setattr(fetch, "fetch_bytes", lambda *_, **__: answers.pop(0))
    source = "https://me:s3cr3t@host.example/releases.json"
    (release,) = load(source)
    assert release.url == "https://me:s3cr3t@host.example/python.tar.gz"
    with pytest.raises(UserError) as caught:
        load(source)
    assert "s3cr3t" not in caught.value.title + caught.value.body
    assert "host.example" in caught.value.title


def test_a_package_holds_no_credentials_of_its_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the list's own nor those of an entry; the archives are fetched with them."""
    from python_buildpack import fetch

    elsewhere = {"url": "https://files.example/b.tar.gz?token=pa55word", "sha256": "b" * 64}
    entries = [GOOD, {**GOOD, **elsewhere, "version": "3.12.1"}]
    monkeypatch.setattr(fetch, "fetch_bytes", lambda *_, **__: listing(*entries))
    fetched: list[str] = []

    def fetch_archive(release: Release) -> Path:
        fetched.append(release.url)
        return Path(release.file_name)

    monkeypatch.setattr(package_runtimes, "fetch_archive", fetch_archive)
    source = package_runtimes.from_archives("amd64", "https://me:s3cr3t@host.example/list.json")
    for release in source.releases:
        source.archive(release)
    assert fetched == ["https://me:s3cr3t@host.example/python.tar.gz", elsewhere["url"]]
    written = f"{source.own_list!r} {source.default} {source.releases}"
    assert "https://host.example/python.tar.gz" in written
    assert "s3cr3t" not in written
    assert "pa55word" not in written


def test_the_builtin_list_is_read_from_the_package() -> None:
    """Its place is the package's own, wherever that lies."""
    assert Path(releases.__file__).parent.parent == DATA_DIR.parent


def with_support(support: Any) -> bytes:
    """A release list with support dates of its own."""
    return json.dumps({"format": 1, "releases": [GOOD], "support": support}).encode()


def test_a_list_may_bring_its_own_support_dates() -> None:
    """They take the place of the built-in ones, minor by minor; others stay."""
    dates = {"end_of_life": "2030-01-31", "refused_from": "2033-12-31"}
    found = parse_list(with_support({"3.8": dates, "3.99": dates}), "mine", base="").support
    assert found["3.8"].refused_from.isoformat() == "2033-12-31"
    assert found["3.8"].only_on == ()
    assert found["3.99"].end_of_life.isoformat() == "2030-01-31"
    assert found["3.13"] == builtin_support()["3.13"]
    assert builtin_support()["3.8"].only_on == ("ubuntu 20.04", "scalingo-20")


@pytest.mark.parametrize(
    "support",
    [
        [],
        {"3.13": None},
        {"3.13": {"end_of_life": "2029-10-31"}},
        {"3.13": {"end_of_life": "2029-10-31", "refused_from": "soon"}},
        {"3.13": {"end_of_life": "2029-10-31", "refused_from": "2029-10-31"}},
        {"3.13": {"end_of_life": "2029-10-31", "refused_from": "2030-10-31", "only_on": 3}},
        {"3": {"end_of_life": "2029-10-31", "refused_from": "2030-10-31"}},
        {"": {"end_of_life": "2029-10-31", "refused_from": "2030-10-31"}},
    ],
)
def test_broken_support_dates_are_errors(support: Any) -> None:
    """The error names the list and the minor version, and shows what it should be like."""
    with pytest.raises(UserError) as caught:
        parse_list(with_support(support), "my-list.json", base="")
    assert caught.value.id == "release-list-unreadable"
    assert "my-list.json" in caught.value.title
    assert "support" in caught.value.body


def test_packing_another_runtime_keeps_the_lists_support_dates(tmp_path: Path) -> None:
    """A list that the user has edited is added to; one archive is listed once."""
    path = tmp_path / "releases.json"
    for entry in (GOOD, {**GOOD, "version": "3.13.2"}):
        runtime_archive.add_to_list(path, entry)
    dates = {"3.13": {"end_of_life": "2030-01-31", "refused_from": "2033-12-31"}}
    path.write_text(json.dumps({**json.loads(path.read_text()), "support": dates}))
    runtime_archive.add_to_list(path, {**GOOD, "version": "3.13.3", "url": "other.tar.gz"})
    found = parse_list(path.read_bytes(), "mine", base="")
    assert [release.version for release in found.releases] == ["3.13.2", "3.13.3"]
    assert found.support["3.13"].refused_from.isoformat() == "2033-12-31"
