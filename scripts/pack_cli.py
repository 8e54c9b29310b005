"""Build the real `pack`, once per machine, and run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from docker_host import Docker
from lifecycle import LifecycleError, go_build, tool_dir

MODULE_DIR = Path(__file__).resolve().parent.parent / "tools" / "pack"
MODULE = "github.com/buildpacks/pack"


def ensure_pack(log: Callable[[str], None]) -> Path:
    """The `pack` binary; built if need be."""
    found = re.search(rf"{re.escape(MODULE)} v(\S+)", (MODULE_DIR / "go.mod").read_text())
    if found is None:
        raise LifecycleError(f"{MODULE_DIR / 'go.mod'} does not require {MODULE}.")
    binary = tool_dir(f"pack-{found[1]}", MODULE_DIR) / "pack"
    if binary.exists():
        return binary
    log(f"Building pack {found[1]} (once; about a minute)")
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pack-", dir=binary.parent) as work:
        made = Path(work) / "pack"
        go_build(MODULE_DIR, str(made), f"-s -w -X {MODULE}.Version={found[1]}", (MODULE,))
        made.replace(binary)
    return binary


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
        raise LifecycleError(f"pack {' '.join(arguments)} failed:\n{done.stdout}")
    return done


def build_app(
    pack: Path,
    docker: Docker,
    home: Path,
    image: str,
    builder: str,
    app: Path,
    settings: Mapping[str, str],
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """`pack build` with images that are on this machine; the packages come over its network."""
    given = [argument for pair in settings.items() for argument in ("--env", "=".join(pair))]
    if "DOCKER_HOST" in docker.environ:
        given += ["--docker-host", "inherit"]
    return run_pack(
        pack, docker, home, "build", image, "--path", str(app), "--builder", builder,
        "--pull-policy", "never", "--trust-builder", "--network", "host", *given, check=check,
    )  # fmt: skip


def pack_on_path() -> Path | None:
    """The user's own pack."""
    found = shutil.which("pack")
    return Path(found) if found else None
