"""Another pyproject.toml while packages are installed, where its own tool reads more than uv does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def stand_in_manifest(manifest: Path, text: str) -> Iterator[None]:
    """Have `manifest` hold `text` meanwhile; afterwards it is the very file that it was."""
    if not text:
        yield
        return
    own = manifest.with_name(f".{manifest.name}.own")
    try:
        manifest.replace(own)
        manifest.write_bytes(text.encode())
        yield
    finally:
        if own.exists():
            own.replace(manifest)
