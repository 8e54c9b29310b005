"""`make image` checks the image's name before it makes anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import image


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        *[(name, True) for name in ("my-app", "app:V1.0", "team/my_app:1", "a.b/c--d/e__f")],
        *[(name, True) for name in ("localhost:5000/app", "R.example.com/a", "127.0.0.1:5000/a:1")],
        *[
            (name, False)
            for name in ("Upper", "my app", "team/", "-app", "app:", "", "App/a", "a___b")
        ],
    ],
)
def test_is_image_name(name: str, fits: bool) -> None:
    """As Docker has it."""
    assert image.is_image_name(name) == fits


def test_a_wrong_name_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is built for it: no pack, no package, no builder."""
    monkeypatch.setattr(sys, "argv", ["image.py", "--app", str(tmp_path), "--image", "Upper"])
    monkeypatch.delattr(image, "build_image")
    assert image.main() == 1
    assert capsys.readouterr().err.startswith("IMAGE=Upper: no name of an image.")
