"""What the user reads while the app is built: plain lines, flushed one by one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TextIO

from python_buildpack.errors import UserError
from python_buildpack.redact import hider, redact


class Log:
    """Writes to one stream. `debug` lines appear only when asked for."""

    def __init__(self, stream: TextIO | None = None, *, debug: bool = False) -> None:
        self._stream = stream or sys.stdout
        self._debug = debug
        self._secrets: re.Pattern[str] | None = None

    def hide(self, secrets: Iterable[str]) -> None:
        """Never print these from now on, whatever they stand in."""
        self._secrets = hider(secrets)

    def clean(self, text: str) -> str:
        """`text` without credentials: those of URLs, and those that are known."""
        text = redact(text)
        return self._secrets.sub("****", text) if self._secrets else text

    def _line(self, text: str) -> None:
        self._stream.write(self.clean(text) + "\n")
        self._stream.flush()

    def heading(self, text: str) -> None:
        self._line(f"-----> {text}")

    def info(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._line(f"       {line}".rstrip())

    def progress(self, text: str) -> None:
        self.info(text)

    def warning(self, text: str) -> None:
        for number, line in enumerate(text.splitlines()):
            self._line(f" !     {'Warning: ' if number == 0 else ''}{line}".rstrip())

    def debug(self, text: str) -> None:
        if self._debug:
            self.info(f"[debug] {text}")

    def error(self, error: UserError) -> None:
        """Print `error`: title, body and id."""
        self._line(" !")
        self._line(f" !     Error: {error.title}")
        self._line(" !")
        for line in error.body.splitlines():
            self._line(f" !     {line}".rstrip())
        self._line(f" !     [{error.id}]")
