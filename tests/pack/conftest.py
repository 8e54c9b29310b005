"""pack, a Docker daemon, and a builder whose build image has no Python."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import builder
from docker_host import Docker, docker
from kept_package import copied_package
from pack_cli import build_app, ensure_pack

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Everything that `pack build` needs."""

    pack: Path
    docker: Docker
    work: Path
    buildpack: Path
    builder: str

    def build(
        self,
        image: str,
        app: Path,
        settings: Mapping[str, str] | None = None,
        *,
        options: Sequence[str] = (),
        check: bool = True,
        run_image: str | None = None,
    ) -> str:
        """Build `app` into `image`; what pack printed."""
        return build_app(
            self.pack, self.docker, self.work / "pack", image, self.builder, app,
            settings or {}, options=options, check=check, run_image=run_image,
        ).stdout  # fmt: skip


@pytest.fixture(scope="session")
def host() -> Iterator[Docker]:
    """A Docker daemon."""
    with docker(print) as found:
        yield found


@pytest.fixture(scope="session")
def platform(host: Docker) -> Iterator[Pack]:
    """The builder is made once; it holds the packaged buildpack."""
    with tempfile.TemporaryDirectory(prefix="pycnb-pack-") as name:
        work = Path(name)
        pack = ensure_pack(print)
        buildpack = copied_package(work / "dist")
        with builder.builder(host, pack, buildpack, work, print) as made:
            yield Pack(pack=pack, docker=host, work=work, buildpack=buildpack, builder=made)


@pytest.fixture
def image(host: Docker) -> Iterator[str]:
    """A name for an image and for its build's volumes, removed afterwards."""
    name = f"pycnb/test-{os.getpid()}-{os.urandom(4).hex()}"
    yield name
    remove_image(host, name)


def remove_image(host: Docker, name: str) -> None:
    """The image, and the volumes of its builds."""
    host.run("image", "rm", "--force", name, check=False)
    volumes = host.run("volume", "ls", "--quiet").stdout.split()
    short = name.replace("/", "_")
    for volume in volumes:
        if short in volume:
            host.run("volume", "rm", volume, check=False)
