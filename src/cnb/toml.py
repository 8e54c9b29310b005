"""TOML files, read with the standard library where it can, and written whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOMLDecodeError = tomllib.TOMLDecodeError


def read_toml(path: Path) -> dict[str, Any]:
    """Raises `OSError`, `UnicodeDecodeError` or `TOMLDecodeError`."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def write_toml(path: Path, table: Mapping[str, Any]) -> None:
    """Write `table` to a file beside `path` and rename it.

    That file's name is always the same, so that the next build takes away what a killed one left.
    """
    import tomli_w

    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(tomli_w.dumps(table), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
