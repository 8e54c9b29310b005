"""What of an installer's cache is kept for the next build: nothing that holds a secret."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

from python_buildpack.log import Log
from python_buildpack.packages.venv import metadata_without_credentials


def keep_built_wheels(cache: Path, kept: Path, log: Log) -> None:
    """Keep uv's records of the wheels that this build built or used, without the source trees.

    What it did not use is dropped, beside `kept` too, where other distributions' are: else the kept
    wheels would become more with every version.
    """
    shutil.rmtree(kept.parent, ignore_errors=True)
    for wheel in sorted(cache.glob("sdists-v*/**/*.whl")):
        shard = wheel.parent
        if not any(path.is_symlink() for path in shard.iterdir()):
            continue  # uv puts a link to the unpacked files beside a wheel that it uses
        if "editable" in shard.relative_to(cache).parts:
            continue  # it is not all that its build made: some lies in the app
        files = [
            path
            for path in (*shard.iterdir(), *shard.parent.iterdir())
            if path.is_file() and not path.is_symlink()
        ]
        if _holds_credentials(wheel, log) or any(_holds_secret(path, log) for path in files):
            continue  # it is built again: the cache may be a registry's
        (kept / shard.relative_to(cache)).mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copy2(path, kept / path.relative_to(cache))


def forget_secrets(cache: Path, log: Log) -> None:
    """Remove a tool's records of URLs that hold a secret, and wheels whose requirements do.

    What they are about is fetched, or built, again.
    """
    for metadata in list(cache.glob("archive-v*/*/*.dist-info/METADATA")):
        if _names_credentials(metadata.read_bytes(), log):
            shutil.rmtree(metadata.parents[1])
    for folder, folders, names in os.walk(cache):
        folders[:] = [name for name in folders if not name.startswith("archive-v")]
        for path in (Path(folder) / name for name in (*folders, *names)):
            if path.is_symlink():
                forgotten = not path.exists()
            elif path.suffix == ".whl" and path.is_file():
                forgotten = _holds_credentials(path, log)
            else:
                forgotten = path.is_file() and _holds_secret(path, log)
            if forgotten:
                path.unlink()


def _holds_secret(path: Path, log: Log) -> bool:
    """Whether a file holds a known secret as it is; archives are not opened."""
    with path.open("rb") as file:
        start = file.read(2)
        if start in (b"PK", b"\x1f\x8b"):
            return False  # it may be larger than the memory
        return log.hides((start + file.read()).decode("latin-1"))


def _holds_credentials(wheel: Path, log: Log) -> bool:
    """Whether the URL of a requirement has some, as those of the app's own project may.

    A file that is no wheel is not to be kept either.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return any(
                _names_credentials(archive.read(name), log)
                for name in archive.namelist()
                if name.endswith(".dist-info/METADATA")
            )
    except (zipfile.BadZipFile, OSError):
        return True


def _names_credentials(metadata: bytes, log: Log) -> bool:
    return metadata_without_credentials(metadata, log.clean) != metadata
