"""What was chosen, and whether a hash vouches for all of it."""

from __future__ import annotations

import json

from cnb.toml import read_toml
from python_buildpack import errors
from python_buildpack.managers.requirement_files import names_with_hash
from python_buildpack.packages.installation import Install
from python_buildpack.packages.resolution import (
    Resolved,
    read_pip_report,
    read_pylock,
    without_hash,
)


def refuse_without_hash(install: Install) -> None:
    """Raises `UserError` where every package must have a hash and some have none."""
    if install.require_all_hashes and (missing := unvouched(install)):
        raise errors.hashes_missing(missing)


def unvouched(install: Install) -> list[str]:
    """The packages of the resolution that no hash vouches for, each with the reason."""
    resolution = read_resolution(install)
    stated = install.install_set.hashed | names_with_hash(install.install_set.lines)
    if install.install_set.lock:
        # Such a lock has a hash for every file.
        stated |= {package.name for package in resolution if package.kind == "url"}
    return without_hash(resolution, stated)


def read_resolution(install: Install) -> tuple[Resolved, ...]:
    """What the last installation chose; empty where that is not known."""
    lock, report = install.work_dir / "pylock.toml", install.work_dir / "report.json"
    if report.is_file():
        return read_pip_report(json.loads(report.read_bytes()))
    return read_pylock(read_toml(lock)) if lock.is_file() else ()
