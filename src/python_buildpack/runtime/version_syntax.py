"""How a Python version is written: one version, a PEP 440 range, a constraint of Poetry's. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_buildpack import errors
from python_buildpack.runtime.releases import DEFAULT_MINOR

# What a build that changes nothing does not need is imported where it is used.
if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_LONGEST = 500
_VERSION = re.compile(
    r"(?P<minor>[0-9]{1,3}\.[0-9]{1,4})"
    r"(?:\.(?P<patch>[0-9]{1,4}(?:(?:a|b|rc)[0-9]{1,3})?|\*))?(?P<threads>t?)"
)
_EXACTLY = r"==\s*(?P<version>[0-9.]+(?:\.\*)?)"
_INSIDE = r"(?<![0-9.])3\.[0-9]{1,3}(?:\.[0-9]{1,3})?t?(?![0-9])"
_IMPLEMENTATIONS = (
    *("pypy", "graalpy", "graalpython", "jython", "ironpython", "micropython", "stackless"),
    *("pyston", "cinder", "activepython", "anaconda", "miniconda", "miniforge", "mambaforge"),
    *("nogil", "rustpython"),
)
_NO_VERSION = frozenset(
    [
        *("latest", "newest", "stable", "current", "default", "system", "lts", "any", "x", "*"),
        *("python", "cpython", "py"),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a request stands, for the user.

    `fix` is what to do, with `{wanted}` in it; `operator` goes before a bare version there.
    """

    name: str
    fix: str
    line: int | None = None
    key: str = ""
    operator: str = ""

    def __str__(self) -> str:
        where = self.name if self.line is None else f"{self.name} line {self.line}"
        return f"{where} ({self.key})" if self.key else where

    def fixed(self, wanted: str) -> str:
        """What to do to ask for `wanted` there: a version or a range."""
        operator = self.operator if wanted[:1].isdigit() else ""
        return self.fix.replace("{wanted}", operator + wanted)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A version that is asked for, as `text`.

    `version` is exact; `minor` alone means its newest patch; otherwise one of `ranges` must admit
    what is taken.
    """

    text: str
    source: Source
    minor: str | None = None
    version: str | None = None
    free_threaded: bool = False
    ranges: tuple[SpecifierSet, ...] = ()

    def admits(self, version: str) -> bool:
        """Whether `version` is what is asked for, whatever its kind of threads."""
        if self.version is not None:
            return version == self.version
        if self.minor is not None:
            return version.startswith(f"{self.minor}.")
        return any(one.contains(version, prereleases=True) for one in self.ranges)


def parse_request(text: str, source: Source, *, shown: str | None = None) -> Request:
    """What a person asks for: `3.13`, `3.13.2`, `3.12.*`, `3.14t` or a PEP 440 range.

    `shown` is the whole line, for errors. Raises `UserError`, a kind for each mistake.
    """
    text = text.strip()
    shown = text if shown is None else shown
    plain = _VERSION.fullmatch(text)
    if plain is not None:
        return _plain(text, source, plain)
    if re.match(r"[<>=!~^]", text):
        return _range((text,), source, shown)
    raise _mistake(text, source, shown)


def parse_range(*ranges: str, source: Source) -> Request:
    """The value of a `requires-python`: a PEP 440 range. Of several one must hold.

    Raises `UserError`.
    """
    return _range(ranges, source, " or ".join(ranges))


def parse_wish(text: str, source: Source) -> Request:
    """A version in a build plan: as `parse_request`; `3`, `3.*` and `*` are ranges there."""
    found = re.fullmatch(r"(?P<major>[0-9]{1,3})(?:\.[xX*]){0,2}|[xX*]", text.strip())
    if found is None:
        return parse_request(text, source)
    return _range((f"=={found['major']}.*" if found["major"] else "*",), source, text)


def is_poetrys(text: str) -> bool:
    """Whether a range is in Poetry's notation, not in that of PEP 440."""
    return re.search(r"\^|~(?!=)|\||[0-9*]\s+[<>=!]", text[:_LONGEST]) is not None


def from_poetrys(text: str) -> str:
    """The PEP 440 range that means the same; '' where it would take several, or it means nothing."""
    from python_buildpack.runtime.poetry_constraint import translate_poetry

    try:
        ranges = translate_poetry(text)
    except ValueError:
        return ""
    return ranges[0] if len(ranges) == 1 else ""


def parse_poetry(text: str, source: Source) -> Request:
    """A constraint of Poetry's (`^3.11`, `~3.11`, `>=3.10 <3.13`, `~3.11 || ~3.12`).

    Raises `UserError` for what Poetry does not understand either.
    """
    from python_buildpack.runtime.poetry_constraint import translate_poetry

    try:
        ranges = translate_poetry(text)
    except ValueError:
        ranges = ("",)
    if not all(one == "*" or _is_range(one) for one in ranges):
        raise errors.python_range_invalid(
            str(source), text, "Poetry does not understand this constraint.", _fix(source, text)
        )
    return _normal(["" if one == "*" else one for one in ranges], text, source)


