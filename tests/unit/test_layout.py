"""Where the app lies in what was uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_buildpack.app.layout import project_root
from python_buildpack.errors import UserError


@pytest.mark.parametrize(
    ("given", "place"),
    [("", "."), (".", "."), ("./", "."), ("shop/..", "."), ("shop", "shop"), ("./shop/", "shop")],
)
def test_project_root(given: str, place: str, tmp_path: Path) -> None:
    """Pipelines write the root in many ways."""
    (tmp_path / "shop").mkdir()
    assert project_root(tmp_path, given) == tmp_path / place


@pytest.mark.parametrize("given", ["..", "../x", "/", "shop/../.."])
def test_out_of_the_app(given: str, tmp_path: Path) -> None:
    """An error of its own."""
    with pytest.raises(UserError) as caught:
        project_root(tmp_path, given)
    assert caught.value.id == "path-leaves-app"
