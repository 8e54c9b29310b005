"""Build the real `pack`, once per machine, and run it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from docker_host import Docker
from go_tools import GoToolError, ensure_tools

MODULE = "github.com/buildpacks/pack"


def ensure_pack(log: Callable[[str], None]) -> Path:
    """The `pack` binary; built if need be."""
    folder = ensure_tools(
        "pack", MODULE, ("",), log, flags=lambda version: f"-X {MODULE}.Version={version}"
    )
    return folder / "pack"


def run_pack(
    pack: Path, docker: Docker, home: Path, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run pack against `docker`; its output is captured, both streams as one."""
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(pack), *arguments, "--no-color"],
        env={
            **os.environ,
            **docker.environ,
            "PACK_HOME": str(home),
            "PACK_VOLUME_KEY": "pycnb",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if check and done.returncode:
        raise GoToolError(f"pack {' '.join(arguments)} failed:\n{done.stdout}")
    return done


def build_app(
    pack: Path,
    docker: Docker,
    home: Path,
    image: str,
    builder: str,
    app: Path,
    settings: Mapping[str, str],
    *,
    options: Sequence[str] = (),
    check: bool = True,
    run_image: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """`pack build` with images that are on this machine; the packages come over its network."""
    given = [argument for pair in settings.items() for argument in ("--env", "=".join(pair))]
    if "DOCKER_HOST" in {**os.environ, **docker.environ}:
        given += ["--docker-host", "inherit"]
    if run_image:
        given += ["--run-image", run_image]
    return run_pack(
        pack, docker, home, "build", image, "--path", str(app), "--builder", builder,
        "--pull-policy", "never", "--trust-builder", "--network", "host", *given, *options, check=check,
    )  # fmt: skip


def pack_on_path() -> Path | None:
    """The user's own pack."""
    found = shutil.which("pack")
    return Path(found) if found else None
