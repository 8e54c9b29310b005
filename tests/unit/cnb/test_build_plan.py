"""The build plan that detect writes is what a TOML reader reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cnb.build_plan import write_build_plan
from cnb.toml import read_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
METADATA = st.dictionaries(TEXT, st.one_of(TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1)))
ALTERNATIVES = st.lists(
    st.tuples(st.lists(TEXT), st.lists(st.tuples(TEXT, METADATA))), min_size=1, max_size=3
)


def as_read(provides: Sequence[str], requires: Sequence[tuple[str, Mapping[str, object]]]) -> Any:
    """How one alternative is to be read back."""
    table: dict[str, Any] = {}
    if provides:
        table["provides"] = [{"name": name} for name in provides]
    if requires:
        table["requires"] = [
            {"name": name, "metadata": dict(metadata)} if metadata else {"name": name}
            for name, metadata in requires
        ]
    return table


def test_alternatives(tmp_path: Path) -> None:
    """The first is the plan, the others are `[[or]]`, each with its own requirements."""
    path = tmp_path / "plan.toml"
    write_build_plan(
        path,
        [
            (["python"], [("python", {"launch": True}), ("node", {})]),
            (["python"], [("python", {"version": "3.12", "level": 2})]),
            ([], []),
        ],
    )
    assert read_toml(path) == {
        "provides": [{"name": "python"}],
        "requires": [{"name": "python", "metadata": {"launch": True}}, {"name": "node"}],
        "or": [
            {
                "provides": [{"name": "python"}],
                "requires": [{"name": "python", "metadata": {"version": "3.12", "level": 2}}],
            },
            {},
        ],
    }


@given(ALTERNATIVES)
def test_any_text_survives(
    tmp_path_factory: Any, alternatives: list[tuple[list[str], list[tuple[str, dict[str, object]]]]]
) -> None:
    """Quotes, backslashes and control characters are escaped, in names, keys and values."""
    path: Path = tmp_path_factory.getbasetemp() / "build-plan.toml"
    write_build_plan(path, alternatives)
    first, *others = alternatives
    expected = as_read(*first)
    if others:
        expected["or"] = [as_read(*other) for other in others]
    assert read_toml(path) == expected


def test_no_version_key(tmp_path: Path) -> None:
    """From Buildpack API 0.11 on, `version` belongs to the metadata."""
    path = tmp_path / "plan.toml"
    write_build_plan(path, [([], [("python", {"version": "3.12"})])])
    (required,) = read_toml(path)["requires"]
    assert set(required) == {"name", "metadata"}
