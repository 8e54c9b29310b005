"""Whatever stands in a user's file: a result, or an error for the user. Never anything else.

`make fuzz SECONDS=600` looks for new inputs for that long; without it the same few are tried.
"""

from __future__ import annotations

import datetime
import os
import sys
import time
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.fuzz.parsers import EXCLUDED, SRC, parsers
from tests.fuzz.targets import TARGETS, Target, odd

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0")) / len(TARGETS)


def test_every_parser_has_a_target() -> None:
    """The good files of all targets lead through every function of src/ that parses.

    A new one wants its file in `targets.py`, or a reason in `EXCLUDED` of `parsers.py`.
    """
    wanted = parsers()
    reached: set[tuple[str, int]] = set()

    def note(frame: FrameType, event: str, arg: object) -> None:
        del arg
        if event == "call":
            reached.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    for target in TARGETS.values():
        sys.setprofile(note)
        try:
            target.try_with(target.good)
        finally:
            sys.setprofile(None)
    missing = {name for place, name in wanted.items() if place not in reached}
    assert not missing


def test_exclusions_exist() -> None:
    """A function that is gone needs no exclusion."""
    names = {
        ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SRC.rglob("*.py")
    }
    for name in EXCLUDED:
        module, _, function = name.rpartition(".")
        assert name in names or f"def {function}(" in names[module].read_text(), name


@pytest.mark.parametrize("name", TARGETS)
def test_odd_file(name: str) -> None:
    """Bytes and values replaced, cut out and multiplied."""
    target = TARGETS[name]
    if not SECONDS:
        _search(target, 25, derandomize=True)
        return
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        _search(target, 200, derandomize=False, deadline=datetime.timedelta(seconds=20))


def _search(target: Target, count: int, **options: Any) -> None:
    @settings(
        max_examples=count,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        **{"deadline": None, **options},
    )
    @given(st.one_of(st.just(target.good), odd(target.good, target.name)))
    def attempt(content: bytes) -> None:
        target.try_with(content)

    attempt()
