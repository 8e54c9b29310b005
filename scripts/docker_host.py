"""A Docker daemon to test with: the one that runs here, else one of our own, taken down again."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from go_tools import cache_dir

START_SECONDS = 60
PACKAGES = ("docker.io", "debootstrap", "iptables", "ca-certificates")


class DockerError(Exception):
    """Raised with a text for the user when there is no daemon and none can be started."""


@dataclass(frozen=True, kw_only=True)
class Docker:
    """A client and the environment that leads it to its daemon."""

    client: str
    environ: Mapping[str, str]

    def run(
        self, *arguments: str, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the client; raises `DockerError` when it fails and `check` is set."""
        done = subprocess.run(
            [self.client, *arguments],
            env={**os.environ, **self.environ},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if check and done.returncode:
            raise DockerError(f"docker {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done


def client() -> str | None:
    """Docker's client; Debian's own, which fits its daemon, before any other."""
    return next(
        (c for c in ("/usr/bin/docker", shutil.which("docker")) if c and Path(c).exists()), None
    )


def install(packages: Sequence[str], log: Callable[[str], None]) -> None:
    """Install Debian packages; needs root."""
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise DockerError(f"Install these and try again: {', '.join(packages)}")
    log(f"Installing {', '.join(packages)}")
    # What is installed must not start services of its own.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-qy", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(
                command,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                raise DockerError(f"{' '.join(command)} failed:\n{done.stdout}")
    finally:
        if ours:
            policy.unlink()


def docker_data() -> Path:
    """Where a daemon that is started here keeps its images."""
    return cache_dir() / "docker"


@contextlib.contextmanager
def docker(log: Callable[[str], None]) -> Iterator[Docker]:
    """A daemon that answers; one that was started here is ended afterwards."""
    found = client()
    if found and _answers(Docker(client=found, environ={})):
        yield Docker(client=found, environ={})
        return
    if shutil.which("dockerd") is None or not Path("/usr/bin/docker").exists():
        install(PACKAGES, log)
    if os.getuid() != 0:
        raise DockerError("No Docker daemon answers, and only root can start one.")
    with _daemon(log) as started:
        yield started


def _answers(candidate: Docker) -> bool:
    return candidate.run("version", check=False).returncode == 0


@contextlib.contextmanager
def _daemon(log: Callable[[str], None]) -> Iterator[Docker]:
    data = docker_data()
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pycnb-docker-") as name:
        run = Path(name)
        address = f"unix://{run}/docker.sock"
        log("Starting dockerd")
        with (run / "dockerd.log").open("wb") as output:
            process = subprocess.Popen(
                [
                    "dockerd", "--host", address, "--data-root", str(data),
                    "--exec-root", str(run / "exec"), "--pidfile", str(run / "dockerd.pid"),
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        started = Docker(client="/usr/bin/docker", environ={"DOCKER_HOST": address})
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(started):
                if process.poll() is not None or time.monotonic() > deadline:
                    text = (run / "dockerd.log").read_text(errors="replace")
                    raise DockerError(f"dockerd does not start:\n{text[-3000:]}")
                time.sleep(0.2)
            yield started
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for mount in (run / "exec" / "netns").glob("*"):
                # dockerd leaves the namespace of `--network host` mounted.
                subprocess.run(["umount", "-l", str(mount)], check=False)
