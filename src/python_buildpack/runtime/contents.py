"""The `python` layer's contents: an archive of CPython unpacked, trimmed and byte-compiled.

The runtime lies in `<layer>/cpython`, so that its shared libraries do not come on the image's
LD_LIBRARY_PATH as those of `<layer>/lib` would. `<layer>/bin` holds links to the interpreter.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from python_buildpack import errors
from python_buildpack.byte_code import compile_trees
from python_buildpack.packages.elf import strip_elf

TRIM_RECIPE = 3  # raise it when the bytes of an unpacked runtime change
# Where the lifecycle puts the layer: what the byte code names as its source.
USUAL_PLACE = "/layers/pycnb_python/python/cpython"
MAX_FILES = 100_000
MAX_BYTES = 4 * 1024**3
_CHUNK = 1024 * 1024

_REMOVED = re.compile(
    r"""
    (.*/)?__pycache__(/.*)?
    | .*\.(pyc|pyo|a|la)
    | bin/(?!python(3(\.\d+)?t?)?$).+
    | share/(man|doc)(/.*)? | lib/pkgconfig(/.*)?
    | lib/(lib)?(tcl|tk|itcl|thread|tdbc|Tix)\d?[^/]*(/.*)?
    | lib/python3\.\d+t?/(
        (test|idlelib|tkinter|turtledemo|ensurepip)(/.*)?
        | turtle\.py
        | site-packages/(?!README\.txt$).+
        | ([^/]+/)?([^/]+/)?(test|tests)/.*
        | lib-dynload/(_tkinter|_test|_xxtest|xx|_ctypes_test)[^/]*
        | config-[^/]*/.*\.(o|a)
      )
    """,
    re.VERBOSE,
)


def is_kept(path: str) -> bool:
    """Whether the trim recipe keeps `path`, which is relative to the runtime's root."""
    return _REMOVED.fullmatch(path) is None


def install_runtime(archive: Path, layer_dir: Path, *, byte_code: bool = True) -> None:
    """Make the layer from a release's archive (`install_only` and `full` ones alike).

    Without `byte_code` it is not byte-compiled: for one step, that costs more than it saves.
    Raises `UserError` for a broken or hostile archive, a runtime that does not start and a full
    disk; the layer's directory is gone then.
    """
    root = layer_dir / "cpython"
    try:
        unpack(archive, root)
        if "install_only_stripped" not in archive.name:
            strip_tree(root)
        minor = find_minor(root, archive.name)
        link_interpreter(layer_dir, minor)
        if byte_code:
            compile_runtime(root, minor)
    except OSError as error:
        shutil.rmtree(layer_dir, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise errors.disk_full(f"unpacking {archive.name}") from None
        raise
    except BaseException:
        shutil.rmtree(layer_dir, ignore_errors=True)
        raise


def copy_runtime(packaged: Path, layer_dir: Path) -> None:
    """Make the layer from a runtime that is unpacked, trimmed and compiled already."""
    try:
        shutil.copytree(packaged, layer_dir / "cpython", symlinks=True, copy_function=_copy_file)
        link_interpreter(layer_dir, find_minor(packaged, packaged.name))
    except (OSError, shutil.Error) as error:
        shutil.rmtree(layer_dir, ignore_errors=True)
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space" in str(
            error
        ):
            raise errors.disk_full("copying the Python runtime") from None
        raise


def _copy_file(source: str, destination: str) -> None:
    # Times are the lifecycle's business; only bytes and modes count.
    shutil.copyfile(source, destination)
    Path(destination).chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def find_minor(root: Path, name: str) -> str:
    """The name of the interpreter's version: `3.13`, or `3.13t` for a free-threaded one."""
    for path in sorted((root / "bin").glob("python3.*")):
        if re.fullmatch(r"python3\.\d+t?", path.name) and path.is_file():
            return path.name.removeprefix("python")
    raise errors.archive_broken(name, "It holds no bin/python3.X.")


def link_interpreter(layer_dir: Path, minor: str) -> None:
    """Links in `<layer>/bin`, which the lifecycle puts on PATH."""
    bin_dir = layer_dir / "bin"
    bin_dir.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", f"python{minor}"):
        (bin_dir / name).symlink_to(f"../cpython/bin/python{minor}")


def unpack(archive: Path, root: Path) -> None:
    """Unpack what the trim recipe keeps into `root`. Raises `UserError`; see `checked_members`."""
    root.mkdir(parents=True)
    try:
        with (
            _open(archive) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as tar,
        ):
            _write_members(tar, archive.name, root)
            while stream.read(_CHUNK):
                pass  # the compression's own checksum comes last
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise errors.archive_broken(archive.name, f"{error or 'It ends too early'}.") from None
    except OSError as error:
        # gzip and zstd report bad data as an OSError without a number.
        if error.errno is not None and error.errno not in _BAD_PATH:
            raise
        raise errors.archive_broken(archive.name, f"{error.strerror or error}.") from None


# What the system says to paths that no archive of a runtime holds: a file as a directory, ...
_BAD_PATH = frozenset(
    (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP)
)


