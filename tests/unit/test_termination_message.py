"""The message that Kubernetes shows of a container that failed."""

from __future__ import annotations

from pathlib import Path

from python_buildpack.describe.termination_message import leave_termination_message


def test_a_pod_gets_the_message(tmp_path: Path) -> None:
    """The kubelet's file holds the text, cut to the 4,096 bytes that it reads."""
    path = tmp_path / "termination-log"
    path.write_text("")
    leave_termination_message("Why, and what to do.\n", path)
    assert path.read_text() == "Why, and what to do.\n"
    leave_termination_message("x" * 5000, path)
    assert path.stat().st_size == 4096


def test_elsewhere_there_is_none(tmp_path: Path) -> None:
    """Without the kubelet's file none is made, and what cannot be written is no error."""
    leave_termination_message("text", tmp_path / "absent")
    leave_termination_message("text", tmp_path)
    assert list(tmp_path.iterdir()) == []
