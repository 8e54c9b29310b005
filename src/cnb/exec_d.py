"""exec.d: programs that compute the environment at launch (buildpack.md, Exec.d)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path


def install_exec_d(layer_dir: Path, name: str, source: Path, process: str | None = None) -> None:
    """Copy `source`, executable, to where the launcher looks for it."""
    folder = layer_dir / "exec.d"
    if process is not None:
        folder /= process
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    (folder / name).chmod(0o755)


def exec_d_output(variables: Mapping[str, str]) -> str:
    """What such a program writes to file descriptor 3: TOML with basic strings."""
    lines = []
    for name, value in variables.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        text = "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped)
        lines.append(f'{name} = "{text}"\n')
    return "".join(lines)