def _plain(text: str, source: Source, found: re.Match[str]) -> Request:
    minor, patch = found["minor"], found["patch"]
    exact = patch not in (None, "*")
    return Request(
        text=text,
        source=source,
        minor=minor,
        version=f"{minor}.{patch}" if exact else None,
        free_threaded=bool(found["threads"]),
    )


def _range(ranges: Sequence[str], source: Source, shown: str) -> Request:
    for one in ranges:
        if one.strip() != "*" and not _is_range(one):
            hint, corrected = _corrected(one.strip())
            fix = source.fixed(corrected) if _is_range(corrected) else _fix(source, one)
            raise errors.python_range_invalid(str(source), shown, hint, fix)
    return _normal(["" if one.strip() == "*" else one for one in ranges], shown, source)


def _is_range(text: str) -> bool:
    from packaging.specifiers import SpecifierSet

    try:
        # Numbers that are too long are found when they are compared.
        return 0 < len(text) <= _LONGEST and SpecifierSet(text).contains("3.13.0") in (True, False)
    except ValueError:
        return False


def _normal(ranges: Sequence[str], text: str, source: Source) -> Request:
    """`==3.12.*` is the minor version, `==3.12.1` that version. Raises `ValueError`."""
    if len(ranges) == 1 and (found := re.fullmatch(_EXACTLY, ranges[0].strip())):
        version = found["version"]
        if re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,4}", version):
            version += ".0"  # PEP 440: a release is filled up with zeros
        plain = _VERSION.fullmatch(version)
        if plain is not None:
            return _plain(text, source, plain)
    from packaging.specifiers import SpecifierSet

    return Request(text=text, source=source, ranges=tuple(map(SpecifierSet, ranges)))


def _corrected(text: str) -> tuple[str, str]:
    """What is wrong with a range, and what was probably meant."""
    text = text[:_LONGEST]
    if re.match(r"[0-9]", text):
        return "A range needs an operator: a bare version is none.", _as_range(text)
    if "^" in text or re.search(r"~(?!=)", text) or "|" in text:
        return "This is Poetry's notation, not a PEP 440 range.", from_poetrys(text)
    if re.search(r"=[<>]", text):
        turned = text.replace("=>", ">=").replace("=<", "<=")
        return "The operators are >= and <=, not => and =<.", turned
    if re.match(r"=(?!=)", text):
        return "Equality is written with two signs.", _as_range(text[1:].strip())
    if re.search(r"[0-9*]\s*[<>=!~]", text):
        separated = re.sub(r"(?<=[0-9*])\s*(?=[<>=!~])", ",", text)
        return "The parts of a range are separated by commas.", separated
    return "It is not a PEP 440 range.", ""


def _as_range(version: str) -> str:
    if re.fullmatch(r"3(\.[x*]?)?", version):
        return ">=3.10"
    found = _VERSION.fullmatch(version)
    if found is None:
        return ""
    return f"=={version.rstrip('t')}" if found["patch"] else f"=={found['minor']}.*"


def _mistake(text: str, source: Source, shown: str) -> errors.UserError:
    lower = text[:_LONGEST].lower().strip("\"'` ")
    where = str(source)
    fix = _fix(source, text)
    if "/envs/" in lower:
        return errors.python_version_virtualenv(where, shown, fix)
    if lower.startswith(_IMPLEMENTATIONS):
        return errors.python_implementation_unsupported(where, shown, source.fixed(DEFAULT_MINOR))
    if lower in _NO_VERSION:
        return errors.python_version_moving(where, shown, source.fixed(DEFAULT_MINOR))
    if re.fullmatch(r"(c?python|v)?[-_@= ]*[0-9]{1,3}(\.[x*]){0,2}\.?", lower):
        return errors.python_version_major_only(where, shown, source.fixed(DEFAULT_MINOR))
    if found := re.fullmatch(r"(?:c?python|py)-?3([0-9]{1,2})", lower):
        return errors.python_version_spelling(where, shown, source.fixed(f"3.{found[1]}"))
    if re.match(r"(c?python|py|v|version)?[-_@=:\s]*3\.[0-9]", lower):
        return errors.python_version_spelling(where, shown, fix)
    if source.name == ".python-version" and re.fullmatch(r"[a-z_][\w.@+-]*", lower, re.ASCII):
        return errors.python_version_virtualenv(where, shown, fix)
    return errors.python_version_invalid(where, shown, fix)


def _fix(source: Source, text: str) -> str:
    """The fix, with the version that is in `text` where there is one."""
    found = re.search(_INSIDE, text[:_LONGEST])
    version = found[0] if found else DEFAULT_MINOR
    threads = "t" if "freethreaded" in text and not version.endswith("t") else ""
    return source.fixed(version + threads if not source.operator else version.rstrip("t"))
