"""Unpacking an archive: what is kept, what is refused, what is stripped."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import zstandard
from tests.unit.test_elf import elf, segment

from python_buildpack.errors import UserError
from python_buildpack.runtime import archive as archives
from python_buildpack.runtime.archive import unpack
from python_buildpack.runtime.contents import (
    find_minor,
    install_runtime,
    is_kept,
    link_interpreter,
    strip_tree,
)

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, data: bytes = b"x", mode: int = 0o644) -> Member:
    """A regular file."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def special(name: str, kind: bytes, target: str = "", mode: int = 0o755) -> Member:
    """A directory, link, device or pipe."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info, b""


def folder(name: str, mode: int = 0o755) -> Member:
    """A directory."""
    return special(name, tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> Member:
    """A symbolic link."""
    return special(name, tarfile.SYMTYPE, target)


def hard(name: str, target: str) -> Member:
    """A hard link."""
    return special(name, tarfile.LNKTYPE, target)


def tar(members: Sequence[Member], format: int = tarfile.GNU_FORMAT) -> bytes:
    """The bytes of an archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as made:
        for info, data in members:
            made.addfile(info, io.BytesIO(data))
    return stream.getvalue()


PYTHON = file("python/bin/python3.13", b"\x7fELF", 0o755)


def packed(path: Path, data: bytes) -> Path:
    """`data` as a gzip archive below `path`."""
    archive = path / "python.tar.gz"
    archive.write_bytes(gzip.compress(data, 1))
    return archive


def tree(root: Path) -> dict[str, bytes | str]:
    """Path -> content of a file, or the target of a link."""
    return {
        path.relative_to(root).as_posix(): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_bytes()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_what_a_runtime_keeps(tmp_path: Path) -> None:
    """Files, directories and both kinds of links; trimmed ones are not written."""
    members = [
        PYTHON,
        link("python/bin/python3", "python3.13"),
        link("python/bin/python", "python3.13"),
        file("python/bin/pip3", b"#!", 0o755),
        folder("python/lib/python3.13/site-packages/"),
        file("python/lib/python3.13/os.py", b"import sys"),
        hard("python/lib/python3.13/os2.py", "python/lib/python3.13/os.py"),
        file("python/lib/python3.13/test/test_os.py"),
        file("./python//lib/python3.13/./abc.py", b"abc"),
        link("python/share/terminfo/x", "../../lib/python3.13/os.py"),
        file("elsewhere/file"),
        file("python/PYTHON.json"),
    ]
    unpack(packed(tmp_path, tar(members)), tmp_path / "root")
    assert tree(tmp_path / "root") == {
        "bin/python3.13": b"\x7fELF",
        "bin/python3": "-> python3.13",
        "bin/python": "-> python3.13",
        "lib/python3.13/os.py": b"import sys",
        "lib/python3.13/os2.py": b"import sys",
        "lib/python3.13/abc.py": b"abc",
        "share/terminfo/x": "-> ../../lib/python3.13/os.py",
    }
    assert (tmp_path / "root" / "lib/python3.13/site-packages").is_dir()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o4755, 0o755),
        (0o6777, 0o755),
        (0o2644, 0o644),
        (0o600, 0o644),
        (0o100, 0o755),
        (0, 0o644),
    ],
)
def test_modes_are_two(tmp_path: Path, mode: int, expected: int) -> None:
    """Executable or not: no setuid, nothing that only the owner can read."""
    unpack(packed(tmp_path, tar([file("python/bin/python3.13", b"x", mode)])), tmp_path / "root")
    assert (tmp_path / "root/bin/python3.13").stat().st_mode & 0o7777 == expected


FULL = [
    file("python/PYTHON.json", b"{}"),
    file("python/build/core/main.o"),
    link("python/build/lib/libx.so", "libx.so.1"),
    file("python/install/bin/python3.13", b"\x7fELF", 0o755),
    file("python/install/lib/libpython3.13.a"),
    file("python/install/lib/python3.13/os.py", b"import sys"),
    hard("python/install/lib/python3.13/os2.py", "python/install/lib/python3.13/os.py"),
    file("python/licenses/LICENSE.zlib.txt"),
]


def test_full_archives(tmp_path: Path) -> None:
    """zstd; the installation lies one level deeper, and what is left of the build stays out."""
    archive = tmp_path / "python.tar.zst"
    archive.write_bytes(zstandard.compress(tar(FULL)))
    unpack(archive, tmp_path / "root")
    assert tree(tmp_path / "root") == {
        "bin/python3.13": b"\x7fELF",
        "lib/python3.13/os.py": b"import sys",
        "lib/python3.13/os2.py": b"import sys",
    }


