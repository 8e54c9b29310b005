"""The only place that starts processes."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from python_buildpack.forbidden import FORBIDDEN
from python_buildpack.log import Log

_SHORT = 20  # lines
_LOOKS = 0.2  # seconds between two looks at whether a silent process has ended
_LINGER = 2.0  # seconds that its children may write for after that


def child_environment(environ: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The build's environment, less what would mislead a tool, plus what the step needs."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in FORBIDDEN and not name.startswith(("PYTHON", "CNB_"))
    }
    return {**kept, **extra}


def capture(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    given: IO[bytes] | None = None,
) -> tuple[int, str]:
    """Run `command` quietly; its exit code and output. Raises `OSError` when it does not start.

    `given` is an open file that is its standard input.
    """
    with _started(command, environ, cwd, given) as process:
        output, _ = process.communicate()
    return process.returncode, output


def run(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    log: Log,
    show: bool = True,
    how_far: Callable[[], str] | None = None,
) -> tuple[int, str]:
    """Run `command`, its output shown indented as it comes; its exit code and output.

    Children that it leaves and that hold its output are ended: it may be a server.
    At debug level the command is shown too, and what it printed if that is short, or if it failed.
    `how_far` tells the progress of what is silent for long.
    """
    words = [str(word) for word in command]
    # A value may be a secret, known or not: names alone.
    log.debug(f"in {cwd}: {shlex.join(words)}\nwith the variables {' '.join(sorted(environ))}")
    started = time.monotonic()
    lines: list[str] = []
    telling = log.telling(how_far or (lambda: f"{Path(words[0]).name} is running"))
    with _started(words, environ, cwd) as process, telling:
        for line in _lines(process, log):
            clean = log.clean(line)
            lines.append(clean)
            if show:
                log.info(clean)
    if not show and (process.returncode or len(lines) <= _SHORT):
        log.debug("\n".join(lines))
    log.debug(f"exit code {process.returncode} after {time.monotonic() - started:.1f} s")
    return process.returncode, "\n".join(lines)


def _lines(process: subprocess.Popen[str], log: Log) -> Iterator[str]:
    """What it prints, until nobody can print any more, or soon after its end."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    unfinished, ended = "", None
    while True:
        if select.select([pipe], [], [], _LOOKS)[0]:
            data = os.read(pipe, 1 << 16)
            *lines, unfinished = (unfinished + decoder.decode(data, final=not data)).split("\n")
            yield from lines
            if not data:
                break
        if ended is None and process.poll() is not None:
            ended = time.monotonic()
        if ended is not None and time.monotonic() - ended > _LINGER:
            log.warning(
                "What it had started in the background was ended: the build does not wait for it. "
                "Where it has work to do for the image, let the command wait for it."
            )
            _end_group(process)
            break
    if unfinished:
        yield unfinished


@contextlib.contextmanager
def _started(
    command: Sequence[str | Path],
    environ: Mapping[str, str],
    cwd: Path | None,
    given: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own: whatever ends the build early ends the whole group."""
    process = subprocess.Popen(
        [str(word) for word in command],
        env=dict(environ),
        cwd=cwd,
        stdin=given or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with process:
        try:
            yield process
        except BaseException:
            _end_group(process)
            raise


def _end_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Terminated(BaseException):
    """The platform asked the build to end (SIGTERM)."""


def end_on_sigterm() -> None:
    """Have SIGTERM raise `Terminated`, so that children end and temporary files go."""

    def end(number: int, frame: object) -> None:
        del number, frame
        raise Terminated

    signal.signal(signal.SIGTERM, end)
