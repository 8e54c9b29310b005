"""exec.d: programs that compute the environment at launch (buildpack.md, Exec.d)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from cnb.toml_string import basic_string

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def install_exec_d(layer_dir: Path, name: str, source: Path, process: str | None = None) -> None:
    """Copy `source`, executable, to where the launcher looks for it."""
    folder = layer_dir / "exec.d"
    if process is not None:
        folder /= process
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    (folder / name).chmod(0o755)


def exec_d_output(variables: Mapping[str, str]) -> str:
    """What such a program writes to file descriptor 3: TOML with basic strings.

    Raises `ValueError` for a name that is none of a variable.
    """
    for name in variables:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a variable")
    return "".join(f"{name} = {basic_string(value)}\n" for name, value in variables.items())