def test_zstd_of_several_frames(tmp_path: Path) -> None:
    """Parallel compressors write several frames, one behind the other."""
    data = tar(FULL)
    archive = tmp_path / "python.tar.zst"
    half = len(data) // 2
    archive.write_bytes(zstandard.compress(data[:half]) + zstandard.compress(data[half:]))
    unpack(archive, tmp_path / "root")
    assert "bin/python3.13" in tree(tmp_path / "root")


OUTSIDE = "leads out"
TWICE = "twice"

HOSTILE: dict[str, tuple[list[Member], str]] = {
    "absolute": ([file("/etc/passwd")], "path"),
    "parent": ([file("python/lib/../../../x")], "path"),
    "parent at the end": ([folder("python/lib/..")], "path"),
    "parent outside of the runtime": ([file("build/../../x")], "path"),
    "absolute link": ([link("python/lib/x", "/etc/passwd")], OUTSIDE),
    "absolute link into the runtime": ([link("python/lib/x", "/python/bin")], OUTSIDE),
    "link to the parent": ([link("python/lib/x", "../../x")], OUTSIDE),
    "link far up": ([link("python/lib/a/b/x", "../../../../../etc")], OUTSIDE),
    "link up behind a name": ([link("python/lib/x", "a/../../../x")], OUTSIDE),
    "link to nothing": ([link("python/lib/x", "")], OUTSIDE),
    "link through another one": (
        [
            file("python/lib/a/b/c/file"),
            link("python/lib/a/b/c/up", "../.."),
            link("python/lib/a/b/c/out", "up/../../../../x"),
        ],
        OUTSIDE,
    ),
    "file through a link": (
        [link("python/lib/x", "../bin"), file("python/lib/x/file")],
        "goes through a link",
    ),
    "file deep through a link": (
        [link("python/lib/x", "../bin"), file("python/lib/x/a/b/file")],
        "goes through a link",
    ),
    "file in a link's place": ([link("python/lib/x", "y"), file("python/lib/x")], TWICE),
    "link in a file's place": ([file("python/lib/x"), link("python/lib/x", "y")], TWICE),
    "directory in a link's place": ([link("python/lib/x", "y"), folder("python/lib/x")], TWICE),
    "directory in a file's place": ([file("python/lib/x"), folder("python/lib/x")], TWICE),
    "file in a directory's place": ([folder("python/lib/x"), file("python/lib/x")], TWICE),
    "the same file twice": ([file("python/lib/x"), file("python/lib/./x")], TWICE),
    "link in the place of files above": (
        [file("python/lib/x/y"), link("python/lib/x", "z")],
        "exists",
    ),
    "file below a file": ([file("python/lib/x"), file("python/lib/x/y")], "exists"),
    "hard link out": ([hard("python/lib/x", "../../etc/passwd")], OUTSIDE),
    "absolute hard link": ([hard("python/lib/x", "/etc/passwd")], "not kept"),
    "hard link to what comes later": (
        [hard("python/lib/x", "python/lib/y"), file("python/lib/y")],
        "not kept",
    ),
    "hard link to a link": (
        [link("python/lib/y", "z"), hard("python/lib/x", "python/lib/y")],
        "not kept",
    ),
    "hard link to what is trimmed": (
        [file("python/bin/pip3"), hard("python/lib/x", "python/bin/pip3")],
        "not kept",
    ),
    "character device": ([special("python/lib/null", tarfile.CHRTYPE)], "device"),
    "block device": ([special("python/lib/disk", tarfile.BLKTYPE)], "device"),
    "pipe": ([special("python/lib/pipe", tarfile.FIFOTYPE)], "pipe"),
    "pipe outside of the runtime": ([special("elsewhere/pipe", tarfile.FIFOTYPE)], "pipe"),
    "unknown type": ([special("python/lib/what", b"!")], ""),
    "endless name": ([file("python/lib/" + "x" * 300)], "long"),
    "no interpreter": ([file("python/lib/x")], "bin/python3.X"),
}


