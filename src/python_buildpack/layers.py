"""The layers: their keys, and whether each is reused or made anew, and why. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PYTHON = "python"
VENV = "venv"
PIP_CACHE = "pip-cache"
NLTK_DATA = "nltk-data"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class PythonKey:
    """What the bytes of the `python` layer are a function of."""

    version: str
    archive_sha256: str
    trim_recipe: int
    arch: str
    glibc: str
    location: str


@dataclass(frozen=True, kw_only=True)
class VenvKey:
    """What the bytes of the `venv` layer are a function of."""

    python: str
    python_sha256: str
    manager: str
    installer: str
    recipe: int
    inputs: Mapping[str, str]
    options: tuple[str, ...]
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    refresh: str
    location: str


@dataclass(frozen=True, kw_only=True)
class NltkDataKey:
    """What the `nltk-data` layer is made for: what it holds is as new as the day it was made."""

    names: tuple[str, ...]
    index: str
    recipe: int
    refresh: str
    location: str


_NAMES = {
    "names": "nltk.txt",
    "index": "BP_NLTK_INDEX",
    "python": "Python",
    "version": "Python",
    "archive_sha256": "the runtime's archive",
    "python_sha256": "the runtime's archive",
    "trim_recipe": "how the runtime is trimmed",
    "recipe": "how packages are installed",
    "arch": "the architecture",
    "glibc": "the runtime's minimum glibc",
    "location": "the layers' or the app's path",
    "manager": "the package manager",
    "installer": "the installer",
    "options": "the installer's options",
    "groups": "BP_PYTHON_GROUPS",
    "extras": "BP_PYTHON_EXTRAS",
    "refresh": "BP_PYTHON_REFRESH",
}

_NAMED = 8  # requirements, of those that were added or removed


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`reasons` is empty when the layer is reused."""

    reasons: tuple[str, ...]

    @property
    def reuse(self) -> bool:
        return not self.reasons


def as_table(key: PythonKey | VenvKey | NltkDataKey) -> dict[str, Any]:
    """`key` as the layer's `[metadata]` holds it."""
    table = dataclasses.asdict(key)
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in table.items()
    }


def digest(value: object) -> str:
    """A short name for a value of metadata: equal ones have the same."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def compare(key: PythonKey | VenvKey | NltkDataKey, restored: object) -> Decision:
    """Every reason why a layer with the `restored` metadata does not fit `key`."""
    if restored is None:
        return Decision(reasons=("there is no earlier build to reuse",))
    if not isinstance(restored, Mapping) or restored.get("format") != FORMAT:
        return Decision(reasons=("the earlier layer was written by another version",))
    old = restored.get("key")
    new = as_table(key)
    if not isinstance(old, Mapping) or set(old) != set(new):
        return Decision(reasons=("the earlier layer was written by another version",))
    reasons: list[str] = []
    for name, value in new.items():
        if old[name] == value:
            continue
        if name == "inputs" and isinstance(old[name], Mapping):
            reasons += _input_reasons(old[name], value)
        elif name in ("version", "python"):
            reasons.append(f"Python {old[name]} -> {value}")
        elif name in ("archive_sha256", "python_sha256", "location"):
            reasons.append(f"{_NAMES[name]} changed")
        else:
            reasons.append(
                f"{_NAMES.get(name, name)} changed: {_shown(old[name])} -> {_shown(value)}"
            )
    if len(reasons) > 1:
        reasons = [r for r in reasons if not r.startswith("the runtime's archive")] or reasons
    return Decision(reasons=tuple(reasons))


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        value = int(value)  # the lifecycle gives whole numbers back as fractions
    return str(value)


def _input_reasons(old: Mapping[str, Any], new: Mapping[str, str]) -> list[str]:
    reasons = [f"{name} changed" for name in new if name in old and old[name] != new[name]]
    reasons += [f"{name} is new" for name in new if name not in old]
    reasons += [f"{name} is gone" for name in old if name not in new]
    return reasons


def changed_lines(old: object, new: Mapping[str, tuple[str, ...]]) -> list[str]:
    """`added X` and `removed Y`, for the requirement lines of two builds."""
    if not isinstance(old, Mapping):
        return []
    lists = [lines for lines in old.values() if isinstance(lines, list)]
    before = {line for lines in lists for line in lines if isinstance(line, str)}
    after = {line for lines in new.values() for line in lines}
    return [f"removed {line}" for line in sorted(before - after)] + [
        f"added {line}" for line in sorted(after - before)
    ]


def summed_up(changed: Sequence[str]) -> list[str]:
    """What `changed_lines` found in a few words: `added X, Y`, `removed Z and 3 more`."""
    told = []
    for verb in ("added ", "removed "):
        names = [line.removeprefix(verb) for line in changed if line.startswith(verb)]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            told.append(verb + ", ".join(names[:_NAMED]) + more)
    return told
