"""Build image, run image and builder, made on this machine from a plain Debian."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import package
from cnb.toml import read_toml, write_toml
from docker_host import Docker, install
from go_tools import cache_dir
from lifecycle import ensure_lifecycle, lifecycle_version
from pack_cli import run_pack

SUITE = "bookworm"
STACK = "io.buildpacks.stacks.base"
BASE = "pycnb/base:local"
BUILD = "pycnb/build:local"
RUN = "pycnb/run:local"
SHELL_LESS = "pycnb/run-without-shell:local"
LIFECYCLE = "pycnb/lifecycle:local"
PLATFORM_APIS = tuple(f"0.{number}" for number in range(7, 16))
BUILDPACK_APIS = tuple(f"0.{number}" for number in range(7, 13))
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

_DEPLOY = package.ROOT / "deploy" / "builder"
# What holds on this machine alone: its certificates, and a lifecycle whose client is newer than
# Debian's daemon and does not negotiate.
_LOCAL = """\
FROM {plain}
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV DOCKER_API_VERSION={api}
"""


def ensure_images(docker: Docker, log: Callable[[str], None]) -> None:
    """Import the base system, and make the build and the run image of it."""
    if docker.run("image", "inspect", BASE, check=False).returncode:
        _import_base(docker, base_system(log))
    api = docker.run("version", "--format", "{{.Server.APIVersion}}").stdout.strip()
    for name, target in ((BUILD, "build"), (RUN, "run")):
        plain = f"{name}-plain"
        docker.run(
            "build", "--tag", plain, "--target", target, "--build-arg", f"base={BASE}", str(_DEPLOY)
        )
        with tempfile.TemporaryDirectory(prefix="image-") as folder:
            shutil.copy(CERTIFICATES, Path(folder) / "ca-certificates.crt")
            (Path(folder) / "Dockerfile").write_text(_LOCAL.format(plain=plain, api=api))
            docker.run("build", "--tag", name, folder)


def ensure_shell_less(docker: Docker) -> str:
    """A run image without any shell, made of the usual one."""
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        (Path(folder) / "Dockerfile").write_text(
            f"FROM {RUN}\nUSER 0:0\n"
            "RUN rm -f $(sed '/^#/d' /etc/shells) /bin/sh /usr/bin/sh\nUSER 1000:1000\n"
        )
        docker.run("build", "--tag", SHELL_LESS, folder)
    return SHELL_LESS


def base_system(log: Callable[[str], None]) -> Path:
    """A tar of Debian's smallest system, without any Python; made once per machine."""
    path = cache_dir() / f"{SUITE}.tar"
    if path.exists():
        return path
    if shutil.which("debootstrap") is None:
        install(("debootstrap",), log)
    log(f"Making a base system of Debian {SUITE} (once; half a minute)")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="base-", dir=path.parent) as name:
        root = Path(name) / "root"
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise package.PackageError(f"debootstrap failed:\n{done.stdout[-3000:]}")
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
        partial = Path(name) / "base.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(partial), "."], check=True)
        partial.replace(path)
    return path


def _import_base(docker: Docker, tar: Path) -> None:
    docker.run("import", str(tar), BASE)


def lifecycle_archive(target: Path, log: Callable[[str], None]) -> Path:
    """The lifecycle in the form in which `pack builder create` takes it."""
    binaries = ensure_lifecycle(log)

    def quoted(versions: tuple[str, ...]) -> str:
        return "[" + ", ".join(f'"{version}"' for version in versions) + "]"

    description = (
        f'[lifecycle]\nversion = "{lifecycle_version()}"\n'
        f"[apis.buildpack]\nsupported = {quoted(BUILDPACK_APIS)}\n"
        f"[apis.platform]\nsupported = {quoted(PLATFORM_APIS)}\n"
    ).encode()
    with tarfile.open(target, "w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("lifecycle.toml")
        info.size = len(description)
        tar.addfile(info, io.BytesIO(description))
        for path in sorted(binaries.iterdir()):
            tar.add(path, f"lifecycle/{path.name}")
    return target


def lifecycle_labels() -> dict[str, str]:
    """What a platform reads off an image that holds the lifecycle."""
    apis = {
        "buildpack": {"deprecated": [], "supported": list(BUILDPACK_APIS)},
        "platform": {"deprecated": [], "supported": list(PLATFORM_APIS)},
    }
    version = lifecycle_version()
    oldest = {"buildpack": BUILDPACK_APIS[0], "platform": PLATFORM_APIS[0]}
    metadata = {"lifecycle": {"version": version, "api": oldest, "apis": apis}, "api": oldest}
    return {
        "io.buildpacks.builder.metadata": json.dumps(metadata),
        "io.buildpacks.lifecycle.apis": json.dumps(apis),
        "io.buildpacks.lifecycle.version": version,
    }


def lifecycle_image(docker: Docker, log: Callable[[str], None]) -> str:
    """The image in which pack runs the lifecycle where it adds a buildpack to a builder."""
    labels = [
        word for name, text in lifecycle_labels().items() for word in ("--label", f"{name}={text}")
    ]
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        shutil.copytree(ensure_lifecycle(log), Path(folder) / "lifecycle", symlinks=True)
        (Path(folder) / "Dockerfile").write_text(
            f"FROM {BUILD}\nUSER root\nCOPY lifecycle /cnb/lifecycle\n"
        )
        docker.run("build", "--tag", LIFECYCLE, *labels, folder)
    return LIFECYCLE


@contextlib.contextmanager
def builder(
    docker: Docker, pack: Path, buildpack: Path, work: Path, log: Callable[[str], None]
) -> Iterator[str]:
    """The name of the builder of deploy/builder with this package; it is removed afterwards."""
    table = read_toml(_DEPLOY / "builder.toml")
    table["buildpacks"][0]["uri"] = str(buildpack)
    with created_builder(docker, pack, table, work, log) as name:
        yield name


@contextlib.contextmanager
def created_builder(
    docker: Docker, pack: Path, table: Mapping[str, Any], work: Path, log: Callable[[str], None]
) -> Iterator[str]:
    """The name of a builder of `table`'s buildpacks and order, with images and lifecycle made here."""
    ensure_images(docker, log)
    # A name of its own: several may be made at the same time, each with another buildpack.
    number = f"{os.getpid()}-{os.urandom(4).hex()}"
    name = f"pycnb/builder:{number}"
    archive = lifecycle_archive(work / "lifecycle.tgz", log)
    config = work / f"builder-{number}.toml"
    places = {
        "build": {"image": BUILD},
        "run": {"images": [{"image": RUN}]},
        "lifecycle": {"uri": str(archive)},
    }
    write_toml(config, {**table, **places})
    run_pack(
        pack, docker, work / "pack", "builder", "create", name, "--config", str(config),
        "--pull-policy", "never",
    )  # fmt: skip
    try:
        yield name
    finally:
        docker.run("image", "rm", "--force", name, check=False)
