"""Reuse or rebuild, and every reason."""

from __future__ import annotations

import dataclasses

from python_buildpack.layers import FORMAT, VenvKey, as_table, changed_lines, compare, summed_up

KEY = VenvKey(
    python="3.13.1",
    python_sha256="a",
    manager="pip",
    installer="uv 1",
    recipe=1,
    inputs={"requirements.txt": "1"},
    options=(),
    groups=(),
    extras=(),
    refresh="",
    location="/layers:/workspace",
)


def restored(key: VenvKey) -> dict[str, object]:
    """The metadata that an earlier build with `key` left."""
    return {"format": FORMAT, "key": as_table(key)}


def test_equal_keys_are_reused() -> None:
    """Nothing changed, nothing is done."""
    assert compare(KEY, restored(KEY)).reuse


def test_every_reason_is_given() -> None:
    """All differences are named, not the first."""
    old = dataclasses.replace(
        KEY, python="3.13.0", python_sha256="b", inputs={"requirements.txt": "0", "x.txt": "1"}
    )
    assert compare(KEY, restored(old)).reasons == (
        "Python 3.13.0 -> 3.13.1",
        "requirements.txt changed",
        "x.txt is gone",
    )


def test_numbers_are_shown_as_they_were_written() -> None:
    """The lifecycle gives whole numbers back as fractions."""
    old = {**restored(KEY), "key": {**as_table(KEY), "recipe": float(KEY.recipe + 1)}}
    (reason,) = compare(KEY, old).reasons
    assert reason == f"how packages are installed changed: {KEY.recipe + 1} -> {KEY.recipe}"


def test_metadata_of_other_versions_is_a_reason_to_rebuild() -> None:
    """Unknown, missing or broken metadata never fails the build."""
    for odd in (
        {},
        {"format": 99},
        {"format": FORMAT, "key": {"python": 1}},
        "x",
        {"format": FORMAT},
    ):
        assert not compare(KEY, odd).reuse
    assert not compare(KEY, None).reuse


def test_changed_lines_are_named() -> None:
    """The user reads what was added and removed."""
    assert changed_lines(
        {"requirements.txt": ["flask==1", "click"]}, {"requirements.txt": ("flask==2", "click")}
    ) == ["removed flask==1", "added flask==2"]


def test_changed_lines_are_summed_up() -> None:
    """What came stands before what went, and a long list is cut."""
    changed = [*(f"removed p{n}" for n in range(11)), "added flask==2", "added click"]
    assert summed_up(changed) == [
        "added flask==2, click",
        "removed p0, p1, p2, p3, p4, p5, p6, p7 and 3 more",
    ]
    assert summed_up([]) == []


def test_options_are_shown_as_words() -> None:
    """The reason names the options, without the marks of a Python list."""
    old = dataclasses.replace(KEY, options=("--pre", "index x"))
    assert compare(KEY, restored(old)).reasons == (
        "the installer's options changed: --pre, index x -> none",
    )
