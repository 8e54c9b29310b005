"""A release's archive: read strictly, and unpacked as far as the trim recipe keeps it."""

from __future__ import annotations

import contextlib
import errno
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from python_buildpack import errors
from python_buildpack.runtime.contents import is_kept

MAX_FILES = 100_000
MAX_BYTES = 4 * 1024**3
_CHUNK = 1024 * 1024


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
