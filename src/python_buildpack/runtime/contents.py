"""The `python` layer's contents: an archive of CPython unpacked, trimmed and byte-compiled.

The runtime lies in `<layer>/cpython`, so that its shared libraries do not come on the image's
LD_LIBRARY_PATH as those of `<layer>/lib` would. `<layer>/bin` holds links to the interpreter.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

from python_buildpack import errors
from python_buildpack.byte_code import compile_trees
from python_buildpack.packages.elf import strip_elf

# Where the lifecycle puts the layer: what the byte code names as its source.
USUAL_PLACE = "/layers/pycnb_python/python/cpython"

# Whoever changes what is left raises TRIM_RECIPE in plan.py.
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
    from python_buildpack.runtime.archive import unpack  # most builds unpack nothing

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
