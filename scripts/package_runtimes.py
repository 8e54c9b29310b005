"""Where a package's runtimes come from: the archives of a release list, or this machine's CPythons."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from packaging.version import Version

import runtime_archive
from go_tools import cache_dir
from host_python import NoPython, find_host_python
from python_buildpack.fetch import download
from python_buildpack.log import Log
from python_buildpack.redact import without_credentials
from python_buildpack.runtime.releases import (
    DEFAULT_MINOR,
    FORMAT,
    Release,
    ReleaseList,
    builtin_list,
    load_list,
    parse_releases,
)


class PackageError(Exception):
    """Raised with a text for the user when the package cannot be made."""


@dataclass(frozen=True, kw_only=True)
class RuntimeSource:
    """Releases, how to get the archive of one, and which one runs the buildpack.

    `own_list` is what the package holds in place of the built-in release list; None: that one.
    """

    releases: tuple[Release, ...]
    archive: Callable[[Release], Path]
    default: Release
    own_list: bytes | None

    def newest(self, wanted: str, arch: str) -> Release:
        """The newest release of `3.13`, `3.13.2` or `3.14t`; raises `PackageError`."""
        return newest(self.releases, wanted, arch)


def newest(releases: Sequence[Release], wanted: str, arch: str) -> Release:
    """The newest of `releases` that `wanted` (`3.13`, `3.13.2`, `3.14t`) names; raises `PackageError`."""
    threads = wanted.endswith("t")
    number = wanted.removesuffix("t")
    fitting = [
        release
        for release in releases
        if release.arch == arch
        and release.free_threaded == threads
        and (release.version == number or release.version.startswith(f"{number}."))
    ]
    if not fitting:
        raise PackageError(f"There is no Python {wanted} for {arch} in the release list.")
    return max(fitting, key=lambda release: Version(release.version))


def from_archives(arch: str, own_list: str) -> RuntimeSource:
    """The archives of the built-in release list, or of the one at `own_list` (path or URL).

    Credentials in their URLs are for the making alone: the package goes to others.
    Raises `PackageError`, and `UserError` for a list that cannot be had.
    """
    known = load_list(own_list, Log(), os.environ) if own_list else builtin_list()
    urls = {release.sha256: release.url for release in known.releases}
    public = [replace(one, url=without_credentials(one.url)) for one in known.releases]
    known = replace(known, releases=tuple(public))
    return RuntimeSource(
        releases=known.releases,
        archive=lambda release: fetch_archive(replace(release, url=urls[release.sha256])),
        default=newest(known.releases, DEFAULT_MINOR, arch),
        own_list=_rendered(known) if own_list else None,
    )


def _rendered(known: ReleaseList) -> bytes:
    """A release list whose URLs no longer depend on where it came from."""
    support = json.dumps(
        {minor: asdict(dates) for minor, dates in known.support.items()}, default=str
    )
    lines = ",\n".join(json.dumps(asdict(release)) for release in known.releases)
    return f'{{"format": {FORMAT}, "support": {support}, "releases": [\n{lines}\n]}}\n'.encode()


def fetch_archive(release: Release) -> Path:
    """The release's archive, checked, and kept for the next time."""
    path = cache_dir() / "archives" / release.sha256 / release.file_name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mirror = os.environ.get("BP_DEPENDENCY_MIRROR")
        download(
            release.url, path, sha256=release.sha256, log=Log(), environ=os.environ, mirror=mirror
        )
    return path


def from_host(arch: str, python: str | None, minors: Sequence[str], work: Path) -> RuntimeSource:
    """This machine's CPythons, packed below `work`: `python`, and one of each of `minors`.

    Raises `PackageError`.
    """
    if arch != runtime_archive.this_arch():
        raise PackageError(f"RUNTIME=host makes a package for {runtime_archive.this_arch()} only.")
    try:
        default = runtime_archive.pack(python or find_host_python(), work)
        for minor in minors:
            if not f"{default['version']}.".startswith(f"{minor}."):
                runtime_archive.pack(find_host_python(minor), work)
    except (NoPython, runtime_archive.ArchiveError) as error:
        raise PackageError(str(error)) from None
    listed = (work / "releases.json").read_bytes()
    releases = parse_releases(listed, "the host's CPythons", base="")
    return RuntimeSource(
        releases=releases,
        archive=lambda release: work / release.url,
        default=next(one for one in releases if one.sha256 == default["sha256"]),
        own_list=listed,
    )
