"""ELF files, 64-bit little-endian ones: what loads them reads of them, and what it does not."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

_MAGIC = b"\x7fELF\x02\x01"
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB = 1, 5
_MOST = 64 * 1024  # of anything that is read whole
_LONGEST = 256
_LOADED = (2, 3)  # e_type of programs and shared libraries


def strip_elf(data: bytes) -> bytes:
    """A 64-bit little-endian ELF file without what no loader reads; any other data unchanged.

    Symbols for debugging and the table of sections lie behind the last segment: they are cut off.
    """
    if data[:6] != _MAGIC or len(data) < 64:
        return data
    if struct.unpack_from("<H", data, 16)[0] not in _LOADED:
        return data
    offset, size, count = (
        struct.unpack_from("<Q", data, 32)[0],
        *struct.unpack_from("<HH", data, 54),
    )
    end = max(64, offset + size * count)
    if not count:
        return data
    for number in range(count):
        where = offset + number * size
        if where + 56 > len(data):
            return data
        start, length = struct.unpack_from("<Q16xQ", data, where + 8)
        end = max(end, start + length)
    if end >= len(data):
        return data
    header = bytearray(data[:end])
    struct.pack_into("<Q", header, 40, 0)  # e_shoff
    struct.pack_into("<HH", header, 60, 0, 0)  # e_shnum, e_shstrndx
    return bytes(header)


def needed_libraries(file: BinaryIO) -> tuple[str, ...]:
    """The names of the shared libraries that an ELF file asks its loader for (DT_NEEDED).

    Empty for any other data. Reads a few hundred bytes of it.
    """
    try:
        return tuple(_needed(file))
    except (struct.error, OSError, ValueError, OverflowError):
        return ()  # broken: importing it will say how


def _needed(file: BinaryIO) -> Iterator[str]:
    header = file.read(64)
    if header[:6] != _MAGIC:
        return
    (offset,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    file.seek(offset)
    table = file.read(min(size * count, _MOST))
    segments = [struct.unpack_from("<II4Q", table, number * size) for number in range(count)]
    entries: list[tuple[int, int]] = []
    for kind, _, start, _, _, length in segments:
        if kind == _PT_DYNAMIC:
            file.seek(start)
            data = file.read(min(length, _MOST))
            entries += struct.iter_unpack("<qQ", data[: len(data) // 16 * 16])
    strings = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    if strings is None:
        return
    for kind, _, start, address, _, length in segments:
        # The table is named by its address: the segment that is loaded there holds it.
        if kind == _PT_LOAD and address <= strings < address + length:
            for tag, value in entries:
                if tag == _DT_NEEDED:
                    file.seek(start + strings - address + value)
                    yield file.read(_LONGEST).partition(b"\0")[0].decode("ascii", "replace")
            return
