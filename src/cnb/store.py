"""`store.toml`: a little data that outlives the layers (buildpack.md, store.toml)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnb.toml import TOMLDecodeError, read_toml, write_toml


def read_store(layers_dir: Path) -> Mapping[str, Any]:
    """The `[metadata]` of the last build; empty where there is none that can be read."""
    try:
        metadata = read_toml(layers_dir / "store.toml").get("metadata", {})
    except (OSError, UnicodeDecodeError, TOMLDecodeError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def write_store(layers_dir: Path, metadata: Mapping[str, Any]) -> None:
    """Keep `metadata` for the next build. No secrets: it is stored in the image."""
    write_toml(layers_dir / "store.toml", {"metadata": dict(metadata)})
