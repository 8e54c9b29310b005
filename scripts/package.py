"""Make the self-contained buildpack: dist/python-buildpack-<version>-linux-<arch>/.

It holds the launchers, the code, its dependencies, uv, pip's wheels and a runtime, each checked by
hash.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import runtime_archive
from cnb.toml import read_toml
from package_runtimes import PackageError as PackageError
from package_runtimes import RuntimeSource, from_archives, from_host
from python_buildpack.errors import UserError
from python_buildpack.packages.tools import find_tools, pip_command
from python_buildpack.runtime import contents
from python_buildpack.runtime.archive import unpack
from python_buildpack.runtime.releases import Release

ROOT = Path(__file__).resolve().parent.parent
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
PIP_MINORS = {"pip.txt": "3.13", "pip-3.9.txt": "3.9", "pip-3.8.txt": "3.8"}
MTIME = 315532801  # what the lifecycle gives to every file of an image
PLATFORMS = ("manylinux_2_17", "manylinux2014", "manylinux_2_28")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=sorted(MACHINES), default=runtime_archive.this_arch())
    parser.add_argument("--runtime", choices=("archive", "host"), default="archive")
    parser.add_argument("--python", help="the CPython that RUNTIME=host packs")
    parser.add_argument("--releases", default="", help="release list in place of the built-in one")
    parser.add_argument("--offline", default="", help="Python versions to bring along: 3.12 3.13")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    try:
        made = package(
            given.arch, given.runtime, given.out,
            python=given.python, releases=given.releases, offline=given.offline.split(),
        )  # fmt: skip
    except UserError as error:
        print(f"{error.title}\n{error.body}", file=sys.stderr)
        if error.id == "download-failed":
            if given.arch == runtime_archive.this_arch():
                print(
                    "To use this machine's own CPython instead: make package RUNTIME=host",
                    file=sys.stderr,
                )
            return 3
        return 1
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Wrote {shown(made)}")
    return 0


def shown(path: Path) -> str:
    """`path` relative to here where it lies below."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def version() -> str:
    """The buildpack's version."""
    return str(read_toml(ROOT / "buildpack.toml")["buildpack"]["version"])


def package(
    arch: str,
    source: str,
    out: Path,
    *,
    python: str | None = None,
    releases: str = "",
    offline: Sequence[str] = (),
) -> Path:
    """Make the directory; its bytes are a function of the sources alone.

    `source` is `archive` or `host`, `releases` a release list of one's own, `offline` the versions
    to bring along. Raises `PackageError`, or `UserError` for a failed download.
    """
    # Whoever builds with it must be able to read it, whatever the umask is here.
    os.umask(0o022)
    final = out / f"python-buildpack-{version()}-linux-{arch}"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=out) as work_name:
        work = Path(work_name)
        made = work / "package"
        made.mkdir()
        copy_source(made)
        runtimes = (
            from_host(arch, python, offline, work / "host")
            if source == "host"
            else from_archives(arch, releases)
        )
        provide_runtimes(made, work, arch, runtimes, offline)
        install_vendor(made, arch, runtimes.default.version)
        install_uv(made, work, arch)
        install_pip_wheels(made, work)
        own = interpreter(made / "runtime", work, runtimes, runtimes.default)
        compile_code(made, own)
        compile_pip(made, work, own, runtimes.default.version)
        settle(made)
        if final.exists():
            shutil.rmtree(final)
        made.rename(final)
    return final


def copy_source(made: Path) -> None:
    """What is taken from the repository as it is."""
    for name in ("buildpack.toml", "package.toml", "LICENSE"):
        shutil.copy(ROOT / name, made / name)
    for name in ("bin", "src"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))


def provide_runtimes(
    made: Path, work: Path, arch: str, source: RuntimeSource, offline: Sequence[str]
) -> None:
    """The runtime that runs the buildpack and that apps get by default, and those of `offline`."""
    if source.own_list is not None:
        (made / "src/python_buildpack/data/releases.json").write_bytes(source.own_list)
    provide_runtime(made / "runtime", work, arch, source, source.default)
    chosen = {release.name: release for release in (source.newest(one, arch) for one in offline)}
    for name, release in sorted(chosen.items()):
        if release != source.default:
            provide_runtime(made / "runtimes" / name, work, arch, source, release)


def provide_runtime(
    folder: Path, work: Path, arch: str, source: RuntimeSource, release: Release
) -> None:
    """A runtime as the buildpack copies it into a layer: unpacked, trimmed, byte-compiled."""
    archive = source.archive(release)
    unpack(archive, folder / "cpython")
    if "install_only_stripped" not in archive.name:
        contents.strip_tree(folder / "cpython")
    minor = contents.find_minor(folder / "cpython", archive.name)
    contents.compile_runtime(folder / "cpython", minor, interpreter(folder, work, source, release))
    (folder / "release.json").write_text(json.dumps(asdict(release), indent=2) + "\n")


