"""Processes of the build: what they print, and what they leave behind."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from python_buildpack.log import Log
from python_buildpack.run import run


def run_script(folder: Path, script: str) -> tuple[int, str, Log]:
    """Exit code and output of a shell script, and the log."""
    log = Log(io.StringIO())
    environ = {"PATH": os.environ["PATH"]}
    return *run(["sh", "-c", script], environ=environ, cwd=folder, log=log), log


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("printf 'a\\nb'", "a\nb"),
        ("printf 'a\\r\\nb\\rc\\n\\n'", "a\nb\nc\n"),
        ("printf '\\303'; sleep 0.1; printf '\\244\\n\\377'", "ä\n�"),
        ("exec >&- 2>&-; sleep 0.3", ""),
        ("(sleep 0.3; echo later) & echo now", "now\nlater"),
    ],
)
def test_output(tmp_path: Path, script: str, output: str) -> None:
    """Whole lines, however they come, and the last one without an end; nothing of it is lost."""
    code, found, log = run_script(tmp_path, script)
    assert (code, found) == (0, output)
    assert log.warnings == []


@pytest.mark.parametrize("detached", ["", "setsid "])
def test_what_stays_in_the_background_does_not_hold_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detached: str
) -> None:
    """A hook starts a server for its own work, and ends: so does the step, with its exit code."""
    monkeypatch.setattr("python_buildpack.run._LINGER", 0.3)
    server = "sh -c 'echo $$ > server; echo listening; exec sleep 60'"
    code, output, log = run_script(tmp_path, f"{detached}{server} & sleep 0.3; exit 3")
    assert (code, output) == (3, "listening")
    assert len(log.warnings) == 1
    assert "in the background" in log.warnings[0]
    server_id = int((tmp_path / "server").read_text())
    if detached:
        os.kill(server_id, 9)  # out of reach: it holds the build no longer all the same
    else:
        with pytest.raises(ProcessLookupError):
            wait_for_its_end(server_id)


def wait_for_its_end(process: int) -> None:
    """Raises `ProcessLookupError` when it has ended; a zombie of nobody's has, too."""
    while True:
        os.kill(process, 0)
        if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            raise ProcessLookupError
