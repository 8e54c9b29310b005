"""Build Go programs from the modules below tools/, once per machine; each is checked by its go.sum."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

TOOLS_DIR = Path(__file__).resolve().parent.parent / "tools"


class GoToolError(Exception):
    """Raised with a text for the user when a program cannot be built on this machine."""


def cache_dir() -> Path:
    """The directory for what is built once per machine and user."""
    if chosen := os.environ.get("PYCNB_CACHE"):
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pycnb"


@contextmanager
def made_once(target: Path) -> Iterator[None]:
    """Hold the lock of `target`, so that only one process makes it; the others wait."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def module_version(name: str, module: str) -> str:
    """The version of `module` that tools/<name>/go.mod asks for, without the `v`."""
    path = TOOLS_DIR / name / "go.mod"
    found = re.search(rf"{re.escape(module)} v(\S+)", path.read_text())
    if found is None:
        raise GoToolError(f"{path} does not require {module}.")
    return found[1]


def ensure_tools(
    name: str,
    module: str,
    programs: Sequence[str],
    log: Callable[[str], None],
    *,
    flags: Callable[[str], str] = lambda version: "",
    links: Mapping[str, str] | None = None,
    minutes: int = 1,
) -> Path:
    """The directory that holds the programs of tools/<name>, built if need be.

    `programs` are packages of `module`, or with `./` of tools/<name> itself; `flags` makes the
    linker's flags from its version; `links` are further names of a program.
    """
    module_dir = TOOLS_DIR / name
    version = module_version(name, module)
    sums = (module_dir / "go.mod").read_bytes() + (module_dir / "go.sum").read_bytes()
    digest = hashlib.sha256("\0".join((*programs, flags(version))).encode() + sums).hexdigest()
    final = cache_dir() / f"{name}-{version}-{digest[:12]}"
    if final.is_dir():
        return final
    with made_once(final):
        if final.is_dir():  # made by another process meanwhile
            return final
        if shutil.which("go") is None:
            raise GoToolError(f"Go (1.25 or newer) is needed to build {name}; none is on PATH.")
        log(f"Building {name} {version} (once; about {minutes} min)")
        # Built beside its final place and renamed: nobody ever sees half of it.
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=final.parent) as work:
            out = Path(work) / "out"
            out.mkdir()
            packages = [
                program if program.startswith("./") else f"{module}/{program}".rstrip("/")
                for program in programs
            ]
            _go_build(module_dir, f"{out}/", f"-s -w {flags(version)}".strip(), packages)
            for link, target in (links or {}).items():
                (out / link).symlink_to(target)
            out.chmod(0o755)
            out.rename(final)
    return final


def _go_build(module_dir: Path, out: str, flags: str, packages: Sequence[str]) -> None:
    command = [
        "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags,
        "-o", out, *packages,
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=module_dir,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GoToolError(f"go build of {module_dir.name} failed:\n{done.stdout.rstrip()}")
