"""SBOM files (buildpack.md, Software-Bill-of-Materials)."""

from __future__ import annotations

from pathlib import Path

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
