"""The app's own modules, byte-compiled: a read-only container would compile them at every start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_SKIPPED = frozenset(["node_modules", "site-packages", "__pycache__", "__pypackages__"])


def app_modules(app_dir: Path) -> Iterator[str]:
    """The app's Python files, sorted; not those of committed environments and hidden directories."""
    for folder, folders, names in os.walk(app_dir):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and not name.startswith(".")
            and not os.path.exists(f"{folder}/{name}/pyvenv.cfg")  # noqa: PTH110
        )
        for name in sorted(names):
            path = f"{folder}/{name}"
            if name.endswith(".py") and "\n" not in path and not os.path.islink(path):  # noqa: PTH114
                yield path