def interpreter(folder: Path, work: Path, source: RuntimeSource, release: Release) -> Path:
    """A CPython of that version that runs on this machine: of another architecture, nothing does."""
    here = runtime_archive.this_arch()
    name = f"python{'.'.join(release.version.split('.')[:2])}{'t' if release.free_threaded else ''}"
    if release.arch == here:
        return folder / "cpython" / "bin" / name
    root = work / "interpreters" / release.name
    if not root.exists():
        unpack(source.archive(source.newest(release.name, here)), root)
    return root / "bin" / name


def pip(*arguments: str) -> None:
    """Run this environment's pip."""
    command = [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def platforms(arch: str) -> list[str]:
    """pip's options for the package's architecture."""
    return [f"--platform={name}_{MACHINES[arch]}" for name in PLATFORMS]


def install_vendor(made: Path, arch: str, python_version: str) -> None:
    """The buildpack's own dependencies."""
    pip(
        "install", "--no-compile", "--no-deps", "--only-binary=:all:", "--require-hashes",
        "--root-user-action=ignore", f"--python-version={python_version}",
        *platforms(arch), f"--target={made / 'vendor'}",
        "--requirement", str(ROOT / "requirements" / "vendor.txt"),
    )  # fmt: skip
    shutil.rmtree(made / "vendor" / "bin", ignore_errors=True)
    # zstandard's second implementation, for PyPy.
    for unused in (made / "vendor" / "zstandard").glob("_cffi*"):
        unused.unlink()


def install_uv(made: Path, work: Path, arch: str) -> None:
    """The one binary that is needed, out of uv's wheel."""
    wheels = work / "uv"
    pip(
        "download", "--no-deps", "--only-binary=:all:", "--require-hashes", *platforms(arch),
        f"--dest={wheels}", "--requirement", str(ROOT / "requirements" / "uv.txt"),
    )  # fmt: skip
    (wheel,) = wheels.glob("uv-*.whl")
    number = wheel.name.split("-")[1]
    target = made / "uv" / "uv"
    target.parent.mkdir()
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(f"uv-{number}.data/scripts/uv") as source,
        target.open("wb") as file,
    ):
        shutil.copyfileobj(source, file)
    target.chmod(0o755)
    (made / "uv" / "VERSION").write_text(number + "\n")


def install_pip_wheels(made: Path, work: Path) -> None:
    """pip for every Python on offer: the newest, and the last ones for older Pythons."""
    target = made / "pip"
    target.mkdir()
    for name, minor in PIP_MINORS.items():
        folder = work / name
        pip(
            "download", "--no-deps", "--only-binary=:all:", "--require-hashes",
            f"--python-version={minor}", f"--dest={folder}",
            "--requirement", str(ROOT / "requirements" / name),
        )  # fmt: skip
        for wheel in folder.glob("pip-*.whl"):
            shutil.copy(wheel, target / wheel.name)


def compile_code(made: Path, python: Path) -> None:
    """Byte-compile the code and its dependencies: where it will lie, nobody can write."""
    run_compileall(python, made, place(), [made / "src", made / "vendor"])


def compile_pip(made: Path, work: Path, python: Path, version: str) -> None:
    """Add byte code to the wheel of this Python's pip: it is run from there, where nothing is kept.

    Other interpreters than the package's own pass over it.
    """
    wheel = Path(pip_command(find_tools(made, {}), version, python)[-1]).parent
    root = work / "pip"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(root)
    run_compileall(python, root, f"{place()}/pip/{wheel.name}", [root], "-b")
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*.pyc")):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix())
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def run_compileall(
    python: Path, root: Path, final: str, folders: Sequence[Path], *options: str
) -> None:
    """Byte-compile what lies in `folders`, below `root`, for when it lies at `final`."""
    command = [
        str(python), "-s", "-B", "-m", "compileall", "-q", "-f", *options,
        "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", final,
        *map(str, folders),
    ]  # fmt: skip
    environ = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}  # the seed decides some of the bytes
    subprocess.run(command, check=True, env=environ, cwd=folders[0])


def place() -> str:
    """Where a builder has it."""
    return f"/cnb/buildpacks/pycnb_python/{version()}"


def settle(made: Path) -> None:
    """The same modes and times on whichever machine this is made."""
    for path in (made, *made.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        os.utime(path, (MTIME, MTIME), follow_symlinks=False)


if __name__ == "__main__":
    sys.exit(main())