def _write_members(tar: tarfile.TarFile, name: str, root: Path) -> None:
    written: dict[str, Path] = {}
    for member, path in checked_members(tar, name):
        if not is_kept(path):
            continue
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if member.isdir():
            target.mkdir(exist_ok=True)
        elif member.issym():
            target.symlink_to(member.linkname)
        elif member.islnk():
            source = written.get(_inner_path(member.linkname) or "")
            if source is None:
                raise errors.archive_broken(
                    name, f"{member.name!r} links to a file that is not kept."
                )
            shutil.copy(source, target)
            written[path] = target
        else:
            content = tar.extractfile(member)
            assert content is not None
            with target.open("xb") as file:
                shutil.copyfileobj(content, file, _CHUNK)
            target.chmod(0o755 if member.mode & 0o111 else 0o644)
            written[path] = target


class _Header(tarfile.TarInfo):
    """A member's header, read strictly: `tarfile` takes a broken one for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the mark of the end
            raise tarfile.ReadError(str(error) if buf else "it has no end") from None
        if header.size < 0 or (header.type in _ABOUT_OTHERS and header.size > _CHUNK):
            raise tarfile.ReadError(f"a header states a size of {header.size}")
        return header


# Headers whose contents, long names and the like, are read into memory.
_ABOUT_OTHERS = frozenset(
    (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )
)


@contextlib.contextmanager
def _open(archive: Path) -> Iterator[IO[bytes]]:
    with archive.open("rb") as file:
        magic = file.read(4)
    if magic == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ImportError:
            raise errors.archive_needs_zstd(archive.name) from None
        try:
            with zstandard.open(archive, "rb") as stream:
                yield cast("IO[bytes]", stream)
        except zstandard.ZstdError as error:
            raise errors.archive_broken(archive.name, f"{error}.") from None
    elif magic[:2] == b"\x1f\x8b":
        import gzip

        with gzip.open(archive, "rb") as stream:
            yield cast("IO[bytes]", stream)
    else:
        raise errors.archive_broken(archive.name, "It is neither gzip nor zstd.")


# What a runtime consists of; a `full` archive also holds what is left of its build.
_PARTS = frozenset(("bin", "include", "lib", "share"))


def _inner_path(name: str) -> str | None:
    """A member's path below the runtime's root; None for one outside."""
    path = posixpath.normpath(name)
    for top in ("python/install/", "python/"):
        if path.startswith(top):
            inner = path[len(top) :]
            return inner if inner.split("/")[0] in _PARTS else None
    return None


def checked_members(tar: tarfile.TarFile, name: str) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The members of the runtime with their paths below its root.

    Raises `UserError` for whatever could write, or lead, outside of that root, and for an archive
    that is absurdly large.
    """
    seen: dict[str, bool] = {}  # path -> whether it is a directory
    links: set[str] = set()
    total = 0
    for count, member in enumerate(tar, start=1):
        shown = repr(member.name[:200])
        if count > MAX_FILES:
            raise errors.archive_broken(name, f"It holds more than {MAX_FILES} files.")
        total += member.size
        if member.size < 0 or total > MAX_BYTES:
            raise errors.archive_broken(name, f"It unpacks to more than {MAX_BYTES} bytes.")
        if member.name.startswith("/") or ".." in member.name.split("/") or "\0" in member.name:
            raise errors.archive_broken(name, f"It holds the path {shown}.")
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise errors.archive_broken(name, f"{shown} is a device or a pipe.")
        path = _inner_path(member.name)
        if path is None:
            continue
        if path in seen and not (member.isdir() and seen[path]):
            raise errors.archive_broken(name, f"It holds {shown} twice.")
        above = path
        while above := posixpath.dirname(above):
            if above in links:
                raise errors.archive_broken(name, f"{shown} goes through a link.")
        if member.issym():
            links.add(path)
        if (member.issym() and not _leads_inside(path, member.linkname)) or (
            member.islnk() and ".." in member.linkname.split("/")
        ):
            raise errors.archive_broken(name, f"The link {shown} leads out of it.")
        seen[path] = member.isdir()
        yield member, path


def _leads_inside(path: str, target: str) -> bool:
    """Whether a symbolic link at `path` stays below the root, whatever other links there are.

    A `..` behind a name could climb from where a link leads; at the start it climbs real
    directories, since nothing lies behind a link.
    """
    parts = target.split("/")
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    return (
        bool(target)
        and not target.startswith("/")
        and ".." not in parts[climbs:]
        and climbs <= path.count("/")
    )


def compile_runtime(root: Path, minor: str, interpreter: Path | None = None) -> None:
    """Byte-compile the standard library on every core, by its own interpreter or another one.

    Unchecked, because the lifecycle changes the sources' times; with the usual place of the layer
    as the sources' path, so that the bytes do not depend on where this happens.
    """
    python = interpreter or root / "bin" / f"python{minor}"
    library = root / "lib" / f"python{minor}"
    try:
        code, output = compile_trees(python, [library], place=(str(root), USUAL_PLACE))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOEXEC, errno.EACCES):
            raise
        why = str(error)
        if error.errno == errno.ENOENT and Path(python).is_file():
            why = (
                f"{python} is there, but the loader that it names is not: the image has no glibc "
                "for this architecture (Alpine has musl in its place)."
            )
        raise errors.runtime_unusable(minor, why) from None
    if code != 0 or not (library / "__pycache__").is_dir():
        if "No space left" in output:
            raise errors.disk_full("byte-compiling the Python runtime")
        raise errors.runtime_unusable(minor, output.strip()[-2000:])


def strip_tree(root: Path) -> None:
    """Remove debugging symbols from every ELF file below `root`."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            if path.is_symlink() or not (".so" in name or path.parent.name == "bin"):
                continue
            data = path.read_bytes()
            stripped = strip_elf(data)
            if len(stripped) < len(data):
                path.write_bytes(stripped)
