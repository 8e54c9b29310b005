"""The packaged buildpack as scripts and tests use it: made once for each state of the sources."""

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
FILES = ("buildpack.toml", "package.toml", "LICENSE")


def kept_package(source: str) -> Path:
    """What `make package RUNTIME=source` makes, below build/. Raises as `package.package` does."""
    kept = ROOT / "build" / "packages" / f"{source}-{_state()}"
    with made_once(kept):
        if not kept.is_dir():
            for old in kept.parent.glob(f"{source}-*"):
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(prefix=".", dir=kept.parent) as work:
                made = Path(work) / "dist"
                package.package(runtime_archive.this_arch(), source, made)
                made.rename(kept)
    (found,) = kept.iterdir()
    return found


def copied_package(out: Path) -> Path:
    """A copy of the one with this machine's CPython, below `out`: it may be changed."""
    kept = kept_package("host")
    return Path(shutil.copytree(kept, out / kept.name, symlinks=True))


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
