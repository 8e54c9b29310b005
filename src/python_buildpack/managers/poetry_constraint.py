"""Poetry's version constraints (`^1.2`, `~1.2`, `>=1,<2 || 3.*`) as specifiers of PEP 440. Pure."""

from __future__ import annotations

import functools
import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_PART = re.compile(r"(\^|~=|~|===|==|!=|<=|>=|<|>|=)?\s*([^\s,<>=!~^]+)")


@functools.cache
def specifiers(constraint: str) -> tuple[SpecifierSet, ...]:
    """The alternatives of `constraint`. Raises `ValueError` where it cannot be understood."""
    return tuple(_all_of(one) for one in re.split(r"\s*\|\|?\s*", constraint.strip()))


def allows(constraint: str, version: str) -> bool:
    """Whether `constraint` allows `version`. Raises `ValueError` where it cannot be understood."""
    return any(one.contains(version, prereleases=True) for one in specifiers(constraint))


def _all_of(text: str) -> SpecifierSet:
    text = text.strip().strip("()")
    rest = _PART.sub("", text)
    if rest.strip(" ,"):
        raise ValueError(f"{text!r} is not a version constraint")
    try:
        parts = [_specifier(operator, version) for operator, version in _PART.findall(text)]
        return SpecifierSet(",".join(part for part in parts if part))
    except (InvalidSpecifier, InvalidVersion) as error:
        raise ValueError(f"{text!r} is not a version constraint: {error}") from None


def _specifier(operator: str, version: str) -> str:
    if version in ("*", "x"):
        return ""
    if operator not in ("", "=", "==", "===", "!="):
        version = version.partition("+")[0]  # PEP 440 orders no local versions
    if operator == "^":
        return f">={version},<{_caret(Version(version))}"
    if operator == "~":
        return f">={version},<{_tilde(Version(version))}"
    if operator in ("", "="):
        operator = "=="
    return f"{operator}{version}"


def _caret(version: Version) -> str:
    """The next version that may break: the first number that is not zero, one higher."""
    release = version.release
    for place, number in enumerate(release):
        if number or place == len(release) - 1:
            return ".".join(map(str, (*release[:place], number + 1)))
    raise AssertionError("a version has a number")


def _tilde(version: Version) -> str:
    major, *rest = version.release
    return f"{major}.{rest[0] + 1}" if rest else f"{major + 1}"
