"""Requirement lines for what a lock pins. Pure; `ValueError` for what would not be one line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import quote

from packaging.version import Version

from python_buildpack.managers.names import pep503_name
from python_buildpack.presence import exists

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_HASH = re.compile("|".join(f"{kind}:[0-9a-fA-F]{{{n}}}" for kind, n in _DIGITS.items()))
_SCP = re.compile(r"(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+):(?P<path>[^/\\].*)")


def normal_name(name: str) -> str:
    """A distribution's name in its one spelling (PEP 503)."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"has a name that none can have: {name!r}")
    return pep503_name(name)


def pinned(name: str, version: str, marker: str = "", hashes: Iterable[str] = ()) -> str:
    """A version from an index; `===`, so that 1.0 is not met by 1.0+local."""
    return _line(f"{normal_name(name)}==={Version(version)}", marker, hashes)


def direct(name: str, url: str, marker: str = "", hashes: Iterable[str] = ()) -> str:
    """A file, directory or repository."""
    if not url or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("has a URL with a space, or none")
    return _line(f"{normal_name(name)} @ {url}", marker, hashes)


def unnamed(url: str, marker: str = "", hashes: Iterable[str] = ()) -> str:
    """A file or directory whose distribution says its name itself."""
    return direct("unnamed", url, marker, hashes).removeprefix("unnamed @ ")


def editable(project: Path, marker: str = "") -> str:
    """A project of the app's own, whose code stays where it is."""
    return _line(f"-e {project.as_uri()}", marker, ())


def _line(requirement: str, marker: str, hashes: Iterable[str]) -> str:
    if marker:
        from packaging.markers import Marker

        marker = str(Marker(marker))
    options = []
    for one in hashes:
        if not _HASH.fullmatch(one):
            raise ValueError(f"has a hash that is none: {one!r}")
        options.append(f" --hash={one}")
    return f"{requirement}{f' ; {marker}' if marker else ''}{''.join(options)}"


def vcs_url(kind: str, url: str, revision: str, subdirectory: str, root: Path) -> str:
    """`git+https://…@revision#subdirectory=…`, for any way to name a repository that git knows."""
    scp = _SCP.fullmatch(url)
    if "://" in url:
        address = url.removeprefix(f"{kind}+")
    elif scp and not exists(root / url):
        user = f"{scp['user']}@" if scp["user"] else ""
        address = f"ssh://{user}{scp['host']}/{scp['path']}"
    else:
        address = (root / url).resolve().as_uri()
    at = f"@{revision}" if revision else ""
    fragment = f"#subdirectory={quote(subdirectory)}" if subdirectory else ""
    return f"{kind}+{address}{at}{fragment}"


def binary_options(
    no_binary: Collection[str], only_binary: Collection[str], names: Iterable[str]
) -> tuple[str, ...]:
    """The lines that build some of `names`, which an index serves, or that do not build them.

    The other two hold names, or `:all:`, to which a name in the other one is an exception. That is
    written out: the lines would count for what a build itself needs, too.
    """
    built, ready = ({pep503_name(name) for name in given} for given in (no_binary, only_binary))
    found: list[str] = []
    for name in dict.fromkeys(names):
        if name in ready or (":all:" in ready and name not in built):
            found.append(f"--only-binary {name}")
        elif name in built or ":all:" in built:
            found.append(f"--no-binary {name}")
    return tuple(found)


def by_index(
    lines: Iterable[tuple[str, str]], shared: Collection[str]
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Of (line, index) pairs the lines of no index or of a `shared` one, and the others by index."""
    anywhere: list[str] = []
    pinned_to: dict[str, tuple[str, ...]] = {}
    for line, index in lines:
        if not index or index in shared:
            anywhere.append(line)
        else:
            pinned_to[index] = (*pinned_to.get(index, ()), line)
    return tuple(anywhere), pinned_to
