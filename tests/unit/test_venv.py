"""The virtual environment as it lies on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_buildpack.venv import create_venv, site_packages


@pytest.mark.parametrize("name", ["python3.13", "python3.14t"])
def test_directories_go_by_the_interpreters_name(name: str, tmp_path: Path) -> None:
    """A free-threaded interpreter looks for packages in a directory with a `t` of its own."""
    venv = tmp_path / "venv"
    create_venv(venv, Path("/layers/python/cpython/bin") / name, "3.14.2")
    assert site_packages(venv) == venv / "lib" / name / "site-packages"
    assert sorted(path.name for path in (venv / "bin").iterdir()) == ["python", "python3", name]
    assert "version = 3.14.2\n" in (venv / "pyvenv.cfg").read_text()
