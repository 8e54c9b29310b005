"""What the user reads while the app is built: plain lines, flushed one by one."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TextIO

from python_buildpack.describe.report import Step
from python_buildpack.errors import UserError
from python_buildpack.redact import hider, redact

# Seconds of work after which it says how far it is, and then between such lines.
PATIENCE = (2.0, 3.0, 5.0, 10.0, 20.0, 30.0)
_WORTH_TELLING = 0.1
_BOLD, _RED, _YELLOW, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


def wants_colour(environ: Mapping[str, str]) -> bool:
    """Whether nobody objects (https://no-color.org). Builds never write to a terminal themselves."""
    refused = environ.get("NO_COLOR") or environ.get("CNB_NO_COLOR")
    return not refused and environ.get("TERM") != "dumb"


class Log:
    """Writes to one stream. `debug` lines appear only when asked for.

    `steps` and `warnings` hold what was told so far, for the build report.
    """

    def __init__(
        self, stream: TextIO | None = None, *, debug: bool = False, colour: bool = False
    ) -> None:
        self._stream = stream or sys.stdout
        self._debug = debug
        self._colour = colour
        self._known: set[str] = set()
        self._secrets: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        self._last = 0.0  # when the last line was written
        self.steps: list[Step] = []
        self.warnings: list[str] = []

    def hide(self, secrets: Iterable[str]) -> None:
        """Never print these from now on, whatever they stand in."""
        self._known.update(secrets)
        self._secrets = hider(self._known)

    def clean(self, text: str) -> str:
        """`text` without credentials: those of URLs, and those that are known."""
        text = redact(text)
        return self._secrets.sub("****", text) if self._secrets else text

    def hides(self, text: str) -> bool:
        """Whether `text` holds what is never printed."""
        return self._secrets is not None and self._secrets.search(text) is not None

    def _line(self, text: str, paint: str = "") -> None:
        # Names in locks, of files, and values of variables may hold what has no UTF-8.
        text = self.clean(text.rstrip()).encode("utf-8", "backslashreplace").decode()
        if paint and self._colour:
            text = f"{paint}{text}{_PLAIN}"
        with self._lock:
            self._stream.write(f"{text}\n")
            self._stream.flush()
            self._last = time.monotonic()

    def heading(self, text: str) -> None:
        self._line(f"-----> {text}", _BOLD)

    @contextlib.contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """A heading, whatever is told within, and the time taken."""
        self.heading(f"{name} {detail}".rstrip())
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self.steps.append(Step(name=name, seconds=seconds))
        if seconds >= _WORTH_TELLING:
            self.info(f"took {seconds:.1f} s")

    def info(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._line(f"       {line}")

    def progress(self, text: str) -> None:
        self.info(text)

    @contextlib.contextmanager
    def telling(self, how_far: Callable[[], str]) -> Iterator[None]:
        """Tell how far the work within has come, now and then, where it takes long in silence."""
        done = threading.Event()
        started = time.monotonic()

        def tell() -> None:
            waits = list(PATIENCE)
            while not done.wait(waits.pop(0) if len(waits) > 1 else waits[0]):
                now = time.monotonic()
                if now - self._last >= PATIENCE[0]:
                    self.progress(f"... {how_far()} ({now - started:.0f} s)")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            done.set()
            teller.join()

    def warning(self, text: str) -> None:
        self.warnings.append(self.clean(text))
        for number, line in enumerate(text.splitlines()):
            self._line(f" !     {'Warning: ' if number == 0 else ''}{line}", _YELLOW)

    @property
    def is_debug(self) -> bool:
        """Whether `debug` lines appear."""
        return self._debug

    def debug(self, text: str) -> None:
        if self._debug:
            for line in text.splitlines():
                self.info(f"[debug] {line}")

    def error(self, error: UserError) -> None:
        """Print `error`: title, body and id."""
        self._line(" !")
        self._line(f" !     Error: {error.title}", _RED)
        self._line(" !")
        for line in error.body.splitlines():
            self._line(f" !     {line}")
        self._line(f" !     [{error.id}]")
