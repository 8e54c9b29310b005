"""Make the self-contained buildpack: dist/python-buildpack-<version>-linux-<arch>/.

It holds the launchers, the code, its dependencies, uv, pip's wheels and a runtime, each checked by
hash. With `pack` at hand it is also written as a `.cnb` file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from packaging.version import Version

import runtime_archive
from cnb.toml import read_toml
from go_tools import cache_dir
from python_buildpack import runtime
from python_buildpack.errors import UserError
from python_buildpack.fetch import download
from python_buildpack.log import Log
from python_buildpack.releases import DEFAULT_MINOR, Release, builtin_releases, parse_releases

ROOT = Path(__file__).resolve().parent.parent
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
PIP_MINORS = {"pip.txt": "3.13", "pip-3.9.txt": "3.9", "pip-3.8.txt": "3.8"}
PLATFORMS = ("manylinux_2_17", "manylinux2014", "manylinux_2_28")


class PackageError(Exception):
    """Raised with a text for the user when the package cannot be made."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=sorted(MACHINES), default=runtime_archive.this_arch())
    parser.add_argument("--runtime", choices=("archive", "host"), default="archive")
    parser.add_argument("--python", help="the CPython that RUNTIME=host packs")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    try:
        made = package(given.arch, given.runtime, given.out, given.python)
    except UserError as error:
        print(f"{error.title}\n{error.body}", file=sys.stderr)
        if error.id == "download-failed":
            print("To use this machine's own CPython instead: RUNTIME=host", file=sys.stderr)
            return 3
        return 1
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Wrote {shown(made)}")
    if shutil.which("pack"):
        print(f"Wrote {shown(pack_file(made, given.arch))}")
    else:
        print("pack is not on PATH: the .cnb file is left out (the directory works as well)")
    return 0


def shown(path: Path) -> str:
    """`path` relative to here where it lies below."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def version() -> str:
    """The buildpack's version."""
    return str(read_toml(ROOT / "buildpack.toml")["buildpack"]["version"])


def package(arch: str, source: str, out: Path, host_python: str | None = None) -> Path:
    """Make the directory. Raises `PackageError`, or `UserError` for a failed download."""
    # Whoever builds with it must be able to read it, whatever the umask is here.
    os.umask(0o022)
    final = out / f"python-buildpack-{version()}-linux-{arch}"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=out) as work_name:
        work = Path(work_name)
        made = work / "package"
        made.mkdir()
        copy_source(made)
        release = provide_runtime(made, work, arch, source, host_python)
        install_vendor(made, arch, release.version)
        install_uv(made, work, arch)
        install_pip_wheels(made, work)
        compile_code(made, work, arch, release)
        made.chmod(0o755)
        if final.exists():
            shutil.rmtree(final)
        made.rename(final)
    return final


def copy_source(made: Path) -> None:
    """What is taken from the repository as it is."""
    for name in ("buildpack.toml", "package.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, made / name)
    for name in ("bin", "src"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))


def provide_runtime(
    made: Path, work: Path, arch: str, source: str, host_python: str | None
) -> Release:
    """The runtime that runs the buildpack, and that apps get by default."""
    folder = made / "runtime"
    if source == "host":
        if arch != runtime_archive.this_arch():
            raise PackageError(
                f"RUNTIME=host makes a package for {runtime_archive.this_arch()} only."
            )
        host = work / "host"
        runtime_archive.pack(host_python or find_host_python(), host)
        listed = (host / "releases.json").read_bytes()
        (release,) = parse_releases(listed, "the host's CPython", base="")
        (made / "src/python_buildpack/data/releases.json").write_bytes(listed)
        archive = host / release.url
    else:
        release = newest_default(arch)
        archive = fetch_archive(release)
    runtime.unpack(archive, folder / "cpython")
    if "install_only_stripped" not in archive.name:
        runtime.strip_tree(folder / "cpython")
    minor = runtime.find_minor(folder / "cpython", archive.name)
    runtime.compile_runtime(folder / "cpython", minor, interpreter(folder, work, arch, release))
    (folder / "release.json").write_text(json.dumps(asdict(release), indent=2) + "\n")
    return release


