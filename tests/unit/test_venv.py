"""The virtual environment as it lies on the disk."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from python_buildpack.packages.venv import create_venv, site_packages, tidy


@pytest.mark.parametrize("name", ["python3.13", "python3.14t"])
def test_directories_go_by_the_interpreters_name(name: str, tmp_path: Path) -> None:
    """A free-threaded interpreter looks for packages in a directory with a `t` of its own."""
    venv = tmp_path / "venv"
    create_venv(venv, Path("/layers/python/cpython/bin") / name)
    assert site_packages(venv) == venv / "lib" / name / "site-packages"
    assert sorted(path.name for path in (venv / "bin").iterdir()) == ["python", "python3", name]
    minor = name.removeprefix("python").removesuffix("t")
    assert (venv / "pyvenv.cfg").read_text().splitlines() == [
        "home = /layers/python/cpython/bin",
        "include-system-site-packages = false",
        f"version = {minor}",
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"url": 1}', b"[" * 100_000, b'{"url": null}']
)
def test_odd_records_of_packages(tmp_path: Path, content: bytes) -> None:
    """What a package brings as direct_url.json and is none is taken out, of RECORD too."""
    venv = tmp_path / "venv"
    create_venv(venv, Path("/python3.13"))
    info = site_packages(venv) / "a-1.0.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_bytes(content)
    (info / "RECORD").write_bytes(b"\xff.py,,\na-1.0.dist-info/direct_url.json,sha256=0,1\n")
    tidy(venv)
    assert not (info / "direct_url.json").exists()
    assert (info / "RECORD").read_bytes() == b"\xff.py,,\n"


def test_credentials_in_requirements_of_packages(tmp_path: Path) -> None:
    """METADATA of the app's own project repeats its manifest: URLs lose their credentials there."""
    venv = tmp_path / "venv"
    create_venv(venv, Path("/python3.13"))
    info = site_packages(venv) / "a-1.0.dist-info"
    info.mkdir()
    head = b"Name: a\nRequires-Dist: b @ https://u:s3cret@files.example/b.whl ; os_name == 'x'\n"
    (info / "METADATA").write_bytes(head + b"\nhttps://an:example@in.the/readme \xff")
    (info / "RECORD").write_text("a-1.0.dist-info/METADATA,sha256=old,1\n")
    (info / "direct_url.json").write_text('{"url": "https://files.example/t0ken/a.whl"}')
    tidy(venv, lambda url: url.replace("t0ken", "****"))
    assert (info / "direct_url.json").read_text() == '{"url": "https://files.example/****/a.whl"}'
    data = (info / "METADATA").read_bytes()
    assert data == (
        b"Name: a\nRequires-Dist: b @ https://files.example/b.whl ; os_name == 'x'\n"
        b"\nhttps://an:example@in.the/readme \xff"
    )
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    row = f"a-1.0.dist-info/METADATA,sha256={digest},{len(data)}\n"
    assert (info / "RECORD").read_text() == row
