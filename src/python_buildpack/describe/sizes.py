"""How large a layer is, and which of its packages are the largest."""

from __future__ import annotations

import contextlib
import csv
import os
import stat
from pathlib import Path

from packaging.utils import canonicalize_name

LARGEST = 5


def directory_size(root: Path) -> tuple[int, int]:
    """Bytes and number of the files below `root`; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = count = 0
    for folder, _, names in os.walk(root):
        for name in names:
            found = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - many thousands
            if not stat.S_ISREG(found.st_mode) or (found.st_dev, found.st_ino) in seen:
                continue
            if found.st_nlink > 1:
                seen.add((found.st_dev, found.st_ino))
            total += found.st_size
            count += 1
    return total, count


def largest_packages(site: Path, how_many: int = LARGEST) -> dict[str, int]:
    """Name (PEP 503) -> bytes of the largest packages, byte code included, the largest first.

    A directory's files belong to the package whose RECORD has a file in it.
    """
    owners: dict[str, str] = {}
    for record in sorted(site.glob("*.dist-info/RECORD")):
        package = canonicalize_name(record.parent.name.split("-")[0])
        for name in _recorded(record):
            if not name.startswith(("..", "/")):
                owners[name.rpartition("/")[0] or name] = package
    sizes: dict[str, int] = {}
    for place, _, names in os.walk(site):
        folder = os.path.relpath(place, site)
        source = folder.removesuffix("__pycache__").rstrip("/")
        for name in names:
            key = source if source not in ("", ".") else f"{name.split('.')[0]}.py"
            owner = owners.get(key) or owners.get(name)
            if owner is not None:
                size = os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
                sizes[owner] = sizes.get(owner, 0) + size
    ranked = sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(ranked[:how_many])


def _recorded(record: Path) -> list[str]:
    """The names that a RECORD lists; of a malformed one those that can be read."""
    names: list[str] = []
    # A package's own mistake, such as a field without an end: sizes are not worth a failure.
    with (
        record.open(encoding="utf-8", errors="replace", newline="") as file,
        contextlib.suppress(csv.Error),
    ):
        names += (row[0] for row in csv.reader(file) if row)
    return names
