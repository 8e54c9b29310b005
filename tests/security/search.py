"""Every byte of a file or a tree: archives and compressed files are opened, as deep as they go."""

from __future__ import annotations

import base64
import gzip
import io
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import zstandard


def patterns(secrets: Mapping[str, str]) -> re.Pattern[bytes]:
    """Matches each secret: as it is, and in base64 wherever it starts."""
    forms: set[bytes] = set()
    for secret in secrets.values():
        data = secret.encode()
        forms |= {data, data.hex().encode()}
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + data)
            # The ends depend on what stands beside it.
            forms.add(encoded[4 if shift else 0 : -4])
            forms.add(base64.urlsafe_b64encode(b"\0" * shift + data)[4 if shift else 0 : -4])
    return re.compile(b"|".join(re.escape(form) for form in sorted(forms)))


def contents(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """`data`, and all that can be unpacked from it."""
    if data[257:262] != b"ustar":  # of a tar all parts are searched
        yield name, data
    if data.startswith(b"\x1f\x8b"):
        try:
            yield from contents(gzip.decompress(data), name)
        except (OSError, EOFError, zlib.error):
            return
    elif data.startswith(b"\x28\xb5\x2f\xfd"):
        yield from contents(zstandard.ZstdDecompressor().decompressobj().decompress(data), name)
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield from contents(archive.read(entry), f"{name}!{entry.filename}")
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                yield f"{name}!{member.name}", f"{member.name} {member.linkname}".encode()
                file = tar.extractfile(member) if member.isreg() else None
                if file is not None:
                    yield from contents(file.read(), f"{name}!{member.name}")


def find(root: Path, wanted: re.Pattern[bytes], known: set[tuple[int, int]]) -> list[str]:
    """The names, below `root`, of everything that holds a secret.

    `known` are files that were searched before (inode and time of change) and held none.
    """
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder) / name
            shown = str(path.relative_to(root))
            if wanted.search(os.fsencode(shown)):
                found.append(f"{shown} (its name)")
            if path.is_symlink():
                if wanted.search(os.fsencode(path.readlink())):
                    found.append(f"{shown} (its target)")
            elif path.is_file():
                status = path.stat()
                mark = (status.st_ino, status.st_mtime_ns)
                if mark in known:
                    continue
                hits = [
                    one for one, data in contents(path.read_bytes(), shown) if wanted.search(data)
                ]
                found += hits
                if not hits:
                    known.add(mark)
    return found
