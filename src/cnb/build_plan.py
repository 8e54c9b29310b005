"""The build plan that detect writes. Imports next to nothing."""

from __future__ import annotations

from cnb.toml_string import basic_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    # What is provided; what is required, with its metadata.
    Alternative: TypeAlias = tuple[Sequence[str], Sequence[tuple[str, Mapping[str, object]]]]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return basic_string(str(value))


def _tables(alternative: Alternative, prefix: str) -> list[str]:
    provides, requires = alternative
    lines: list[str] = []
    for name in provides:
        lines += [f"[[{prefix}provides]]", f"name = {basic_string(name)}"]
    for name, metadata in requires:
        lines += [f"[[{prefix}requires]]", f"name = {basic_string(name)}"]
        if metadata:
            lines.append(f"[{prefix}requires.metadata]")
            lines += [f"{basic_string(key)} = {_value(value)}" for key, value in metadata.items()]
    return lines


def write_build_plan(path: str | os.PathLike[str], alternatives: Sequence[Alternative]) -> None:
    """Write the first alternative as the plan and the others as `[[or]]` (build plan TOML).

    Metadata are texts, whole numbers and truth values.
    """
    lines: list[str] = []
    for number, alternative in enumerate(alternatives):
        if number:
            lines.append("[[or]]")
        lines += _tables(alternative, "or." if number else "")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
