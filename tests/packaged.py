"""The packaged buildpack that every suite tests: made once for each state of the sources."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import host_python
import package
import runtime_archive
from go_tools import made_once

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("bin", "src", "scripts", "requirements")
FILES = ("buildpack.toml", "package.toml", "LICENSE", "README.md")


def packaged(out: Path) -> Path:
    """What `make package RUNTIME=host` makes, as a directory below `out` that may be changed."""
    kept = ROOT / "build" / "packaged" / _state()
    with made_once(kept):
        if not kept.is_dir():
            for old in kept.parent.glob("[!.]*"):
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(prefix=".", dir=kept.parent) as work:
                made = Path(work) / "dist"
                package.package(runtime_archive.this_arch(), "host", made)
                made.rename(kept)
    (made,) = kept.iterdir()
    return Path(shutil.copytree(made, out / made.name, symlinks=True))


def _state() -> str:
    """A digest of what a package is made from."""
    digest = hashlib.sha256(str(host_python.find_host_python()).encode())
    found = [ROOT / name for name in FILES]
    for name in SOURCES:
        found += sorted(path for path in (ROOT / name).rglob("*") if path.is_file())
    for path in found:
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
