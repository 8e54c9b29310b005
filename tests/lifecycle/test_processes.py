"""Processes as the launcher starts them: arguments, variables, both kinds of Platform API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.lifecycle.conftest import EXAMPLES
from tests.unit.test_procfile import COMMANDS

import python_buildpack.in_image.launch_wrapper
from local_platform import Workspace, launch_environment, run_builder
from python_buildpack.launch.procfile import direct_words

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('EXTRA'), os.getcwd()]))\n"
PROCFILE = """\
plain: python show.py one 'two words' $
variables: python show.py $PORT ${NONE:-x} "$OPTIONS" $OPTIONS '$PORT'
assigned: EXTRA=$PORT python show.py one
shell: true && python show.py $PORT
list: python show.py > /dev/null; if true; then python show.py one; fi
""".replace(" $\n", "\n")
OPTIONS = "-a  -b"
ADDED = ["--added", "$PORT", "two words", "*"]


def launched(
    space: Workspace, api: str, kind: str, arguments: list[str], **variables: str
) -> tuple[list[str], str | None, str]:
    """What a process of the image sees: its arguments, $EXTRA and its directory."""
    done = subprocess.run(
        [kind, *arguments],
        executable=space.binaries / "launcher",
        env={**launch_environment(space, 5001), "CNB_PLATFORM_API": api, **variables},
        cwd=space.app,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    words, extra, place = json.loads(done.stdout)
    return words, extra, place


@pytest.fixture
def show_app(tmp_path: Path) -> Path:
    """An app whose processes print what they were started with."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "show.py").write_text(SHOW)
    (app / "Procfile").write_text(PROCFILE)
    return app


@pytest.mark.parametrize("api", ["0.9", "0.10", "0.13"])
def test_arguments_survive(space: Workspace, show_app: Path, api: str) -> None:
    """What the user adds comes after the process's own words, and is not touched."""
    build = run_builder(space, show_app, api)
    assert build.code == 0, build.log
    expected: Mapping[str, list[str]] = {
        "plain": ["one", "two words"],
        "variables": ["5001", "x", OPTIONS, "-a", "-b", "$PORT"],
        "assigned": ["one"],
        "shell": ["5001"],
        "list": ["one"],
    }
    for kind, words in expected.items():
        added = [] if kind == "list" else ADDED
        for more in ([], ADDED):
            found, extra, place = launched(space, api, kind, more, OPTIONS=OPTIONS)
            assert found == [*words, *(added if more else [])], kind
            assert extra == ("5001" if kind == "assigned" else None)
            assert place == str(space.app)
    assert "Procfile line 4: shell is started by `sh`" in build.log


def test_nothing_to_start(space: Workspace, tmp_path: Path) -> None:
    """A command that is empty at launch, or whose program is missing, says so in one line."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").touch()
    (app / "Procfile").write_text("empty: $COMMAND\nmissing: no-such-program $PORT\n")
    assert run_builder(space, app, "0.13").code == 0
    texts = {"empty": "Nothing to start: ${COMMAND} is empty", "missing": "no-such-program cannot"}
    for kind, text in texts.items():
        done = subprocess.run(
            [kind], executable=space.binaries / "launcher", env=launch_environment(space, 5001),
            cwd=space.app, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 127
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_signals_are_as_they_were(space: Workspace, tmp_path: Path) -> None:
    """Python ignores SIGPIPE; the process that the wrapper becomes must not."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").touch()
    (app / "Procfile").write_text("web: grep SigIgn /proc/self/status $EMPTY\n")
    assert run_builder(space, app, "0.13").code == 0
    done = subprocess.run(
        ["web"], executable=space.binaries / "launcher", env=launch_environment(space, 5001),
        cwd=space.app, capture_output=True, text=True, check=True,
        preexec_fn=_default_signals,
    )  # fmt: skip
    ignored = int(done.stdout.split()[1], 16)
    assert ignored & (1 << 12) == 0


def _default_signals() -> None:
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


ENVIRON = {
    "PATH": "/usr/bin:/bin",
    "PORT": "5001",
    "EMPTY": "",
    "OPTIONS": " -w 2  --log-level\tdebug ",
    "DOLLAR": "$PORT",
}
# NUL cannot be in an argument; what is printed is the words and one variable.
PRINT = "import os, sys; print(repr((sys.argv[1:], os.environ.get('A'), os.environ.get('PORT'))))"


@given(COMMANDS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_direct_commands_are_what_the_shell_makes_of_them(tmp_path: Path, text: str) -> None:
    """Every command that we start without a shell gets the words that sh would give it."""
    program = tmp_path / "show"
    if not program.exists():
        program.write_text(f"#!{sys.executable} -IS\n{PRINT}\n")
        program.chmod(0o755)
    # The piece is an argument, and where it holds assignments, they stand before the command.
    for command in (
        f"{program} {text}",
        f"A={text.replace(' ', '')} {program} $A",
        f"A=1 {program} {text}",
    ):
        words = direct_words(command)
        if words is None:
            continue
        by_shell = subprocess.run(
            ["sh", "-c", command], env=ENVIRON, cwd=tmp_path, capture_output=True, check=False
        )
        wrapper = python_buildpack.in_image.launch_wrapper.__file__
        by_us = subprocess.run(
            [sys.executable, "-IS", wrapper, str(len(words)), *words],
            env=ENVIRON, cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert by_us.stdout == by_shell.stdout, command
        # The shell calls an empty command a success; we say that there is nothing to start.
        if by_shell.stdout:
            assert by_us.returncode == by_shell.returncode, command


def test_examples_need_no_shell(space: Workspace) -> None:
    """No process of an example is started by a shell."""
    for name in ("flask", "django", "fastapi"):
        build = run_builder(space, EXAMPLES / name, "0.13")
        assert build.code == 0, build.log
        assert "web (default): " in build.log
        assert '"sh"' not in (space.layers / "config" / "metadata.toml").read_text()
