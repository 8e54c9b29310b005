"""Directories that a later build needs again, each kept as one compressed file.

A cached layer costs by its number of files: thousands of them would be unpacked, packed and hashed
in every build.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

_FORMAT = 1
_PIECE = 1 << 24  # bytes in memory at a time
_BYTE_CODE = "__pycache__"


def keep_tree(root: Path, kept: Path, *, byte_code: bool) -> None:
    """Write what is below `root` to `kept`, whole or not at all: an index, then the bytes."""
    index, files = _index(root, byte_code=byte_code)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(kept.name + ".part")
    with _writer(partial) as stream:
        stream.write(json.dumps({"format": _FORMAT, "entries": index}).encode() + b"\n")
        for path in files:
            with path.open("rb") as file:
                shutil.copyfileobj(file, stream, _PIECE)
    partial.replace(kept)


def _index(root: Path, *, byte_code: bool) -> tuple[list[list[Any]], list[Path]]:
    """`[path, "d"]`, `[path, "l", target]` and `[path, "f" or "x", size]`; the files in order."""
    index: list[list[Any]] = []
    files: list[Path] = []
    for folder, folders, names in os.walk(root):
        if not byte_code:
            folders[:] = [name for name in folders if name != _BYTE_CODE]
        folders.sort()
        for name in sorted([*folders, *names]):
            path = Path(folder) / name
            relative = os.path.relpath(path, root)
            if path.is_symlink():
                index.append([relative, "l", str(path.readlink())])
            elif path.is_dir():
                index.append([relative, "d"])
            elif path.is_file():
                state = path.stat()
                index.append([relative, "x" if state.st_mode & 0o111 else "f", state.st_size])
                files.append(path)
    return index, files


def restore_tree(kept: Path, root: Path) -> bool:
    """Make `root` from `kept`. False, and no `root`, where that is absent or damaged."""
    if not kept.is_file():
        return False
    shutil.rmtree(root, ignore_errors=True)
    try:
        with _reader(kept) as stream:
            _restore(stream, str(root))
        return True
    except (ValueError, KeyError, TypeError, EOFError, zlib.error, FileExistsError):
        shutil.rmtree(root, ignore_errors=True)
        kept.unlink()
        return False
    except OSError as error:
        shutil.rmtree(root, ignore_errors=True)
        if error.errno is not None:
            raise
        kept.unlink()  # what gzip says of bad data
        return False
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise


def _restore(stream: IO[bytes], root: str) -> None:
    table = json.loads(stream.readline())
    if table["format"] != _FORMAT:
        raise ValueError("another format")
    os.makedirs(root)  # noqa: PTH103 - paths are texts here: there are thousands
    for path, kind, *rest in table["entries"]:
        place = f"{root}/{path}"
        if kind == "d":
            os.mkdir(place)  # noqa: PTH102
        elif kind == "l":
            os.symlink(rest[0], place)  # noqa: PTH211
        else:
            descriptor = os.open(
                place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755 if kind == "x" else 0o644
            )
            with open(descriptor, "wb", buffering=0) as file:
                remaining = int(rest[0])
                while remaining:
                    data = stream.read(min(remaining, _PIECE))
                    if not data:
                        raise EOFError
                    file.write(data)
                    remaining -= len(data)


@contextlib.contextmanager
def _writer(path: Path) -> Iterator[IO[bytes]]:
    """zstd, which is several times faster, where it is at hand; else gzip."""
    try:
        import zstandard
    except ImportError:
        with gzip.open(path, "wb", compresslevel=1) as plain:
            yield cast("IO[bytes]", plain)
        return
    compressor = zstandard.ZstdCompressor(level=1, threads=-1, write_checksum=True)
    with path.open("wb") as file, compressor.stream_writer(file) as stream:
        yield cast("IO[bytes]", stream)


@contextlib.contextmanager
def _reader(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"\x28\xb5\x2f\xfd":
        with gzip.open(path, "rb") as plain:
            yield cast("IO[bytes]", plain)
        return
    try:
        import zstandard
    except ImportError:
        raise ValueError("it was kept with zstandard at hand") from None
    try:
        with (
            zstandard.open(path, "rb") as stream,
            io.BufferedReader(cast("io.RawIOBase", stream), 1 << 20) as buffered,
        ):
            yield cast("IO[bytes]", buffered)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
