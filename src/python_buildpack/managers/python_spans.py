"""Where a lock's markers hold: for which Python versions, before the version is chosen. Pure.

A lock mentions few versions, so all versions between two of them give every marker the same
answer. Each such span is tried once, with one version that stands for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Where the apps run. What else a marker may ask for is the machine's own (`os.uname`).
LINUX = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
_VERSION = re.compile(r"(?<![\w.])3\.(\d{1,6})(?:\.(\d{1,6}))?(?!\d)")
# `extra` is one name in PEP 508; a lock is evaluated for several at once (PEP 751).
_EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*("[^"]*"|'[^']*')""")


@dataclass(frozen=True, kw_only=True)
class Span:
    """Neighbouring Python versions; `version` stands for them, the markers are its two ends."""

    version: str
    lower: str = ""
    upper: str = ""


class PythonSpans:
    """The spans of what `texts` (markers, version ranges) mention, on this `machine`."""

    def __init__(self, texts: Iterable[str], machine: Mapping[str, str] = LINUX) -> None:
        self.spans = _spans(texts)
        self._machine = machine
        self._known: dict[tuple[str, frozenset[str]], tuple[bool, ...]] = {}

    def where(self, marker: str, extras: frozenset[str] = frozenset()) -> tuple[bool, ...]:
        """For each span whether `marker` holds (empty: it does), with these extras active.

        Raises `ValueError` for what is no marker.
        """
        if not marker.strip():
            return (True,) * len(self.spans)
        known = self._known.get((marker, extras))
        if known is None:
            known = self._evaluate(marker, extras)
            self._known[marker, extras] = known
        return known

    def _evaluate(self, marker: str, extras: frozenset[str]) -> tuple[bool, ...]:
        from packaging.markers import Marker

        several = {"==": "in", "!=": "not in"}
        parsed = Marker(_EXTRA.sub(lambda found: f"{found[2]} {several[found[1]]} extras", marker))
        return tuple(
            parsed.evaluate({**self._environment(span.version), "extras": extras}, "lock_file")
            for span in self.spans
        )

    def _environment(self, version: str) -> dict[str, str]:
        return {
            **self._machine,
            "python_version": ".".join(version.split(".")[:2]),
            "python_full_version": version,
            "implementation_version": version,
        }

    def marker(self, chosen: Sequence[bool]) -> str | None:
        """The marker for the chosen spans: empty for all of them, None for none."""
        if all(chosen):
            return ""
        runs: list[str] = []
        start: int | None = None
        for number, here in enumerate([*chosen, False]):
            if here and start is None:
                start = number
            elif not here and start is not None:
                ends = (self.spans[start].lower, self.spans[number - 1].upper)
                runs.append(" and ".join(dict.fromkeys(end for end in ends if end)))
                start = None
        if len(runs) > 1:
            runs = [f"({run})" if " and " in run else run for run in runs]
        return " or ".join(runs) or None


def _spans(texts: Iterable[str]) -> tuple[Span, ...]:
    minors: dict[int, set[int]] = {}
    for text in texts:
        full = "full_version" in text or "implementation_version" in text
        for minor, patch in _VERSION.findall(text):
            patches = minors.setdefault(int(minor), set())
            # `python_full_version > "3.9"` holds for 3.9.1, and not for 3.9.0.
            patches.update([int(patch)] if patch else [0] if full else [])
    if not minors:
        return (Span(version="3.13.0"),)
    found: list[Span] = []
    previous: int | None = None
    for minor, patches in sorted(minors.items()):
        if previous is None:
            if minor > 0:
                found.append(
                    Span(version=f"3.{minor - 1}.0", upper=f'python_version < "3.{minor}"')
                )
        elif minor - previous > 1:
            found.append(
                Span(
                    version=f"3.{previous + 1}.0",
                    lower=f'python_version > "3.{previous}"',
                    upper=f'python_version < "3.{minor}"',
                )
            )
        found += _patch_spans(minor, sorted(patches))
        previous = minor
    found.append(Span(version=f"3.{minor + 1}.0", lower=f'python_version > "3.{minor}"'))
    return tuple(found)


def _patch_spans(minor: int, patches: Sequence[int]) -> list[Span]:
    """The spans within one minor version. Its pre-releases count as its first patch."""
    starts = sorted({0, *patches, *(patch + 1 for patch in patches)})
    if not patches:
        starts = [0]
    spans = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        first, last = start == 0, end is None
        spans.append(
            Span(
                version=f"3.{minor}.{start}",
                lower=f'python_version >= "3.{minor}"'
                if first
                else f'python_full_version >= "3.{minor}.{start}"',
                upper=f'python_version <= "3.{minor}"'
                if last
                else f'python_full_version < "3.{minor}.{end}"',
            )
        )
    return spans
