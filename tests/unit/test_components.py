"""The dependency graph and the purls of an SBOM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from python_buildpack.describe.components import (
    dependencies,
    direct_names,
    package_components,
    package_url,
)
from python_buildpack.packages.distribution import Distribution

HERE = {"python_version": "3.13", "sys_platform": "linux"}


def installed(graph: Mapping[str, Sequence[str]]) -> list[Distribution]:
    """Distributions by their requirement lines."""
    return [
        Distribution(name=name, version="1.0", fields={"requires-dist": tuple(lines)})
        for name, lines in graph.items()
    ]


@pytest.mark.parametrize(
    ("graph", "asked", "expected"),
    [
        ({"a": ["b"], "b": []}, (), {"a": ("b",), "b": ()}),
        # Not installed, not for this platform, not what is wanted, not a requirement at all.
        ({"a": ["c", "b; sys_platform == 'win32'", "???"], "b": []}, (), {"a": (), "b": ()}),
        ({"a": ["b; extra == 'x'"], "b": []}, (), {"a": (), "b": ()}),
        ({"a": ["b; extra == 'x'"], "b": []}, ["A[X]>=1"], {"a": ("b",), "b": ()}),
        ({"a": ["b; extra == 'x'"], "b": []}, ["a[x]==1 --hash=sha256:0"], {"a": ("b",), "b": ()}),
        # An extra that another package wants, known only after the first has been looked at.
        (
            {"z": ["a[x]"], "a": ["b[y]; extra == 'x'"], "b": ["c; extra == 'y'"], "c": []},
            (),
            {"z": ("a",), "a": ("b",), "b": ("c",), "c": ()},
        ),
        # A package that asks for an extra of itself, and a circle.
        (
            {"a": ["a[x]; extra == 'all'", "b; extra == 'x'"], "b": ["a"]},
            ["a[all]"],
            {"a": ("b",), "b": ("a",)},
        ),
    ],
)
def test_dependencies(
    graph: Mapping[str, Sequence[str]],
    asked: Sequence[str],
    expected: Mapping[str, tuple[str, ...]],
) -> None:
    """What is required here: markers, extras and circles."""
    assert dependencies(installed(graph), HERE, asked) == expected


@pytest.mark.parametrize(
    ("graph", "asked", "direct"),
    [
        ({}, (), ()),
        ({"a": ["b"], "b": [], "c": []}, (), ("a", "c")),
        ({"a": ["b"], "b": [], "c": []}, ["B"], ("a", "b", "c")),
        ({"a": ["b"], "b": ["a"]}, (), ("a",)),
        ({"a": ["b"], "b": ["a"], "c": []}, ["c"], ("a", "c")),
    ],
)
def test_direct(
    graph: Mapping[str, Sequence[str]], asked: Sequence[str], direct: tuple[str, ...]
) -> None:
    """What the app names, and then enough that nothing is out of reach."""
    components = package_components(installed(graph), {}, HERE, asked)
    assert direct_names(components, asked) == direct


@pytest.mark.parametrize(
    ("version", "direct_url", "purl"),
    [
        ("1!2.0+cpu", {}, "pkg:pypi/a@1%212.0%2Bcpu"),
        ("1.0", {"url": "file:///workspace", "dir_info": {}}, "pkg:generic/a@1.0"),
        ("1.0", {"url": "file:///vendor/a-1.0.whl", "archive_info": {}}, "pkg:pypi/a@1.0"),
        (
            "1.0",
            {"url": "https://me:pass@example.com/a-1.0.whl", "archive_info": {}},
            "pkg:pypi/a@1.0?download_url=https://example.com/a-1.0.whl",
        ),
        (
            "1.0",
            {
                "url": "https://token@example.com/a.git",
                "vcs_info": {"vcs": "git", "commit_id": "0a1b"},
            },
            "pkg:pypi/a@1.0?vcs_url=git%2Bhttps://example.com/a.git%400a1b",
        ),
    ],
)
def test_package_urls(version: str, direct_url: Mapping[str, Any], purl: str) -> None:
    """Where a package came from, without credentials; the app's own is in no ecosystem."""
    one = Distribution(name="a", version=version, direct_url=direct_url)
    assert package_url(one) == purl