def interpreter(folder: Path, work: Path, arch: str, release: Release) -> Path:
    """A CPython of the packaged version that runs on this machine."""
    name = "python" + ".".join(release.version.split(".")[:2])
    if arch == runtime_archive.this_arch():
        return folder / "cpython" / "bin" / name
    root = work / "interpreter"
    if not root.exists():
        twin = [
            one
            for one in builtin_releases()
            if (one.version, one.free_threaded) == (release.version, release.free_threaded)
            and one.arch == runtime_archive.this_arch()
        ]
        if not twin:
            raise PackageError(f"There is no Python {release.version} for this machine.")
        runtime.unpack(fetch_archive(twin[0]), root)
    return root / "bin" / name


def newest_default(arch: str) -> Release:
    """The newest patch of the default minor version."""
    fitting = [
        release
        for release in builtin_releases()
        if release.arch == arch
        and not release.free_threaded
        and release.version.startswith(f"{DEFAULT_MINOR}.")
    ]
    return max(fitting, key=lambda release: Version(release.version))


def fetch_archive(release: Release) -> Path:
    """The release's archive, kept for the next time."""
    path = cache_dir() / "archives" / release.sha256 / release.file_name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mirror = os.environ.get("BP_DEPENDENCY_MIRROR")
        download(
            release.url, path, sha256=release.sha256, log=Log(), environ=os.environ, mirror=mirror
        )
    return path


def find_host_python() -> str:
    """An installed CPython of the default minor version, else the newest one."""
    found: dict[str, Version] = {}
    for path in host_pythons():
        try:
            facts = runtime_archive.probe(str(path))
        except (OSError, subprocess.CalledProcessError, ValueError):
            continue
        if not facts["free_threaded"]:
            found[str(path)] = Version(facts["version"])
    usable = {path: number for path, number in found.items() if number >= Version("3.10")}
    if not usable:
        raise PackageError("No CPython 3.10 or newer was found on this machine.")
    default = {p: n for p, n in usable.items() if str(n).startswith(f"{DEFAULT_MINOR}.")}
    choice = default or usable
    return max(choice, key=lambda path: choice[path])


def host_pythons() -> Iterator[Path]:
    """The interpreters of this machine: those of pyenv, then PATH, then the one that runs this."""
    seen: set[Path] = set()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = sorted(pyenv.glob("versions/3.*/bin"))
    folders += [Path(entry) for entry in os.environ.get("PATH", "").split(":") if entry]
    folders.append(Path(sys.base_prefix) / "bin")
    for folder in folders:
        for path in sorted(folder.glob("python3.*")):
            if not re.fullmatch(r"python3\.\d+", path.name) or path.resolve() in seen:
                continue
            seen.add(path.resolve())
            yield path


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


def compile_code(made: Path, work: Path, arch: str, release: Release) -> None:
    """Byte-compile the code and its dependencies: where it will lie, nobody can write."""
    place = f"/cnb/buildpacks/pycnb_python/{version()}"
    command = [
        str(interpreter(made / "runtime", work, arch, release)), "-I", "-B", "-m", "compileall",
        "-q", "-f",
        "--invalidation-mode", "unchecked-hash", "-s", str(made), "-p", place,
        str(made / "src"), str(made / "vendor"),
    ]  # fmt: skip
    subprocess.run(command, check=True, env={"LC_ALL": "C.UTF-8"})


def pack_file(made: Path, arch: str) -> Path:
    """The package as a file that `pack build --buildpack` takes."""
    target = made.with_name(made.name + ".cnb")
    target.unlink(missing_ok=True)
    subprocess.run(
        [
            "pack", "buildpack", "package", str(target), "--format", "file",
            "--config", str(made / "package.toml"), "--target", f"linux/{arch}",
        ],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return target


if __name__ == "__main__":
    sys.exit(main())
