"""An example app becomes an image through the real lifecycle, starts, and answers."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import oci_layout
import package
from go_tools import GoToolError
from kept_package import kept_package
from lifecycle import ensure_lifecycle
from local_platform import (
    APP_IMAGE,
    Build,
    PlatformError,
    Workspace,
    create,
    free_port,
    get,
    prepare,
    started,
)
from python_buildpack.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", type=Path, default=ROOT / "examples" / "flask")
    parser.add_argument("--runtime", choices=("archive", "host"), default="archive")
    given = parser.parse_args()
    app: Path = given.app
    if not app.is_dir():
        print(f"APP={app}: no such directory", file=sys.stderr)
        return 1
    try:
        demo(app.resolve(), given.runtime)
    except (PlatformError, GoToolError, package.PackageError) as error:
        print(error, file=sys.stderr)
        return 1
    except UserError as error:
        print(f"{error.title}\n{error.body}", file=sys.stderr)
        return 1
    return 0


def say(text: str) -> None:
    """One line of the demo's own."""
    print(f"==> {text}", flush=True)


def demo(app: Path, runtime: str) -> None:
    """Build twice, ask for a page, show what was reused."""
    binaries = ensure_lifecycle(say)
    buildpack = ensure_package(runtime)
    with tempfile.TemporaryDirectory(prefix="pycnb-demo-") as name:
        space = prepare(Path(name), buildpack, package.version(), binaries)
        say(f"Building {os.path.relpath(app)} with the lifecycle")
        first = build(space, app)
        if "web" not in process_types(space):
            raise PlatformError("The image has no web process: see the log above for the reason.")
        port = free_port()
        say(f"Starting its web process on 127.0.0.1:{port}")
        with (
            (space.root / "web.log").open("wb") as output,
            started(space, port, output=output) as process,
        ):
            try:
                answer = get(f"http://127.0.0.1:{port}/", process)
            except PlatformError as error:
                last = (space.root / "web.log").read_text(errors="replace").splitlines()[-20:]
                raise PlatformError("\n".join((*last, str(error)))) from None
        say(f"The app answers: {answer.strip()}")
        say("Building it again, unchanged")
        second = build(space, app)
        summarise(space, first, second)


def process_types(space: Workspace) -> set[str]:
    """What the image can start."""
    metadata = oci_layout.read_image(space.layout, APP_IMAGE).labels["io.buildpacks.build.metadata"]
    return {process["type"] for process in json.loads(metadata).get("processes") or ()}


def build(space: Workspace, app: Path) -> Build:
    """One build, shown."""
    done = create(space, app)
    if done.code:
        raise PlatformError(f"{done.log}\nThe build failed (exit code {done.code}).")
    for line in done.log.splitlines():
        if re.match(r" *(----->|       | !)|(Adding|Reusing) layer 'pycnb", line):
            print(f"    {line}")
    return done


def summarise(space: Workspace, first: Build, second: Build) -> None:
    """What the second build cost, and what it took from the first."""
    step = re.search(r"Python buildpack done in ([\d.]+ s)", second.log)
    reused = sorted(re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", second.log))
    written = [name for name in ("python", "venv") if (space.buildpack_layers / name).exists()]
    say(
        f"First build {first.seconds:.1f} s, second {second.seconds:.1f} s "
        f"(the buildpack's build step: {step[1] if step else '?'})"
    )
    say(
        f"Reused from the first image: {', '.join(reused) or 'nothing'}; "
        f"layer directories written: {', '.join(written) or 'none'}"
    )
    say(f"The image: {oci_layout.read_image(space.layout, APP_IMAGE).digest}")


def ensure_package(runtime: str) -> Path:
    """The packaged buildpack; with this machine's CPython where the archives cannot be reached."""
    say("Packaging the buildpack, unless it is here already")
    try:
        return kept_package(runtime)
    except UserError as error:
        if error.id != "download-failed":
            raise
        say("The runtimes' host cannot be reached: taking this machine's CPython (RUNTIME=host)")
        return kept_package("host")


if __name__ == "__main__":
    sys.exit(main())