def refused(archive: Path, words: str) -> None:
    """The archive is refused whole: an error with its name, no layer, nothing else anywhere."""
    layer = archive.parent / "layers" / "python"
    layer.parent.mkdir(exist_ok=True)
    before = sorted(archive.parent.parent.rglob("*"))
    with pytest.raises(UserError) as caught:
        install_runtime(archive, layer)
    assert caught.value.id == "archive-broken"
    assert archive.name in caught.value.title
    assert words in caught.value.body, caught.value.body
    assert sorted(archive.parent.parent.rglob("*")) == before


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_whole(tmp_path: Path, name: str) -> None:
    """Each error says what is wrong; nothing of the archive stays."""
    members, words = HOSTILE[name]
    good = [] if name == "no interpreter" else [PYTHON]
    for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        refused(packed(tmp_path, tar([*good, *members], format)), words)


def test_what_is_hostile_only_at_the_end(tmp_path: Path) -> None:
    """A thousand good members before it change nothing."""
    good = [file(f"python/lib/python3.13/m{number}.py") for number in range(1000)]
    refused(packed(tmp_path, tar([PYTHON, *good, file("/x")])), "'/x'")


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted wherever they lie, kept or not."""
    monkeypatch.setattr(archives, "MAX_FILES", 10)
    names = ["python/lib/{}", "elsewhere/{}", "python/bin/trimmed{}"]
    for name in names:
        members = [file(name.format(number)) for number in range(10)]
        refused(packed(tmp_path, tar([PYTHON, *members])), "more than 10 files")


def test_too_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are written, wherever they lie."""
    monkeypatch.setattr(archives, "MAX_BYTES", 10_000)
    for name in ("python/lib/big", "elsewhere/big", "python/lib/python3.13/test/big"):
        refused(packed(tmp_path, tar([PYTHON, file(name, bytes(9_999))])), "more than 10000 bytes")


