"""A platform on this machine: the real lifecycle with neither Docker nor a registry.

Directories and images (as OCI layouts) lie below one workspace; the image's process is started by
the real launcher, on this machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import oci_layout

BUILDPACK_ID = "pycnb_python"
RUN_IMAGE = "demo/run"
APP_IMAGE = "demo/app"
PLATFORM_API = "0.13"
START_SECONDS = 60


class PlatformError(Exception):
    """Raised with a text for the user."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where everything lies. `user` is who the phases run as; None: whoever runs this."""

    root: Path
    binaries: Path
    user: int | None = None

    @property
    def app(self) -> Path:
        return self.root / "workspace"

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def buildpack_layers(self) -> Path:
        return self.layers / BUILDPACK_ID

    @property
    def layout(self) -> Path:
        return self.root / "layout"

    @property
    def uid(self) -> int:
        return os.getuid() if self.user is None else self.user


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a build printed, how it ended and how many seconds it took."""

    code: int
    log: str
    seconds: float


def prepare(
    root: Path,
    buildpack: Path,
    version: str,
    binaries: Path,
    user: int | None = None,
    others: Sequence[Path] = (),
    before: Sequence[Path] = (),
) -> Workspace:
    """What a platform prepares: directories, the buildpack, the order, a run image.

    `before` and `others` are buildpacks that come before and after it in the order; the folder's
    name is its id.
    """
    space = Workspace(root=root, binaries=binaries, user=user)
    for name in ("platform/env", "cache", "layout", f"buildpacks/{BUILDPACK_ID}"):
        (root / name).mkdir(parents=True)
    (root / "buildpacks" / BUILDPACK_ID / version).symlink_to(buildpack.resolve())
    group = {}
    for other in (*before, *others):
        (root / "buildpacks" / other.name).mkdir()
        (root / "buildpacks" / other.name / "1.0.0").symlink_to(other.resolve())
        group[other] = f'[[order.group]]\nid = "{other.name}"\nversion = "1.0.0"\noptional = true\n'
    own = f'[[order.group]]\nid = "pycnb/python"\nversion = "{version}"\n'
    order = [*(group[other] for other in before), own, *(group[other] for other in others)]
    (root / "order.toml").write_text("[[order]]\n" + "".join(order))
    oci_layout.write_run_image(space.layout, RUN_IMAGE)
    return space


def fresh(space: Workspace, app: Path, settings: Mapping[str, str]) -> None:
    """Empty layers, a copy of the app, the build's environment: as each build starts."""
    for folder in (space.app, space.layers, space.root / "platform" / "env"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for name, value in settings.items():
        (space.root / "platform" / "env" / name).write_text(value)
    shutil.copytree(
        app,
        space.app,
        symlinks=True,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    if space.user is not None:
        for place, _, names in os.walk(space.root):
            for path in (Path(place), *(Path(place) / name for name in names)):
                os.chown(path, space.user, space.user, follow_symlinks=False)


def create(
    space: Workspace,
    app: Path,
    settings: Mapping[str, str] | None = None,
    target: Sequence[str] | None = None,
    *,
    api: str = PLATFORM_API,
    colour: bool = False,
) -> Build:
    """One build by `creator`, as pack starts it: fresh layers and app, the same cache.

    `target` says where the run image comes from and the image goes to, where that is not the
    layout. In `colour` is what a terminal gets.
    """
    fresh(space, app, settings or {})
    return _phase(space, "creator", creator_arguments(space, target), api, colour=colour)


def creator_arguments(space: Workspace, target: Sequence[str] | None = None) -> list[str]:
    """What `creator` is given; for `target` see `create`."""
    arguments = [
        "-app", str(space.app), "-layers", str(space.layers),
        "-platform", str(space.root / "platform"), "-buildpacks", str(space.root / "buildpacks"),
        "-order", str(space.root / "order.toml"), "-cache-dir", str(space.root / "cache"),
        "-uid", str(space.uid), "-gid", str(space.uid),
        "-launcher", str(space.binaries / "launcher"),
    ]  # fmt: skip
    arguments += target or [
        "-layout", "-layout-dir", str(space.layout), "-run-image", RUN_IMAGE, APP_IMAGE,
    ]  # fmt: skip
    return arguments


def run_phases(space: Workspace, app: Path, settings: Mapping[str, str] | None = None) -> Build:
    """One build phase by phase, as kpack does: each a process of its own, none of them root."""
    fresh(space, app, settings or {})
    layers, root = str(space.layers), space.root
    group, plan, analyzed = (f"{layers}/{n}.toml" for n in ("group", "plan", "analyzed"))
    layout = ["-layout", "-layout-dir", str(space.layout)]
    who = ["-uid", str(space.uid), "-gid", str(space.uid)]
    buildpacks = ["-buildpacks", str(root / "buildpacks")]
    platform = ["-platform", str(root / "platform")]
    cache = ["-cache-dir", str(root / "cache")]
    phases: list[tuple[str, list[str]]] = [
        ("analyzer", [*layout, *who, "-layers", layers, "-analyzed", analyzed,
                      "-run-image", RUN_IMAGE, APP_IMAGE]),
        ("detector", [*buildpacks, *platform, "-app", str(space.app), "-layers", layers,
                      "-order", str(root / "order.toml"), "-group", group, "-plan", plan]),
        ("restorer", [*layout, *who, *cache, "-layers", layers, "-group", group,
                      "-analyzed", analyzed]),
        ("builder", [*buildpacks, *platform, "-app", str(space.app), "-layers", layers,
                     "-group", group, "-plan", plan]),
        ("exporter", [*layout, *who, *cache, "-app", str(space.app), "-layers", layers,
                      "-group", group, "-analyzed", analyzed,
                      "-launcher", str(space.binaries / "launcher"), APP_IMAGE]),
    ]  # fmt: skip
    started_at = time.monotonic()
    log = ""
    for name, arguments in phases:
        done = _phase(space, name, arguments)
        log += f"===> {name}\n{done.log}"
        if done.code:
            break
    return Build(code=done.code, log=log, seconds=time.monotonic() - started_at)


def run_builder(
    space: Workspace, app: Path, api: str, settings: Mapping[str, str] | None = None
) -> Build:
    """Detector and builder alone, at this Platform API: the layers can be launched, no image is made.

    This is how older platforms are tried that know no OCI layout.
    """
    fresh(space, app, settings or {})
    layers, root = str(space.layers), space.root
    common = [
        "-buildpacks", str(root / "buildpacks"), "-platform", str(root / "platform"),
        "-app", str(space.app), "-layers", layers,
        "-group", f"{layers}/group.toml", "-plan", f"{layers}/plan.toml",
    ]  # fmt: skip
    detected = _phase(space, "detector", [*common, "-order", str(root / "order.toml")], api)
    if detected.code:
        return detected
    return _phase(space, "builder", common, api)


def _phase(
    space: Workspace,
    name: str,
    arguments: Sequence[str],
    api: str = PLATFORM_API,
    *,
    colour: bool = False,
) -> Build:
    started_at = time.monotonic()
    with start_phase(space, name, arguments, api, colour=colour) as process:
        output, _ = process.communicate()
    return Build(
        code=process.returncode,
        log=output.decode(errors="replace"),
        seconds=time.monotonic() - started_at,
    )


def start_phase(
    space: Workspace,
    name: str,
    arguments: Sequence[str],
    api: str = PLATFORM_API,
    *,
    own_session: bool = False,
    colour: bool = False,
) -> subprocess.Popen[bytes]:
    """A phase of the lifecycle; in a session of its own it can be ended with all its children."""
    environ = {
        **os.environ,
        "CNB_PLATFORM_API": api,
        "CNB_EXPERIMENTAL_MODE": "warn",
        **({} if colour else {"CNB_NO_COLOR": "true"}),
    }
    if space.user is not None:
        environ["HOME"] = str(space.root)
    return subprocess.Popen(
        [str(space.binaries / name), *arguments],
        env=environ,
        cwd=space.root,
        user=space.user,
        group=space.user,
        extra_groups=None if space.user is None else [],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=own_session,
    )


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(
    space: Workspace,
    port: int,
    process_type: str = "web",
    output: IO[bytes] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the image on this machine, by the real launcher."""
    # The launcher goes by the name that it is started with.
    with running(
        [process_type],
        {**launch_environment(space, port), **(variables or {})},
        space.app,
        executable=space.binaries / "launcher",
        output=output,
    ) as process:
        yield process


@contextlib.contextmanager
def running(
    command: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    *,
    executable: Path | None = None,
    output: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own group, which is ended afterwards."""
    process = subprocess.Popen(
        command,
        executable=executable,
        env=environ,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output or subprocess.DEVNULL,
        stderr=output or subprocess.DEVNULL,
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


def launch_environment(space: Workspace, port: int) -> dict[str, str]:
    """What a container would start with."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(space.root),
        "CNB_LAYERS_DIR": str(space.layers),
        "CNB_APP_DIR": str(space.app),
        "CNB_PLATFORM_API": PLATFORM_API,
        "PORT": str(port),
    }


def get(url: str, process: subprocess.Popen[bytes], pause: float = 0.1) -> str:
    """The body of a page, as soon as the process answers; `pause` seconds between attempts."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with opener.open(url, timeout=5) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            raise PlatformError(f"The app answers {error.code} to GET {url}.") from None
        except OSError as error:
            if process.poll() is not None:
                raise PlatformError(f"The app ended with code {process.returncode}.") from None
            if time.monotonic() > deadline:
                raise PlatformError(f"No answer within {START_SECONDS} s: {error}") from None
            time.sleep(pause)
