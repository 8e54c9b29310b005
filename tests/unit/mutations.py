"""Documents that went wrong: one value of a good one replaced, or taken out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

VALUES = st.one_of(
    st.integers(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.lists(st.one_of(st.integers(), st.text(max_size=4)), max_size=2),
    st.dictionaries(st.text(min_size=1, max_size=4), st.integers(), max_size=2),
    st.just([{}]),
    st.sampled_from(["../..", "/", "file:///", "a\x00b", "x; y", "-e .", "é", "${VAR}"]),
)


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value below `value`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*before, key)
            yield from places(inner, (*before, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield (*before, number)
            yield from places(inner, (*before, number))


@st.composite
def mutated(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """`good` with one to three values replaced or removed."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(document))
        if not found:
            break
        *path, last = draw(st.sampled_from(found))
        holder: Any = document
        for step in path:
            holder = holder[step]
        if draw(st.booleans()):
            # A copy: later rounds change it in place.
            holder[last] = copy.deepcopy(draw(VALUES))
        else:
            del holder[last]
    return document
