"""What an installer chose, file by file: read from a lock of uv's or from pip's report. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from python_buildpack.redact import without_credentials

# A cheap look before a requirement is parsed: most name no pre-release.
_PRE_RELEASE = re.compile(r"\d[-_.]?(a|b|c|rc|alpha|beta|pre|preview|dev)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that a package can be installed from. `sha256` is empty where nobody stated it."""

    file: str
    url: str
    sha256: str

    @property
    def is_wheel(self) -> bool:
        return self.file.endswith(".whl")


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """One package of the resolution. `artifacts` is empty for what comes from VCS or a directory.

    `kind`: `index`, `url`, `vcs` or `directory`.
    """

    name: str
    version: str
    kind: str
    artifacts: tuple[Artifact, ...] = ()


def read_pylock(table: Mapping[str, Any]) -> tuple[Resolved, ...]:
    """The packages of a pylock.toml (PEP 751) as uv writes it for one environment."""
    return tuple(_read_package(package) for package in table.get("packages", ()))


def _read_package(package: Mapping[str, Any]) -> Resolved:
    name = canonicalize_name(package["name"])
    version = str(package.get("version", ""))
    if "archive" in package:
        return Resolved(
            name=name, version=version, kind="url", artifacts=(_artifact(package["archive"]),)
        )
    for kind in ("vcs", "directory"):
        if kind in package:
            return Resolved(name=name, version=version, kind=kind)
    files = list(package.get("wheels", ()))
    files += [package["sdist"]] if "sdist" in package else []
    artifacts = tuple(_artifact(file) for file in files)
    return Resolved(name=name, version=version, kind="index", artifacts=artifacts)


def _artifact(file: Mapping[str, Any]) -> Artifact:
    url = str(file.get("url") or file.get("path", ""))
    name = file.get("name") or unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    sha256 = str(file.get("hashes", {}).get("sha256", ""))
    return Artifact(file=str(name), url=without_credentials(url), sha256=sha256)


def read_pip_report(report: Mapping[str, Any]) -> tuple[Resolved, ...]:
    """The packages of pip's installation report, each with the one file that was installed."""
    return tuple(_read_reported(item) for item in report.get("install", ()))


def _read_reported(item: Mapping[str, Any]) -> Resolved:
    download = item["download_info"]
    url = without_credentials(str(download.get("url", "")))
    kind = "vcs" if "vcs_info" in download else "directory" if "dir_info" in download else "url"
    artifacts: tuple[Artifact, ...] = ()
    if kind == "url":
        archive = download.get("archive_info", {})
        sha256 = str(archive.get("hashes", {}).get("sha256", ""))
        file = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        artifacts = (Artifact(file=file, url=url, sha256=sha256),)
        kind = "url" if item.get("is_direct") else "index"
    metadata = item["metadata"]
    return Resolved(
        name=canonicalize_name(metadata["name"]),
        version=str(metadata["version"]),
        kind=kind,
        artifacts=artifacts,
    )


def constraints(packages: Sequence[Resolved]) -> list[str]:
    """Requirement lines that hold an installation to the index's own hashes."""
    return [
        f"{package.name}=={package.version} {hashes}"
        for package in packages
        if (hashes := " ".join(_hash_options(package)))
    ]


def _hash_options(package: Resolved) -> Iterator[str]:
    if package.kind == "index" and all(one.sha256 for one in package.artifacts):
        for one in package.artifacts:
            yield f"--hash=sha256:{one.sha256}"


def without_hash(packages: Sequence[Resolved], stated: Collection[str]) -> list[str]:
    """`name (why)` of what no hash vouches for: neither the app's files nor the index.

    The resolution cannot tell: installers compute what is missing. `stated` are the names whose
    hash the app's files state. The app's own directories are not counted.
    """
    reasons = {"vcs": "from version control", "url": "a URL without a hash"}
    return [
        f"{package.name} ({reasons[package.kind]})"
        for package in packages
        if package.kind in reasons and package.name not in stated
    ]


def installed_artifact(package: Resolved, wheel_tags: frozenset[str]) -> Artifact | None:
    """The file that an installed package came from, told by the tags of its dist-info/WHEEL.

    None where that cannot be told for sure. A package that fits no wheel was built from its sdist.
    """
    if len(package.artifacts) == 1:
        return package.artifacts[0]
    wheels = [one for one in package.artifacts if one.is_wheel]
    exact = [one for one in wheels if _tags(one.file) == wheel_tags]
    near = exact or [one for one in wheels if _tags(one.file) & wheel_tags]
    if len(near) == 1:
        return near[0]
    sdists = [one for one in package.artifacts if not one.is_wheel]
    return sdists[0] if not near and len(sdists) == 1 else None


def _tags(file: str) -> frozenset[str]:
    try:
        return frozenset(str(tag) for tag in parse_wheel_filename(file)[3])
    except InvalidWheelFilename:
        return frozenset()


def admits_python(requires_python: str, version: str) -> bool:
    """Whether pip would take a package with this Requires-Python for Python `version`.

    uv leaves upper bounds out of account. What is not valid pip passes over.
    """
    if not requires_python:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requires_python).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True


def passed_over(versions: Mapping[str, str], requirements: Iterable[str]) -> list[str]:
    """The packages of `versions` that have a final version though a package asks for a pre-release.

    pip takes pre-releases wherever a specifier names one, uv where the app itself names one, or
    where there is nothing else. Markers are not looked at: this is a reason to ask pip, no more.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion, Version

    found = []
    for line in requirements:
        if not _PRE_RELEASE.search(line):
            continue
        try:
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            if (
                name in versions
                and requirement.specifier.prereleases
                and not Version(versions[name]).is_prerelease
            ):
                found.append(name)
        except (InvalidRequirement, InvalidVersion):
            continue
    return sorted(set(found))
