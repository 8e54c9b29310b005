"""SBOM files (buildpack.md, Software-Bill-of-Materials)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEDIA_TYPES = {
    "cdx.json": "application/vnd.cyclonedx+json",
    "spdx.json": "application/spdx+json",
    "syft.json": "application/vnd.syft+json",
}


def sbom_path(layers_dir: Path, owner: str, extension: str) -> Path:
    """Where the SBOM of a layer lies, or that of the whole `launch` or `build` contribution.

    Raises `ValueError` for what the lifecycle would refuse, or drop.
    """
    if extension not in MEDIA_TYPES:
        raise ValueError(f"{extension!r} is not the extension of an SBOM's media type")
    if not owner or "." in owner or "/" in owner or owner == "store":
        raise ValueError(f"{owner!r} cannot have an SBOM")
    return layers_dir / f"{owner}.sbom.{extension}"


def write_sbom(layers_dir: Path, owner: str, extension: str, document: Mapping[str, Any]) -> None:
    """Write the document in its given order. Raises `ValueError` as `sbom_path` does."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    sbom_path(layers_dir, owner, extension).write_text(f"{text}\n", encoding="utf-8")


def remove_sbom(layers_dir: Path, owner: str) -> None:
    """Remove the SBOM files of `owner`, whichever exist."""
    for extension in MEDIA_TYPES:
        sbom_path(layers_dir, owner, extension).unlink(missing_ok=True)
