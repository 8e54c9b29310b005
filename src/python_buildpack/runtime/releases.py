"""The releases of CPython that can be installed, and how long each minor version is supported.

A release list is JSON: `{"format": 1, "releases": [{...}]}`, one object per archive with the
fields of `Release`. A `url` may be relative: it then resolves against the list's own place.
An optional `support` (minor version -> `end_of_life`, `refused_from`, as in data/support.json) takes
the place of the dates that come with the buildpack.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from python_buildpack import errors
from python_buildpack.log import Log
from python_buildpack.redact import redact

FORMAT = 1
DATA_DIR = Path(__file__).parent.parent / "data"
DEFAULT_MINOR = "3.13"


@dataclass(frozen=True, kw_only=True)
class Release:
    """One archive. `arch` is `amd64` or `arm64`; `glibc` is the oldest that it runs on."""

    version: str
    arch: str
    free_threaded: bool
    flavour: str
    build: str
    glibc: str
    url: str
    sha256: str

    @property
    def name(self) -> str:
        """As users write it: `3.13.2`, `3.13.2t` for a free-threaded build."""
        return f"{self.version}t" if self.free_threaded else self.version

    @property
    def file_name(self) -> str:
        """The archive's file name, unescaped."""
        return unquote(urlsplit(self.url).path).rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Support:
    """When a minor version's upstream support ends, and from when it is refused.

    `only_on`: the distributions (`ubuntu 20.04`) and stacks that it is offered on; empty: on all.
    """

    end_of_life: datetime.date
    refused_from: datetime.date
    only_on: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReleaseList:
    """What can be installed, and for how long: minor version -> its dates."""

    releases: tuple[Release, ...]
    support: Mapping[str, Support]


def builtin_list() -> ReleaseList:
    """The list that comes with the buildpack."""
    path = DATA_DIR / "releases.json"
    return parse_list(path.read_bytes(), str(path), base="")


def builtin_releases() -> tuple[Release, ...]:
    """Its releases alone."""
    return builtin_list().releases


def builtin_support() -> dict[str, Support]:
    """Minor version -> its dates, from `data/support.json`."""
    table = json.loads((DATA_DIR / "support.json").read_bytes())
    return {minor: _support(minor, dates, "data") for minor, dates in table["minors"].items()}


def load_list(source: str, log: Log, environ: Mapping[str, str]) -> ReleaseList:
    """The list at `source`, a path or an http(s) or file URL.

    Raises `UserError` when it cannot be had or is not a release list.
    """
    if re.match(r"https?://", source):
        from python_buildpack.fetch import fetch_bytes

        data = fetch_bytes(source, log=log, environ=environ)
        return parse_list(data, redact(source), base=source)
    path = Path(unquote(urlsplit(source).path) if source.startswith("file://") else source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise errors.release_list_unreadable(source, str(error)) from None
    return parse_list(data, source, base=path.absolute().as_uri())


def parse_list(data: bytes, source: str, *, base: str) -> ReleaseList:
    """Raises `UserError` for anything that is not a release list of this format."""
    try:
        table = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise errors.release_list_unreadable(source, f"It is not JSON: {error}.") from None
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise errors.release_list_unreadable(source, f'It lacks "format": {FORMAT}.')
    entries = table.get("releases")
    if not isinstance(entries, list) or not entries:
        raise errors.release_list_unreadable(source, 'It has no list of "releases".')
    own = table.get("support", {})
    if not isinstance(own, dict):
        raise errors.release_list_unreadable(source, 'Its "support" is not an object.')
    return ReleaseList(
        releases=tuple(
            _release(entry, number, source, base) for number, entry in enumerate(entries)
        ),
        support={
            **builtin_support(),
            **{minor: _support(minor, dates, source) for minor, dates in own.items()},
        },
    )


def parse_releases(data: bytes, source: str, *, base: str) -> tuple[Release, ...]:
    """The releases of such a list alone."""
    return parse_list(data, source, base=base).releases


def _support(minor: str, dates: Any, source: str) -> Support:
    try:
        support = Support(
            end_of_life=datetime.date.fromisoformat(dates["end_of_life"]),
            refused_from=datetime.date.fromisoformat(dates["refused_from"]),
            only_on=tuple(str(place) for place in dates.get("only_on", ())),
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        support = None
    if (
        support is None
        or not re.fullmatch(r"3\.[0-9]{1,3}", minor)
        or support.refused_from <= support.end_of_life
    ):
        raise errors.release_list_unreadable(
            source,
            f"Its support of {minor!r} is not like "
            '"3.13": {"end_of_life": "2029-10-31", "refused_from": "2030-10-31"}, '
            "the second date later than the first.",
        )
    return support


def _release(entry: Any, number: int, source: str, base: str) -> Release:
    values: dict[str, Any] = {}
    for field in fields(Release):
        value = entry.get(field.name) if isinstance(entry, dict) else None
        expected = bool if field.name == "free_threaded" else str
        if not isinstance(value, expected):
            raise errors.release_list_unreadable(
                source, f"Release {number}: {field.name} is missing or of the wrong type."
            )
        values[field.name] = value
    if not re.fullmatch(r"[0-9a-f]{64}", values["sha256"]):
        raise errors.release_list_unreadable(source, f"Release {number}: sha256 is not one.")
    if not re.fullmatch(r"3\.\d+\.\d+((a|b|rc)\d+)?", values["version"]):
        raise errors.release_list_unreadable(
            source, f"Release {number}: {values['version']!r} is not a version."
        )
    if not re.fullmatch(r"\d+(\.\d+)*", values["glibc"]):
        raise errors.release_list_unreadable(
            source, f"Release {number}: {values['glibc']!r} is not a version of glibc."
        )
    try:
        values["url"] = urljoin(base, values["url"]) if values["url"] else ""
        release = Release(**values)
        names_a_file = release.file_name.isprintable() and release.file_name not in ("", ".", "..")
    except ValueError:
        names_a_file = False
    if not names_a_file:
        raise errors.release_list_unreadable(source, f"Release {number}: its url names no file.")
    return release
