"""What was chosen, and which file it came from."""

from __future__ import annotations

import pytest

from python_buildpack.managers.requirement_files import names_with_hash
from python_buildpack.packages.resolution import (
    Artifact,
    Resolved,
    constraints,
    installed_artifact,
    passed_over,
    read_pip_report,
    read_pylock,
    without_hash,
)

PYLOCK = {
    "packages": [
        {
            "name": "Markup_Safe",
            "version": "3.0",
            "sdist": {"url": "https://u:p@host.example/markupsafe-3.0.tar.gz", "hashes": {"sha256": "s"}},
            "wheels": [
                {"url": "https://host.example/markupsafe-3.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "hashes": {"sha256": "a"}},
                {"url": "https://host.example/markupsafe-3.0-cp313-cp313-musllinux_1_2_x86_64.whl", "hashes": {"sha256": "b"}},
                {"url": "https://host.example/markupsafe-3.0-cp312-cp312-manylinux_2_17_x86_64.whl", "hashes": {"sha256": "c"}},
            ],
        },
        {"name": "plain", "version": "1", "wheels": [{"path": "wheels/plain-1-py3-none-any.whl"}]},
        {"name": "app", "directory": {"path": ".", "editable": True}},
        {"name": "repo", "version": "1", "vcs": {"type": "git", "url": "file:///x", "commit-id": "0"}},
        {"name": "direct", "version": "2", "archive": {"url": "https://h.example/direct-2-py3-none-any.whl", "hashes": {"sha256": "d"}}},
    ]
}  # fmt: skip


def test_pylock_is_read() -> None:
    """Names are normalised, credentials removed, every kind of source told apart."""
    packages = {package.name: package for package in read_pylock(PYLOCK)}
    assert {name: package.kind for name, package in packages.items()} == {
        "markup-safe": "index",
        "plain": "index",
        "app": "directory",
        "repo": "vcs",
        "direct": "url",
    }
    sdist = packages["markup-safe"].artifacts[-1]
    assert sdist == Artifact(
        file="markupsafe-3.0.tar.gz", url="https://host.example/markupsafe-3.0.tar.gz", sha256="s"
    )


def test_constraints_hold_an_installation_to_stated_hashes() -> None:
    """Only what comes from an index, and only where every file has a hash."""
    assert constraints(read_pylock(PYLOCK)) == [
        "markup-safe==3.0 --hash=sha256:a --hash=sha256:b --hash=sha256:c --hash=sha256:s"
    ]


def test_what_nobody_vouches_for_is_named() -> None:
    """The app's own directories are not counted."""
    packages = read_pylock(PYLOCK)
    assert without_hash(packages, ()) == [
        "repo (from version control)",
        "direct (a URL without a hash)",
    ]
    stated = names_with_hash(["Direct @ https://h.example/direct.whl#sha256=d", "plain==1"])
    assert without_hash(packages, stated) == ["repo (from version control)"]


@pytest.mark.parametrize(
    ("tags", "file"),
    [
        ({"cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-manylinux2014_x86_64"}, "a"),
        ({"cp313-cp313-manylinux2014_x86_64"}, "a"),
        ({"cp313-cp313-musllinux_1_2_x86_64"}, "b"),
        ({"cp313-cp313-linux_x86_64"}, "s"),
    ],
)
def test_the_installed_file_is_told_by_its_tags(tags: set[str], file: str) -> None:
    """A wheel that no file on the index has was built from the sdist."""
    package = read_pylock(PYLOCK)[0]
    artifact = installed_artifact(package, frozenset(tags))
    assert artifact is not None
    assert artifact.sha256 == file


def test_an_unsure_file_is_none() -> None:
    """Two wheels that fit are no answer."""
    wheels = [Artifact(file=f"a-1-{n}-py3-none-any.whl", url="", sha256=n) for n in ("1", "2")]
    package = Resolved(name="a", version="1", kind="index", artifacts=tuple(wheels))
    assert installed_artifact(package, frozenset({"py3-none-any"})) is None


def test_pip_report_is_read() -> None:
    """pip names the one file that it installed."""
    report = {
        "install": [
            {
                "download_info": {
                    "url": "https://host.example/six-1-py3-none-any.whl",
                    "archive_info": {"hashes": {"sha256": "a"}},
                },
                "is_direct": False,
                "metadata": {"name": "Six", "version": "1"},
            },
            {
                "download_info": {"url": "file:///app", "dir_info": {"editable": True}},
                "is_direct": True,
                "metadata": {"name": "app", "version": "0"},
            },
        ]
    }
    six, app = read_pip_report(report)
    assert (six.name, six.kind, six.artifacts[0].sha256) == ("six", "index", "a")
    assert (app.kind, app.artifacts) == ("directory", ())


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("One-Two>=1.0rc1", ["one-two"]),
        ('one.two[x] (~=1.0b1) ; extra == "test"', ["one-two"]),
        ("one-two>=1.0.dev3,<2", ["one-two"]),
        ("one-two!=1.0rc1", []),
        ("one-two>=1.0", []),
        ("early>=1.0rc1", []),
        ("absent>=1.0rc1", []),
        ("one-two @ https://host.example/one-two-1.0rc1.zip", []),
        ("not a requirement 1.0rc1", []),
    ],
)
def test_pre_releases_that_were_passed_over(requirement: str, expected: list[str]) -> None:
    """A package asks for a pre-release, and a final version was chosen: pip might not have."""
    versions = {"one-two": "1.0", "early": "1.0rc2", "odd": "not a version"}
    assert passed_over(versions, [requirement, "odd>=1.0rc1", "odd>=1"]) == expected
