"""A release: the version everywhere, the changelog, the SBOM and the checksums of the packages."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import package
import release
from python_buildpack.describe.cyclonedx import cyclonedx
from release import ReleaseError

DAY = datetime.date(2026, 11, 25)


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "01.2.3", "1.2.3rc1", "", "0.0.9"])
def test_no_version(version: str) -> None:
    """What buildpack.toml may not hold, and what is older than the source, is refused."""
    with pytest.raises(ReleaseError):
        release.check_version(version, "0.1.0")


def test_changelog() -> None:
    """What was unreleased becomes the release's section, and its notes; an empty one is an error."""
    text = (
        "# Changelog\n\n## Unreleased\n\n### Added\n- A thing.\n\n## 0.0.1 - 2026-01-01\n- Old.\n"
    )
    assert release.released_notes(text, "0.2.0") is None
    made = release.with_release(text, "0.2.0", DAY)
    assert made.index("## Unreleased") < made.index("## 0.2.0 - 2026-11-25") < made.index("A thing")
    assert release.released_notes(made, "0.2.0") == "### Added\n- A thing.\n"
    assert release.released_notes(made, "0.0.1") == "- Old.\n"
    with pytest.raises(ReleaseError, match="nothing to release"):
        release.with_release(made, "0.3.0", DAY)


def test_version_in_every_file() -> None:
    """Each file that names the version gets the new one; versions of other things stay."""
    old = package.version()
    for name in release.NAMING:
        text = (package.ROOT / name).read_text()
        made = release.renamed(text, old, "7.8.9")
        assert "7.8.9" in made, name
        assert f"python-buildpack-{old}" not in made
        assert release.renamed(made, "7.8.9", old) == text
    other = 'id = "heroku/deb-packages"\nversion = "0.1.0"\n'
    assert release.renamed(other, "0.1.0", "7.8.9") == other


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A package's directory, as far as an SBOM reads it."""
    folder = tmp_path / "python-buildpack-0.1.0-linux-amd64"
    entry = {
        "version": "3.13.1", "arch": "amd64", "free_threaded": False, "build": "1",
        "flavour": "install_only_stripped", "glibc": "2.17",
        "url": "https://runtimes.example.com/cpython-3.13.1.tar.gz", "sha256": "a" * 64,
    }  # fmt: skip
    info = folder / "vendor/tiny-1.0.dist-info"
    for path in (
        folder / "runtime",
        folder / "runtimes/3.12.9",
        info,
        folder / "uv",
        folder / "pip",
    ):
        path.mkdir(parents=True)
    (folder / "runtime/release.json").write_text(json.dumps(entry))
    (folder / "runtimes/3.12.9/release.json").write_text(json.dumps({**entry, "version": "3.12.9"}))
    (info / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: Tiny\nVersion: 1.0\nLicense-Expression: MIT\n"
    )
    (folder / "uv/VERSION").write_text("0.9.9\n")
    for version in ("26.3", "25.0.1"):
        (folder / f"pip/pip-{version}-py3-none-any.whl").write_bytes(version.encode())
    return folder


def test_bill_of_materials(made: Path) -> None:
    """Valid CycloneDX that names every part: runtimes, libraries, uv, each pip."""
    document = cyclonedx(release.bill_of(made))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    found = {(one["name"], one["version"]) for one in document["components"]}
    assert found == {
        ("python", "3.13.1"), ("python-3.12.9", "3.12.9"), ("tiny", "1.0"), ("uv", "0.9.9"),
        ("pip", "26.3"), ("pip", "25.0.1"),
    }  # fmt: skip


def test_checksums(tmp_path: Path) -> None:
    """As sha256sum reads them: the packages and their SBOMs."""
    for name in ("b.cnb", "a.cdx.json", "NOTES.md"):
        (tmp_path / name).write_text(name)
    lines = release.write_checksums(tmp_path).read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in ("a.cdx.json", "b.cnb")
    ]
