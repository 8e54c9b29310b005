"""SBOM media types by file extension (buildpack.md, Software-Bill-of-Materials)."""

MEDIA_TYPES = {
    "cdx.json": "application/vnd.cyclonedx+json",
    "spdx.json": "application/spdx+json",
    "syft.json": "application/vnd.syft+json",
}