def header(name: str, size: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header block with this text as its size, and the right checksum."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = size.ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


START = tar([PYTHON])[:1024]  # one member: header and data
END = bytes(1024)
ABSURD: dict[str, bytes] = {
    "nothing": b"",
    "only the end": END,
    "text": b"<html>Sign in</html>" * 100,
    "no end": START,
    "end in a header": START + header("python/lib/x", b"0")[:100],
    "end in data": START + header("python/lib/x", b"00000010000\0"),
    "checksum of a header": START + b"python/lib/x".ljust(512, b"1") + END,
    "broken header between good ones": START + b"\xff" * 512 + tar([file("python/lib/x")]),
    "size that is no number": START + header("python/lib/x", b"9z9") + END,
    "size of terabytes": START + header("python/lib/x", b"\x80" + b"\x7f" * 11) + END,
    "size below nothing": START + header("python/lib/x", b"\xff" * 11 + b"\x00") + END,
    "long name of gigabytes": START
    + header("././@LongLink", b"77777777777", tarfile.GNUTYPE_LONGNAME)
    + END,
    "extended header of gigabytes": START + header("x", b"77777777777", tarfile.XHDTYPE) + END,
    "extended header that ends the file": START + header("x", b"00000000000", tarfile.XHDTYPE),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_tars(tmp_path: Path, name: str) -> None:
    """No traceback, no memory for what a header merely claims, and never a silent end."""
    refused(packed(tmp_path, ABSURD[name]), "")


def test_extended_headers_that_lie(tmp_path: Path) -> None:
    """A size, a path or a link's target in a pax header is checked like any other."""
    for key, value, words in (
        ("size", "-512", ""),
        ("path", "../x", "path"),
        ("path", "/x", "path"),
        ("path", "python/lib/a\0b", ""),
    ):
        info, data = file("python/lib/x")
        info.pax_headers = {key: value}
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as made:
            made.addfile(PYTHON[0], io.BytesIO(PYTHON[1]))
            made.addfile(info, io.BytesIO(data))
        refused(packed(tmp_path, stream.getvalue()), words)


DATA = tar([PYTHON, file("python/lib/x", bytes(range(256)) * 400)])
COMPRESSED: dict[str, Callable[[], bytes]] = {
    "gzip cut in half": lambda: gzip.compress(DATA)[:-600],
    "gzip without its end": lambda: gzip.compress(DATA)[:-4],
    "gzip with another checksum": lambda: gzip.compress(DATA)[:-8] + b"\0" * 8,
    "gzip with odd bytes": lambda: gzip.compress(DATA)[:200] + b"\xff" * 200,
    "gzip of nothing": lambda: gzip.compress(b""),
    "zstd cut in half": lambda: zstandard.compress(DATA)[:-20],
    "zstd cut early": lambda: zstandard.compress(DATA)[:20],
    "zstd with odd bytes": lambda: zstandard.compress(DATA)[:12] + b"\xff" * 200,
    "zstd with another checksum": lambda: (
        zstandard.ZstdCompressor(write_checksum=True).compress(DATA)[:-4] + b"\0" * 4
    ),
    "neither": lambda: DATA,
    "empty": lambda: b"",
    "one byte": lambda: b"\x1f",
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_broken_compression(tmp_path: Path, name: str) -> None:
    """Half an archive is none, though all that could be read of it was good."""
    archive = tmp_path / "python.archive"
    archive.write_bytes(COMPRESSED[name]())
    refused(archive, "")


@pytest.mark.parametrize(
    "path",
    [
        "bin/python3.13",
        "bin/python3",
        "bin/python3.14t",
        "include/python3.13/Python.h",
        "lib/libpython3.13.so.1.0",
        "lib/libssl.so.3",
        "lib/python3.13/os.py",
        "lib/python3.13/unittest/case.py",
        "lib/python3.13/doctest.py",
        "lib/python3.13/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so",
        "lib/python3.13/site-packages/README.txt",
        "lib/python3.13/config-3.13-x86_64-linux-gnu/Makefile",
        "lib/python3.13/testing.py",
        "lib/python3.13/_sysconfigdata__linux_x86_64-linux-gnu.py",
        "share/terminfo/x/xterm",
    ],
)
def test_trim_keeps(path: str) -> None:
    """What apps and builds of extension modules use."""
    assert is_kept(path)


@pytest.mark.parametrize(
    "path",
    [
        "bin/pip3.13",
        "bin/idle3",
        "bin/2to3",
        "bin/python3.13-config",
        "lib/libpython3.13.a",
        "lib/libtcl9.0.so",
        "lib/tcl9.0/init.tcl",
        "lib/tk9.0/tk.tcl",
        "lib/pkgconfig/python3.pc",
        "share/man/man1/python3.1",
        "lib/python3.13/test/test_os.py",
        "lib/python3.13/idlelib/idle.py",
        "lib/python3.13/tkinter/__init__.py",
        "lib/python3.13/turtledemo/clock.py",
        "lib/python3.13/turtle.py",
        "lib/python3.13/ensurepip/_bundled/pip.whl",
        "lib/python3.13/site-packages/pip/__init__.py",
        "lib/python3.13/lib-dynload/_tkinter.cpython-313-x86_64-linux-gnu.so",
        "lib/python3.13/lib-dynload/_testcapi.cpython-313-x86_64-linux-gnu.so",
        "lib/python3.13/__pycache__/os.cpython-313.pyc",
        "lib/python3.13/ctypes/test/test_x.py",
        "lib/python3.13/config-3.13-x86_64-linux-gnu/python.o",
        "lib/python3.14t/test/test_os.py",
    ],
)
def test_trim_removes(path: str) -> None:
    """What no web process runs."""
    assert not is_kept(path)


def test_the_interpreter_is_found_and_linked(tmp_path: Path) -> None:
    """`bin` of the layer leads to it, a free-threaded one too."""
    for minor in ("3.13", "3.14t"):
        layer = tmp_path / minor
        unpack(
            packed(tmp_path, tar([file(f"python/bin/python{minor}", b"x", 0o755)])),
            layer / "cpython",
        )
        assert find_minor(layer / "cpython", "x") == minor
        link_interpreter(layer, minor)
        for name in ("python", "python3", f"python{minor}"):
            assert (layer / "bin" / name).read_bytes() == b"x"
            assert not (layer / "bin" / name).readlink().is_absolute()


def test_stripping_a_tree(tmp_path: Path) -> None:
    """Programs and shared libraries, with their modes; links and other files stay as they are."""
    data = elf() + segment(0, 200) + bytes(80) + b"debug"
    for name in ("bin/python3.13", "lib/libx.so.1", "lib/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "lib/libx.so").symlink_to("libx.so.1")
    strip_tree(tmp_path)
    assert len((tmp_path / "bin/python3.13").read_bytes()) == 200
    assert len((tmp_path / "lib/libx.so.1").read_bytes()) == 200
    assert (tmp_path / "lib/libx.so").is_symlink()
    assert (tmp_path / "lib/notes.txt").read_bytes() == data
    assert (tmp_path / "bin/python3.13").stat().st_mode & 0o777 == 0o755
