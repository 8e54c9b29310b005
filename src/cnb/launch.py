"""`launch.toml` and `build.toml` (buildpack.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnb.toml import write_toml

_TYPE = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Process:
    """`command` always runs; `args` can be replaced by the user (Platform API 0.10 and later)."""

    type: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    default: bool = False
    working_dir: str | None = None


@dataclass(frozen=True, kw_only=True)
class Label:
    """A label of the image."""

    key: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Slice:
    """App files that make a layer of their own; patterns as Go's `filepath.Match` has them."""

    paths: tuple[str, ...]


def is_process_type(text: str) -> bool:
    """Whether a process may be called this."""
    return _TYPE.fullmatch(text) is not None


def write_launch_toml(
    layers_dir: Path,
    processes: Sequence[Process],
    labels: Sequence[Label] = (),
    slices: Sequence[Slice] = (),
) -> None:
    """Raises `ValueError` for what the specification forbids, checked by the lifecycle or not."""
    types = [process.type for process in processes]
    for kind in types:
        if not is_process_type(kind):
            raise ValueError(f"{kind!r} cannot be a process type")
    if len(set(types)) != len(types):
        raise ValueError("a process type is used twice")
    if sum(process.default for process in processes) > 1:
        raise ValueError("more than one process is the default")
    if any(not process.command for process in processes):
        raise ValueError("a process has no command")
    keys = [label.key for label in labels]
    if len(set(keys)) != len(keys):
        raise ValueError("a label is used twice")
    table: dict[str, Any] = {}
    if processes:
        table["processes"] = [_process(process) for process in processes]
    if labels:
        table["labels"] = [{"key": label.key, "value": label.value} for label in labels]
    if slices:
        table["slices"] = [{"paths": list(slice_.paths)} for slice_ in slices]
    write_toml(layers_dir / "launch.toml", table)


def _process(process: Process) -> dict[str, Any]:
    table: dict[str, Any] = {
        "type": process.type,
        "command": list(process.command),
        "args": list(process.args),
        "default": process.default,
    }
    if process.working_dir is not None:
        table["working-dir"] = process.working_dir
    return table


def write_build_toml(layers_dir: Path, unmet: Sequence[str]) -> None:
    """Name the plan entries that this buildpack did not meet."""
    write_toml(layers_dir / "build.toml", {"unmet": [{"name": name} for name in unmet]})
