"""A build that is asked to end takes everything that it started with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.lifecycle.conftest import EXAMPLES

from local_platform import Workspace, create, fresh

# Building this "package" tells its process id, starts a child and goes on for an hour.
SETUP = """
import os, pathlib, subprocess, time
child = subprocess.Popen(["sleep", "3600"])
pathlib.Path({path!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
time.sleep(3600)
"""


def is_alive(process: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_stop(
    space: Workspace, flask_app: Path, tmp_path: Path, number: signal.Signals, installer: str
) -> None:
    """No child is left, no temporary file, no layer that looks whole; the next build passes."""
    told = tmp_path / "told"
    (flask_app / "slow").mkdir()
    (flask_app / "slow" / "setup.py").write_text(SETUP.format(path=str(told)))
    (flask_app / "requirements.txt").write_text("./slow\n")
    fresh(space, flask_app, {})
    (tmp_path / "plan.toml").write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    buildpack = next((space.root / "buildpacks" / "pycnb_python").iterdir()).resolve()
    with subprocess.Popen(
        [buildpack / "bin" / "build"],
        cwd=space.app,
        env={
            **os.environ,
            "TMPDIR": str(temporary),
            "CNB_BUILDPACK_DIR": str(buildpack),
            "CNB_LAYERS_DIR": str(space.layers),
            "CNB_PLATFORM_DIR": str(space.root / "platform"),
            "CNB_BP_PLAN_PATH": str(tmp_path / "plan.toml"),
            "BP_PIP_INSTALLER": installer,
        },
        stdout=subprocess.PIPE,
        text=True,
        # A shell's background job, which CI may be, hands on an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not (told.exists() and told.read_text().count(" ")) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        try:
            output, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 1
    assert "[stopped]" in output
    assert "Traceback" not in output
    for word in told.read_text().split():
        for _ in range(100):
            if not is_alive(int(word)):
                break
            time.sleep(0.02)
        assert not is_alive(int(word))
    assert list(temporary.iterdir()) == []
    assert not (space.layers / "venv.toml").exists()
    assert create(space, EXAMPLES / "flask").code == 0
