"""A request for a Python version and the list of releases -> one release. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from python_buildpack import errors
from python_buildpack.releases import Release

DEFAULT_MINOR = "3.13"
_PLAIN = re.compile(r"(?P<minor>3\.\d+)(?:\.(?P<patch>\d+|\*))?(?P<threads>t?)$")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for, and where: `source` is shown to the user."""

    text: str
    source: str
    is_range: bool = False


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The chosen release, why, and what the user should be told."""

    release: Release
    origin: str
    warnings: tuple[str, ...] = ()


def _minor(release: Release) -> str:
    return ".".join(release.version.split(".")[:2])


def _newest(releases: Sequence[Release]) -> Release:
    return max(releases, key=lambda release: Version(release.version))


def resolve(
    request: Request | None,
    releases: Sequence[Release],
    *,
    arch: str,
    previous_version: str | None = None,
    requires_python: Request | None = None,
) -> Resolution:
    """The release to use.

    Raises `UserError` for a request that is not understood, that no release meets, or that
    contradicts `requires_python`.
    """
    offered = [r for r in releases if r.arch == arch and not Version(r.version).is_prerelease]
    if request is not None:
        chosen = _requested(request, offered, arch)
        warnings = _old_patch_warning(chosen, offered, request)
        if requires_python is not None and not _specifiers(requires_python).contains(
            chosen.version, prereleases=True
        ):
            raise errors.python_version_conflict(
                f"{request.source} asks for {request.text}",
                f"{requires_python.source} requires {requires_python.text}",
            )
        return Resolution(release=chosen, origin=request.source, warnings=warnings)
    if requires_python is not None:
        chosen = _requested(requires_python, offered, arch)
        return Resolution(
            release=chosen, origin=f"{requires_python.source} ({requires_python.text})"
        )
    plain = [r for r in offered if not r.free_threaded]
    advice = (
        "No Python version is asked for. To choose one, commit a file .python-version "
        "with the line: "
    )
    if previous_version is not None:
        minor = ".".join(previous_version.split(".")[:2])
        same = [r for r in plain if _minor(r) == minor]
        if same:
            return Resolution(
                release=_newest(same),
                origin="the version of the last build",
                warnings=(advice + minor,),
            )
    if not plain:
        raise errors.python_version_unknown("the default", DEFAULT_MINOR, [], [])
    default = [r for r in plain if _minor(r) == DEFAULT_MINOR] or plain
    chosen = _newest(default)
    return Resolution(release=chosen, origin="the default", warnings=(advice + _minor(chosen),))


def _specifiers(request: Request) -> SpecifierSet:
    try:
        return SpecifierSet(request.text)
    except InvalidSpecifier as error:
        raise errors.python_version_invalid(
            request.source, request.text, f"It is not a PEP 440 range: {error}."
        ) from None


def _requested(request: Request, offered: Sequence[Release], arch: str) -> Release:
    text = request.text.strip()
    plain = None if request.is_range else _PLAIN.match(text)
    if plain is not None:
        threaded = bool(plain["threads"])
        candidates = [
            r for r in offered if r.free_threaded == threaded and _minor(r) == plain["minor"]
        ]
        if plain["patch"] not in (None, "*"):
            wanted = f"{plain['minor']}.{plain['patch']}"
            exact = [r for r in candidates if r.version == wanted]
            if not exact:
                raise _unknown(request, wanted, candidates, offered)
            return exact[0]
        if not candidates:
            raise _unknown(request, text, candidates, offered)
        return _newest(candidates)
    if not request.is_range and not re.match(r"[<>=!~]", text):
        raise errors.python_version_invalid(
            request.source, request.text, "It is neither a version nor a PEP 440 range."
        )
    specifiers = _specifiers(request)
    candidates = [r for r in offered if not r.free_threaded and specifiers.contains(r.version)]
    if not candidates:
        raise _unknown(request, text, [], offered)
    default = [r for r in candidates if _minor(r) == DEFAULT_MINOR]
    return _newest(default or candidates)


def _unknown(
    request: Request, wanted: str, same_minor: Sequence[Release], offered: Sequence[Release]
) -> errors.UserError:
    def distance(release: Release) -> int:
        try:
            return abs(Version(release.version).micro - Version(wanted).micro)
        except InvalidVersion:
            return 0

    near = sorted(sorted(same_minor, key=distance)[:3], key=lambda r: Version(r.version))
    minors = sorted({_minor(r) for r in offered}, key=Version, reverse=True)
    return errors.python_version_unknown(request.source, wanted, [r.version for r in near], minors)


def _old_patch_warning(
    chosen: Release, offered: Sequence[Release], request: Request
) -> tuple[str, ...]:
    same = [
        r
        for r in offered
        if _minor(r) == _minor(chosen) and r.free_threaded == chosen.free_threaded
    ]
    newest = _newest(same)
    if newest.version == chosen.version:
        return ()
    return (
        f"Python {chosen.version} ({request.source}) is not the newest patch: "
        f"{newest.version} has the latest security fixes. "
        f"Write {_minor(chosen)} to get newer patches by themselves.",
    )
