"""Build image, run image and builder, made on this machine from a plain Debian."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import package
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
PLATFORM_APIS = tuple(f"0.{number}" for number in range(7, 16))
BUILDPACK_APIS = tuple(f"0.{number}" for number in range(7, 13))
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

_DOCKERFILE = """\
FROM {base}
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN groupadd --gid 1000 cnb && useradd --uid 1000 --gid 1000 --create-home cnb
LABEL io.buildpacks.stack.id={stack}
LABEL io.buildpacks.base.distro.name=debian
LABEL io.buildpacks.base.distro.version=12
ENV CNB_USER_ID=1000 CNB_GROUP_ID=1000 CNB_STACK_ID={stack}
{more}
USER 1000:1000
"""


def ensure_images(docker: Docker, log: Callable[[str], None]) -> None:
    """Import the base system, and make the build and the run image of it."""
    if docker.run("image", "inspect", BASE, check=False).returncode:
        _import_base(docker, base_system(log))
    # The lifecycle's client is newer than Debian's daemon, and does not negotiate.
    api = docker.run("version", "--format", "{{.Server.APIVersion}}").stdout.strip()
    for name, more in ((BUILD, f"ENV DOCKER_API_VERSION={api}"), (RUN, "")):
        with tempfile.TemporaryDirectory(prefix="image-") as folder:
            shutil.copy(CERTIFICATES, Path(folder) / "ca-certificates.crt")
            (Path(folder) / "Dockerfile").write_text(
                _DOCKERFILE.format(base=BASE, stack=STACK, more=more)
            )
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


@contextlib.contextmanager
def builder(
    docker: Docker, pack: Path, buildpack: Path, work: Path, log: Callable[[str], None]
) -> Iterator[str]:
    """The name of a builder that holds the buildpack and nothing else; it is removed afterwards."""
    ensure_images(docker, log)
    # A name of its own: several may be made at the same time, each with another buildpack.
    name = f"pycnb/builder:{os.getpid()}-{os.urandom(4).hex()}"
    archive = lifecycle_archive(work / "lifecycle.tgz", log)
    config = work / "builder.toml"
    config.write_text(
        f'[[buildpacks]]\nuri = "{buildpack}"\n'
        f'[[order]]\n[[order.group]]\nid = "pycnb/python"\nversion = "{package.version()}"\n'
        f'[build]\nimage = "{BUILD}"\n[run]\n[[run.images]]\nimage = "{RUN}"\n'
        f'[lifecycle]\nuri = "{archive}"\n'
    )
    run_pack(
        pack, docker, work / "pack", "builder", "create", name, "--config", str(config),
        "--pull-policy", "never",
    )  # fmt: skip
    try:
        yield name
    finally:
        docker.run("image", "rm", "--force", name, check=False)
