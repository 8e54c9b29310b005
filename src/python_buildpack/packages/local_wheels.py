"""Wheels and sdists at hand: `vendor/` in the app, and the places of BP_PIP_FIND_LINKS."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from python_buildpack import errors
from python_buildpack.presence import exists, is_dir, is_file

VENDOR = "vendor"
_SUFFIXES = (".whl", ".tar.gz", ".zip")
# A zip's directory, with a checksum of each file, and gzip's checksum lie at the end.
_TAIL = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class LocalWheels:
    """`links` are directories and URLs. `inputs`: a name for the user -> digest of the contents.

    `vendored`: the app brings its packages in `vendor/`, and an index is asked for the rest only.
    """

    links: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    vendored: bool = False


def find_local_wheels(root: Path, find_links: Sequence[str]) -> LocalWheels:
    """Raises `UserError` for a place of BP_PIP_FIND_LINKS that does not exist."""
    links: list[str] = []
    inputs: dict[str, str] = {}
    vendor = root / VENDOR
    files = _distributions(vendor)
    if files:
        links.append(str(vendor))
        inputs[f"{VENDOR}/"] = _digest(files)
    for place in find_links:
        if "://" in place:
            links.append(place)
            continue
        path = root / place
        if not exists(path):
            raise errors.find_links_missing(place)
        links.append(str(path))
        inputs[f"{place} (BP_PIP_FIND_LINKS)"] = digest_place(path)
    return LocalWheels(links=tuple(dict.fromkeys(links)), inputs=inputs, vendored=bool(files))


def _distributions(folder: Path) -> list[Path]:
    if not is_dir(folder) or not os.access(folder, os.R_OK):
        return []
    found = (path for path in folder.iterdir() if path.name.endswith(_SUFFIXES))
    return sorted(path for path in found if is_file(path))


def digest_place(path: Path) -> str:
    """Of the wheels and sdists that `path` is, or has in it."""
    return _digest([path] if is_file(path) else _distributions(path))


def _digest(files: Sequence[Path]) -> str:
    """Of names, sizes and ends: the bytes themselves may be many."""
    hasher = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        hasher.update(f"{path.name}\0{size}\0".encode(errors="surrogateescape"))
        with path.open("rb") as file:
            file.seek(max(0, size - _TAIL))
            hasher.update(file.read())
    return hasher.hexdigest()
