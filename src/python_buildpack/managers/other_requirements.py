"""Requirement files in places that nothing reads: the layout of many projects with several of them.

pip has no name for such files, so which is the right one is the user's to say.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from python_buildpack.app.files import AppFiles

_FOLDER = "requirements"
_IN_ROOT = re.compile(r"requirements?[-_.]([\w.-]+)\.txt|([\w.-]+)[-_.]requirements?\.txt")
_IN_FOLDER = re.compile(r"([\w.-]+)\.txt")
_PRODUCTION = frozenset(["prod", "production", "live", "deploy", "deployment", "heroku"])
_COMMON = frozenset(["base", "common", "core", "main", "requirements", "default", "app", "web"])
_DEVELOPMENT = frozenset(
    [
        *("dev", "devel", "develop", "development", "local", "test", "tests", "testing", "tox"),
        *("ci", "lint", "linting", "linters", "style", "format", "typing", "mypy", "check"),
        *("doc", "docs", "documentation", "build", "debug", "bench", "benchmark", "tools"),
    ]
)


@dataclass(frozen=True, kw_only=True)
class OtherRequirements:
    """`names`, the likeliest first. `for_image`: the first is more than a developer's tools."""

    names: tuple[str, ...]
    for_image: bool


def other_requirements(files: AppFiles) -> OtherRequirements | None:
    """`requirements/*.txt`, `requirements-*.txt` and the like; None where there is none."""
    try:
        inner = os.listdir(files.root / _FOLDER)  # noqa: PTH208 - names alone
    except OSError:
        inner = []
    found = (
        *((name, _IN_ROOT.fullmatch(name)) for name in files.names),
        *((f"{_FOLDER}/{name}", _IN_FOLDER.fullmatch(name)) for name in inner),
    )
    ranked = sorted(
        (_rank(match[match.lastindex or 0]), name)
        for name, match in found
        if match and "constraint" not in name
    )
    if not ranked:
        return None
    return OtherRequirements(names=tuple(name for _, name in ranked), for_image=ranked[0][0] < 3)


def _rank(word: str) -> int:
    words = set(re.split(r"[-_.]", word.lower()))
    return 3 if words & _DEVELOPMENT else 0 if words & _PRODUCTION else 1 if words & _COMMON else 2
