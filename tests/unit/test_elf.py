"""ELF files: what stripping leaves, and which libraries a file asks for."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from python_buildpack.packages.elf import needed_libraries, strip_elf


def segments(data: bytes) -> list[bytes]:
    """The bytes of every segment that the program headers name."""
    offset, size, count = (
        struct.unpack_from("<Q", data, 32)[0],
        *struct.unpack_from("<HH", data, 54),
    )
    found = []
    for number in range(count):
        start, length = struct.unpack_from("<Q16xQ", data, offset + number * size + 8)
        found.append(data[max(start, 64) : start + length])
    return found


def test_stripping_a_real_program() -> None:
    """Every segment is as it was; the table of sections is gone; a second time changes nothing."""
    data = Path(sys.executable).resolve().read_bytes()
    assert data[:4] == b"\x7fELF"
    stripped = strip_elf(data + b"symbols" * 1000)
    assert len(stripped) < len(data)
    assert segments(stripped) == segments(data)
    assert struct.unpack_from("<Q", stripped, 40) == (0,)
    assert struct.unpack_from("<HH", stripped, 60) == (0, 0)
    assert strip_elf(stripped) == stripped


def elf(kind: int = 3, phoff: int = 64, phentsize: int = 56, phnum: int = 1) -> bytes:
    """The header of a 64-bit little-endian ELF file."""
    return struct.pack(
        "<4s5B7xHHIQQQIHHHHHH",
        b"\x7fELF", 2, 1, 1, 0, 0, kind, 62, 1, 0, phoff, 999, 0, 64, phentsize, phnum, 64, 9, 8,
    )  # fmt: skip


def segment(start: int, length: int) -> bytes:
    """A program header."""
    return struct.pack("<IIQQQQQQ", 1, 5, start, 0, 0, length, length, 4096)


def test_stripping_crafted_files() -> None:
    """What lies behind the last segment goes; where nothing does, nothing changes."""
    whole = elf() + segment(0, 200) + bytes(80)
    assert len(whole) == 200
    assert len(strip_elf(whole + b"debug")) == 200
    for data in (
        whole,
        elf() + segment(0, 10_000) + b"cut short",
        elf() + segment(2**63, 2**63) + bytes(99),
        elf(phoff=2**63) + bytes(99),
        elf(phnum=0) + bytes(99),
        elf(phnum=65535) + segment(0, 1) + bytes(99),
        elf(kind=1, phoff=0, phnum=0) + b"a relocatable object",
        elf(kind=4) + segment(0, 100) + b"a core dump",
        b"\x7fELF\x01\x01" + bytes(200),
        b"\x7fELF\x02\x02" + bytes(200),
        b"\x7fELF\x02\x01",
        b"#!/bin/sh\n",
        b"",
    ):
        assert strip_elf(data) == data


@given(st.binary(max_size=300), st.sampled_from([b"", elf()[:16], elf()[:40], elf()]))
def test_stripping_never_fails(data: bytes, start: bytes) -> None:
    """Whatever the bytes are."""
    stripped = strip_elf(start + data)
    assert len(stripped) <= len(start + data)
    assert strip_elf(stripped) == stripped


def library(*needed: str) -> bytes:
    """A shared library that asks for `needed`, its strings at another address than in the file."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    offsets = [strings.index(b"\0" + name.encode() + b"\0") + 1 for name in needed]
    start = 64 + 2 * 56
    dynamic = [(1, offset) for offset in offsets] + [(5, 0x1000 + start), (0, 0)]
    table = b"".join(struct.pack("<qQ", *entry) for entry in dynamic)
    size = start + len(strings) + len(table)
    return b"".join(
        [
            elf(phnum=2),
            struct.pack("<IIQQQQQQ", 1, 5, 0, 0x1000, 0, size, size, 4096),
            struct.pack("<IIQQQQQQ", 2, 6, start + len(strings), 0, 0, len(table), len(table), 8),
            strings,
            table,
        ]
    )


def test_needed_libraries() -> None:
    """The names, in their order; none for a file that needs none or is none."""
    data = library("libGL.so.1", "libc.so.6")
    assert needed_libraries(io.BytesIO(data)) == ("libGL.so.1", "libc.so.6")
    assert needed_libraries(io.BytesIO(library())) == ()
    assert needed_libraries(io.BytesIO(b"#!/bin/sh")) == ()
    # Stripped of its sections, as the runtime is.
    assert needed_libraries(io.BytesIO(strip_elf(data + b"debug"))) == ("libGL.so.1", "libc.so.6")


def test_needed_libraries_of_a_real_program() -> None:
    """The interpreter that runs this needs the C library."""
    with Path(sys.executable).resolve().open("rb") as file:
        assert "libc.so.6" in needed_libraries(file)


@given(st.binary(max_size=400), st.integers(0, 400))
@example(b"\0\0\0\0\x80" + bytes(18), 35)  # an offset that no file has
def test_reading_never_fails(data: bytes, cut: int) -> None:
    """Whatever the bytes are."""
    needed_libraries(io.BytesIO(data))
    needed_libraries(io.BytesIO(library("libGL.so.1")[:cut] + data))
