"""A hint for whoever uses time zones without a database of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_buildpack.packages.time_zones import user_of_time_zones

CASES = [
    ({"django": "5.2"}, "", "Django"),
    ({"django": "5.2", "tzdata": "2026.1"}, "", None),
    ({"tzlocal": "5"}, "", "tzlocal"),
    ({}, "from zoneinfo import ZoneInfo\n", "app.py"),
    ({}, "def f():\n    import zoneinfo as z\n", "app.py"),
    ({"tzdata": "2026.1"}, "import zoneinfo\n", None),
    ({}, "text = 'import zoneinfo'\nimport zoneinformation\n", None),
    ({}, "import datetime\n", None),
]


@pytest.mark.parametrize(("packages", "text", "user"), CASES)
def test_hint(tmp_path: Path, packages: dict[str, str], text: str, user: str | None) -> None:
    """Packages that are known for it, and the app's own imports; none where there is a database."""
    module = tmp_path / "app.py"
    module.write_text(text)
    modules = [str(tmp_path / "gone.py"), str(module)]
    assert user_of_time_zones(packages, modules, tmp_path / "zoneinfo") == user
    (tmp_path / "zoneinfo").mkdir()
    (tmp_path / "zoneinfo" / "UTC").write_text("")
    assert user_of_time_zones(packages, modules, tmp_path / "zoneinfo") is None
