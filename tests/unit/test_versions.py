"""A request and the release list -> a release, or an error that says what to write."""

from __future__ import annotations

import pytest

from python_buildpack.errors import UserError
from python_buildpack.releases import Release
from python_buildpack.versions import Request, resolve


def release(version: str, *, arch: str = "amd64", free_threaded: bool = False) -> Release:
    """A release of which only the version matters."""
    return Release(
        version=version,
        arch=arch,
        free_threaded=free_threaded,
        flavour="install_only_stripped",
        build="20260101",
        glibc="2.17",
        url=f"https://host.example/{version}.tar.gz",
        sha256="0" * 64,
    )


RELEASES = (
    release("3.11.9"),
    release("3.12.7"),
    release("3.12.8"),
    release("3.13.0"),
    release("3.13.2"),
    release("3.14.0"),
    release("3.14.0", free_threaded=True),
    release("3.15.0a1"),
    release("3.13.9", arch="arm64"),
)


def ask(text: str, source: str = ".python-version line 1") -> Request:
    """A request as `.python-version` makes it."""
    return Request(text=text, source=source)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.13", "3.13.2"),
        ("3.12", "3.12.8"),
        ("3.12.7", "3.12.7"),
        ("3.12.*", "3.12.8"),
        (">=3.11,<3.13", "3.12.8"),
        (">=3.11", "3.13.2"),
        ("~=3.12.0", "3.12.8"),
        ("==3.11.*", "3.11.9"),
        ("!=3.13.2", "3.13.0"),
    ],
)
def test_a_request_resolves_to_a_release(text: str, expected: str) -> None:
    """Minors take the newest patch, ranges prefer the default minor."""
    assert resolve(ask(text), RELEASES, arch="amd64").release.version == expected


def test_a_free_threaded_request_takes_the_free_threaded_build() -> None:
    """`3.14t` is another build of the same version."""
    assert resolve(ask("3.14t"), RELEASES, arch="amd64").release.free_threaded


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("3.12.99", "python-version-unknown"),
        ("3.7", "python-version-unknown"),
        ("3.15", "python-version-unknown"),
        (">=4", "python-version-unknown"),
        ("3", "python-version-invalid"),
        ("latest", "python-version-invalid"),
        ("pypy3.10", "python-version-invalid"),
        (">=", "python-version-invalid"),
    ],
)
def test_a_mistaken_request_is_an_error_with_an_id(text: str, error: str) -> None:
    """Each kind of mistake has its own id."""
    with pytest.raises(UserError) as caught:
        resolve(ask(text), RELEASES, arch="amd64")
    assert caught.value.id == error


def test_a_missing_patch_names_the_nearest() -> None:
    """The body names patches that do exist."""
    with pytest.raises(UserError) as caught:
        resolve(ask("3.12.9"), RELEASES, arch="amd64")
    assert "3.12.7, 3.12.8" in caught.value.body


def test_without_a_request_the_default_is_taken_with_advice() -> None:
    """The advice is the line to commit."""
    resolution = resolve(None, RELEASES, arch="amd64")
    assert resolution.release.version == "3.13.2"
    assert resolution.warnings[0].endswith("3.13")


def test_the_minor_of_the_last_build_is_kept() -> None:
    """Sticky minor, newest patch."""
    resolution = resolve(None, RELEASES, arch="amd64", previous_version="3.12.1")
    assert resolution.release.version == "3.12.8"


def test_an_old_patch_warns_and_names_the_newest() -> None:
    """An exact pin is honoured, with a warning."""
    resolution = resolve(ask("3.12.7"), RELEASES, arch="amd64")
    assert "3.12.8" in resolution.warnings[0]


def test_a_conflict_names_both_sides() -> None:
    """A pin outside requires-python stops the build."""
    wanted = Request(text=">=3.13", source="pyproject.toml requires-python", is_range=True)
    with pytest.raises(UserError) as caught:
        resolve(ask("3.12"), RELEASES, arch="amd64", requires_python=wanted)
    assert "pyproject.toml" in caught.value.title
    assert ".python-version" in caught.value.title
