"""Other buildpacks after this one: they may need Python, or a version of it, during the build."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lifecycle.conftest import BUILDER
from tests.lifecycle.test_build import passed, reused

import local_platform
import oci_layout
import package
from local_platform import APP_IMAGE, Workspace, create
from python_buildpack.releases import DEFAULT_MINOR

DETECT = """#!/bin/sh
[ -f asset.txt ] || exit 100
printf '[[requires]]\\nname = "python"\\n[requires.metadata]\\nbuild = true\\n' > "$CNB_BUILD_PLAN_PATH"
[ -f version.txt ] || exit 0
printf 'version = "%s"\\n' "$(cat version.txt)" >> "$CNB_BUILD_PLAN_PATH"
"""
BUILD = """#!/bin/sh
set -e
echo "asset: $(python -c 'import flask, sys; print(sys.prefix)') CPATH=$CPATH"
[ -f "${CPATH%%:*}/Python.h" ] && echo "asset: headers are there"
"""


@pytest.fixture
def space(shelter: Path, buildpack: Path, binaries: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose order holds a second buildpack, which runs Python at build."""
    with tempfile.TemporaryDirectory(prefix="w", dir=shelter) as name:
        Path(name).chmod(0o755)
        other = Path(name) / "assets"
        (other / "bin").mkdir(parents=True)
        (other / "buildpack.toml").write_text(
            'api = "0.10"\n[buildpack]\nid = "assets"\nname = "Assets"\nversion = "1.0.0"\n'
        )
        for program, text in (("detect", DETECT), ("build", BUILD)):
            (other / "bin" / program).write_text(text)
            (other / "bin" / program).chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        yield local_platform.prepare(
            Path(name) / "p", buildpack, package.version(), binaries, user, [other]
        )


def test_python_at_build(space: Workspace, flask_app: Path) -> None:
    """From launch only to needed at build and back: Python is there when asked for, and the image
    holds the same two layers all the way."""
    passed(create(space, flask_app))
    first = oci_layout.read_image(space.layout, APP_IMAGE)

    (flask_app / "asset.txt").write_text("")
    for reason in ("another buildpack needs it during the build", "Reusing packages"):
        build = passed(create(space, flask_app))
        assert f"asset: {space.buildpack_layers}/venv" in build.log
        assert "asset: headers are there" in build.log
        assert reason in build.log
        layers = oci_layout.read_image(space.layout, APP_IMAGE).layers
        assert set(first.layers) & set(layers) >= set(first.layers[1:3])

    (flask_app / "asset.txt").unlink()
    passed(create(space, flask_app))
    build = passed(create(space, flask_app))
    assert "asset:" not in build.log
    assert reused(build) == ["python", "venv"]
    assert oci_layout.read_image(space.layout, APP_IMAGE).digest == first.digest


def test_a_version_that_another_buildpack_requires(space: Workspace, flask_app: Path) -> None:
    """It narrows the choice; where nothing is left, the error names both, and nothing is made."""
    (flask_app / "asset.txt").write_text("")
    (flask_app / "version.txt").write_text(">=3.10,<4")
    build = passed(create(space, flask_app))
    assert "(from another buildpack's requirement in the build plan: >=3.10,<4)" in build.log

    (flask_app / ".python-version").write_text(f"{DEFAULT_MINOR}\n")
    (flask_app / "version.txt").write_text("3.99")
    build = create(space, flask_app)
    assert build.code != 0
    assert ".python-version line 1 asks for" in build.log
    assert "another buildpack requires '3.99'" in build.log
    assert "[build-plan-version-conflict]" in build.log
