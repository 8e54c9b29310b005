"""Where uv fails, pip decides: what pip takes is built, and what it refuses is told in its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lifecycle.conftest import EXAMPLES

from local_platform import Workspace, create


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app without web server: only its packages matter."""
    (tmp_path / "Procfile").write_text("web: python app.py\n")
    (tmp_path / "app.py").write_bytes((EXAMPLES / "flask" / "app.py").read_bytes())
    return tmp_path


def test_what_uv_refuses_and_pip_accepts(space: Workspace, app: Path) -> None:
    """It is built, the log tells who decided, and the next build reuses it."""
    (app / "requirements.txt").write_text("iniconfig \\\n  == 2.0.0\n")
    build = create(space, app)
    assert build.code == 0, build.log
    assert "uv could not install this; pip decides." in build.log
    assert "Successfully installed iniconfig-2.0.0" in build.log
    again = create(space, app)
    assert again.code == 0, again.log
    assert "Reusing packages from the previous image" in again.log


def test_uv_alone_may_be_asked_for(space: Workspace, app: Path) -> None:
    """BP_PIP_INSTALLER=uv takes uv's answer for the last word."""
    (app / "requirements.txt").write_text("iniconfig \\\n  == 2.0.0\n")
    build = create(space, app, {"BP_PIP_INSTALLER": "uv"})
    assert build.code != 0
    assert "uv could not install the requirements" in build.log
    assert "[install-failed]" in build.log
    assert "Traceback" not in build.log


@pytest.mark.parametrize(
    ("lines", "words", "id", "package"),
    [
        (
            "iniconfig==99.0\n",
            "ERROR: No matching distribution found for iniconfig==99.0",
            "version-missing",
            "iniconfig",
        ),
        (
            "flask==3.0.3\nwerkzeug==2.0\n",
            "ERROR: ResolutionImpossible",
            "conflict",
            "the requirements",
        ),
        (
            f"iniconfig==2.0.0 --hash=sha256:{'0' * 64}\n",
            "THESE PACKAGES DO NOT MATCH THE HASHES",
            "hash-mismatch",
            "iniconfig",
        ),
        ("iniconfig>>2\n", "ERROR: Invalid requirement", "failed", "the requirements"),
        ("./no-such-directory\n", "no-such-directory", "failed", "the requirements"),
    ],
)
def test_what_both_refuse(
    space: Workspace, app: Path, lines: str, words: str, id: str, package: str
) -> None:
    """The package first, pip's own words, a hint where the failure is well known, no layer and no
    traceback."""
    (app / "requirements.txt").write_text(lines)
    build = create(space, app)
    assert build.code != 0
    assert words in build.log
    assert f"pip could not install {package} (exit code 1)" in build.log
    assert "pip's own words are above." in build.log
    assert f"[install-{id}]" in build.log
    assert "Traceback" not in build.log
    assert not (space.buildpack_layers / "venv.toml").exists()
