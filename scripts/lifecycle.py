"""Build the real CNB lifecycle and launcher, once per machine.

The source comes as a Go module (tools/lifecycle), checked by its go.sum. The binaries are kept in
the cache directory, with the links that give each phase its name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

MODULE_DIR = Path(__file__).resolve().parent.parent / "tools" / "lifecycle"
MODULE = "github.com/buildpacks/lifecycle"
PHASES = (
    "analyzer",
    "builder",
    "creator",
    "detector",
    "exporter",
    "extender",
    "rebaser",
    "restorer",
)


class LifecycleError(Exception):
    """Raised when the lifecycle cannot be built on this machine."""


def cache_dir() -> Path:
    """The directory for what is built once per machine and user."""
    if chosen := os.environ.get("PYCNB_CACHE"):
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pycnb"


def lifecycle_version(module_dir: Path = MODULE_DIR) -> str:
    """The version of the lifecycle that go.mod asks for, without the `v`."""
    found = re.search(rf"{re.escape(MODULE)} v(\S+)", (module_dir / "go.mod").read_text())
    if found is None:
        raise LifecycleError(f"{module_dir / 'go.mod'} does not require {MODULE}.")
    return found[1]


def tool_dir(name: str, module_dir: Path) -> Path:
    """Where the binaries of a Go module are kept: a new place for each state of its files."""
    sums = (module_dir / "go.mod").read_bytes() + (module_dir / "go.sum").read_bytes()
    return cache_dir() / f"{name}-{hashlib.sha256(sums).hexdigest()[:12]}"


def ensure_lifecycle(log: Callable[[str], None]) -> Path:
    """The directory that holds `lifecycle`, `launcher` and a link per phase; built if need be."""
    version = lifecycle_version()
    final = tool_dir(f"lifecycle-{version}", MODULE_DIR)
    if (final / "creator").exists():
        return final
    if shutil.which("go") is None:
        raise LifecycleError(
            "Go (1.25 or newer) is needed to build the lifecycle; none is on PATH."
        )
    log(f"Building the lifecycle {version} (once; about a minute)")
    final.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its final place and renamed: nobody ever sees half of it.
    with tempfile.TemporaryDirectory(prefix="lifecycle-", dir=final.parent) as work:
        out = Path(work) / "out"
        out.mkdir()
        flags = f"-s -w -X {MODULE}/cmd.Version={version}"
        commands = (f"{MODULE}/cmd/lifecycle", f"{MODULE}/cmd/launcher")
        go_build(MODULE_DIR, f"{out}/", flags, commands)
        for phase in PHASES:
            (out / phase).symlink_to("lifecycle")
        out.chmod(0o755)
        try:
            out.rename(final)
        except OSError:
            if not (final / "creator").exists():  # else another build was faster
                raise
    return final


def go_build(module_dir: Path, out: str, flags: str, packages: Sequence[str]) -> None:
    """Build `packages` of the module into `out`."""
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
        raise LifecycleError(f"go build of {module_dir.name} failed:\n{done.stdout.rstrip()}")


def main() -> int:
    """Build it, and print where it is."""
    try:
        print(ensure_lifecycle(lambda line: print(line, file=sys.stderr, flush=True)))
    except LifecycleError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
