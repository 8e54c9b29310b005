"""Packages of both architectures, as files or as one image that a registry serves for both."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import package
from go_tools import GoToolError
from pack_cli import ensure_pack, pack_on_path
from python_buildpack.errors import UserError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish", default="", help="registry/name of the image to push")
    parser.add_argument("--releases", default="", help="release list in place of the built-in one")
    parser.add_argument("--offline", default="", help="Python versions to bring along: 3.12 3.13")
    parser.add_argument("--out", type=Path, default=package.ROOT / "dist")
    given = parser.parse_args()
    try:
        pack = pack_on_path() or ensure_pack(print)
        made = {
            arch: package.package(
                arch, "archive", given.out, releases=given.releases, offline=given.offline.split()
            )
            for arch in package.MACHINES
        }
        if given.publish:
            image = f"{given.publish}:{package.version()}"
            publish(pack, made, image)
            print(f"Pushed {image}")
        else:
            for arch, folder in made.items():
                print(f"Wrote {package.shown(pack_file(pack, folder, arch))}")
    except UserError as error:
        print(f"{error.title}\n{error.body}", file=sys.stderr)
        return 1
    except (GoToolError, package.PackageError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def pack_file(pack: Path, folder: Path, arch: str) -> Path:
    """The package in `folder` as a file that `pack build --buildpack` takes."""
    target = folder.with_name(folder.name + ".cnb")
    target.unlink(missing_ok=True)
    _buildpack_package(
        pack, str(target), "--format", "file", "--path", str(folder), "--target", f"linux/{arch}"
    )
    return target


def publish(pack: Path, made: Mapping[str, Path], image: str) -> None:
    """Push the packages (architecture -> directory) as one image; raises `PackageError`."""
    targets = [word for arch in made for word in ("--target", f"linux/{arch}")]
    with _of_all(made) as folder:
        _buildpack_package(pack, image, "--publish", "--path", str(folder), *targets)


@contextlib.contextmanager
def _of_all(made: Mapping[str, Path]) -> Iterator[Path]:
    """A directory as pack wants it: buildpack.toml, and the rest below linux/<architecture>."""
    beside = next(iter(made.values())).parent
    with tempfile.TemporaryDirectory(prefix=".buildpackage-", dir=beside) as name:
        root = Path(name)
        for arch, folder in made.items():
            target = root / "linux" / arch
            shutil.copytree(folder, target, symlinks=True, copy_function=os.link)
            # pack puts a copy of the one above here, and removes it again: not through a link.
            (target / "buildpack.toml").unlink()
            shutil.copy(folder / "buildpack.toml", root)
        yield root


def _buildpack_package(pack: Path, name: str, *options: str) -> None:
    with tempfile.TemporaryDirectory(prefix="pycnb-pack-home-") as home:
        done = subprocess.run(
            [str(pack), "buildpack", "package", name, *options],
            env={**os.environ, "PACK_HOME": home},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode:
        raise package.PackageError(f"pack buildpack package {name} failed:\n{done.stdout}")


if __name__ == "__main__":
    sys.exit(main())
