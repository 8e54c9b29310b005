"""Where a build is stopped."""

from __future__ import annotations


def spread(first: int, last: int, count: int) -> list[int]:
    """`count` numbers from `first` to `last`, as far from each other as they can be."""
    return [first + (last - first) * n // max(count - 1, 1) for n in range(count)]
