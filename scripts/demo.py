"""An example app becomes an image through the real lifecycle, starts, and answers."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import oci_layout
import package
from lifecycle import LifecycleError, ensure_lifecycle

ROOT = Path(__file__).resolve().parent.parent
BUILDPACK_ID = "pycnb_python"
RUN_IMAGE = "demo/run"
APP_IMAGE = "demo/app"
PLATFORM_API = "0.13"
START_SECONDS = 60


class DemoError(Exception):
    """Raised with a text for the user."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The directories that the lifecycle is given."""

    root: Path

    @property
    def app(self) -> Path:
        return self.root / "workspace"

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def layout(self) -> Path:
        return self.root / "layout"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", type=Path, default=ROOT / "examples" / "flask")
    app: Path = parser.parse_args().app
    if not app.is_dir():
        print(f"{app} is not a directory", file=sys.stderr)
        return 1
    try:
        demo(app.resolve())
    except (DemoError, LifecycleError, package.PackageError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def say(text: str) -> None:
    """One line of the demo's own."""
    print(f"==> {text}", flush=True)


def demo(app: Path) -> None:
    """Build twice, ask for a page, show what was reused."""
    binaries = ensure_lifecycle(say)
    buildpack = ensure_package()
    with tempfile.TemporaryDirectory(prefix="pycnb-demo-") as name:
        space = prepare(Path(name), buildpack)
        say(f"Building {os.path.relpath(app)} with the lifecycle")
        first = build(binaries, space, app)
        show(first.log)
        answer = ask(binaries, space)
        say(f"The app answers: {answer.strip()}")
        say("Building it again, unchanged")
        second = build(binaries, space, app)
        show(second.log)
        image = oci_layout.read_image(space.layout, APP_IMAGE)
        layers = sorted(re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", second.log))
        written = [d for d in ("python", "venv") if (space.layers / BUILDPACK_ID / d).exists()]
        step = re.findall(r"Python buildpack done in ([\d.]+ s)", second.log)
        say(
            f"First build {first.seconds:.1f} s, second {second.seconds:.1f} s "
            f"(of it the buildpack's build step {step[-1] if step else '?'})"
        )
        say(
            f"Reused from the first image: {', '.join(layers)}; "
            f"layer directories written: {', '.join(written) or 'none'}"
        )
        say(f"Image {image.digest}")


def ensure_package() -> Path:
    """The packaged buildpack; with this machine's CPython where the archives cannot be reached."""
    say("Packaging the buildpack")
    arch = oci_layout.machine_arch()
    try:
        return package.package(arch, "archive", ROOT / "dist")
    except package.UserError as error:
        if error.id != "download-failed":
            raise DemoError(f"{error.title}\n{error.body}") from None
        say("The runtimes' host cannot be reached: packing this machine's CPython (RUNTIME=host)")
        return package.package(arch, "host", ROOT / "dist")


def prepare(root: Path, buildpack: Path) -> Workspace:
    """What a platform prepares: directories, the buildpack, the order, a run image."""
    space = Workspace(root=root)
    for name in ("platform/env", "cache", "layout", f"buildpacks/{BUILDPACK_ID}"):
        (root / name).mkdir(parents=True)
    (root / "buildpacks" / BUILDPACK_ID / package.version()).symlink_to(buildpack.resolve())
    (root / "order.toml").write_text(
        f'[[order]]\n[[order.group]]\nid = "pycnb/python"\nversion = "{package.version()}"\n'
    )
    oci_layout.write_run_image(space.layout, RUN_IMAGE)
    return space


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a build printed, and how long it took."""

    log: str
    seconds: float


def build(binaries: Path, space: Workspace, app: Path) -> Build:
    """One build as a platform starts it: fresh layers and app directories, the same cache."""
    for folder in (space.app, space.layers):
        shutil.rmtree(folder, ignore_errors=True)
    space.layers.mkdir()
    shutil.copytree(app, space.app, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        str(binaries / "creator"), "-app", str(space.app), "-layers", str(space.layers),
        "-platform", str(space.root / "platform"), "-buildpacks", str(space.root / "buildpacks"),
        "-order", str(space.root / "order.toml"), "-cache-dir", str(space.root / "cache"),
        "-uid", str(os.getuid()), "-gid", str(os.getgid()), "-launcher", str(binaries / "launcher"),
        "-layout", "-layout-dir", str(space.layout), "-run-image", RUN_IMAGE, APP_IMAGE,
    ]  # fmt: skip
    environ = {
        **os.environ,
        "CNB_PLATFORM_API": PLATFORM_API,
        "CNB_EXPERIMENTAL_MODE": "warn",
        "CNB_NO_COLOR": "true",
    }
    started = time.monotonic()
    done = subprocess.run(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise DemoError(f"{done.stdout}\nThe build failed (exit code {done.returncode}).")
    return Build(log=done.stdout, seconds=time.monotonic() - started)


def show(log: str) -> None:
    """The buildpack's own lines, and which layers the lifecycle added or reused."""
    for line in log.splitlines():
        if re.match(r"( *(----->|       |\s*!))|(Adding|Reusing) layer 'pycnb", line):
            print(f"    {line}")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(binaries: Path, root: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The image's web process on this machine, by the real launcher."""
    environ = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "CNB_LAYERS_DIR": str(root / "layers"),
        "CNB_APP_DIR": str(root / "workspace"),
        "CNB_PLATFORM_API": PLATFORM_API,
        "PORT": str(port),
    }
    web = root / "web"
    web.unlink(missing_ok=True)
    web.symlink_to(binaries / "launcher")
    # The launcher tells by the name it is started with which process is meant.
    process = subprocess.Popen(
        [str(web)],
        env=environ,
        cwd=root / "workspace",
        stdout=sys.stderr,
        stderr=sys.stderr,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ask(binaries: Path, space: Workspace) -> str:
    """The answer of the app's first page."""
    port = free_port()
    say(f"Starting its web process on 127.0.0.1:{port}")
    with started(binaries, space.root, port) as process:
        return get(f"http://127.0.0.1:{port}/", process)


def get(url: str, process: subprocess.Popen[bytes]) -> str:
    """The body of a page, as soon as the process answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with opener.open(url, timeout=5) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            raise DemoError(f"The app answers {error.code} to GET {url}.") from None
        except OSError as error:
            if process.poll() is not None:
                raise DemoError(f"The app ended with code {process.returncode}.") from None
            if time.monotonic() > deadline:
                raise DemoError(f"No answer within {START_SECONDS} s: {error}") from None
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
