"""SBOMs in the image, as the real lifecycle puts them there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lifecycle.test_build import passed, reused

import oci_layout
from local_platform import APP_IMAGE, Workspace, create


def sboms(space: Workspace, target: Path) -> dict[str, bytes]:
    """Every SBOM file of this buildpack in the image, by its path."""
    oci_layout.extract_image(oci_layout.read_image(space.layout, APP_IMAGE), target)
    found = target.rglob("sbom/launch/pycnb_python/*/sbom.*.json")
    return {"/".join(path.parts[-2:]): path.read_bytes() for path in found}


def test_reused_layers_keep_their_sbom(space: Workspace, tmp_path: Path) -> None:
    """The image of a rebuild without change has the same files; unwanted ones are not in it."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "main.py").write_text("")
    passed(create(space, app))
    first = sboms(space, tmp_path / "first")
    assert sorted(first) == [
        "python/sbom.cdx.json",
        "python/sbom.spdx.json",
        "venv/sbom.cdx.json",
        "venv/sbom.spdx.json",
    ]
    assert json.loads(first["python/sbom.cdx.json"])["specVersion"] == "1.6"
    assert json.loads(first["venv/sbom.spdx.json"])["spdxVersion"] == "SPDX-2.3"

    assert reused(passed(create(space, app))) == ["python", "venv"]
    assert sboms(space, tmp_path / "second") == first

    assert reused(passed(create(space, app, {"BP_DISABLE_SBOM": "true"}))) == ["python", "venv"]
    assert sboms(space, tmp_path / "third") == {}
