"""The files in the app's root: each is read once, and parsed once."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from python_buildpack import errors
from python_buildpack.presence import exists, is_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 64 * 1024 * 1024
_MAX_DEPTH = 100


def parse_toml(text: str) -> dict[str, Any]:
    """Raises `ValueError` or `RecursionError`, the first with the line where that is known."""
    table = tomllib.loads(text)
    # A key of a thousand parts is parsed without recursion, but what reads it later recurses.
    level: list[Any] = [table]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, (dict, list))
        ]
    if level:
        raise ValueError(f"tables within tables, more than {_MAX_DEPTH} deep")
    return table


class AppFiles:
    """Reads below `root`. What cannot be read, or understood, raises a `UserError` with its line."""

    def __init__(self, root: Path, top: Path | None = None) -> None:
        """`top` is what was uploaded; `root`, the app's own directory, may lie below it."""
        self.root = root
        self.top = top or root

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The names of the regular files in the root itself, links to files included."""
        try:
            with os.scandir(self.root) as entries:
                return frozenset(entry.name for entry in entries if is_file(entry.path))
        except OSError as error:
            raise errors.file_unreadable(str(self.root), f"{error.strerror}.") from None

    def holds(self, path: str) -> bool:
        """Whether `path` (of a lock, say) is there, within what was uploaded."""
        place = os.path.normpath(self.root / path)
        if "\0" in path or not Path(place).is_relative_to(os.path.normpath(self.top)):
            return False
        return exists(place)

    @functools.cache  # noqa: B019 - there is one object of this class for each build
    def data(self, name: str) -> bytes:
        """The bytes of a file."""
        path = self.root / name
        try:
            if not is_file(path):
                raise errors.file_unreadable(name, "It is not a regular file.")
            if path.stat().st_size > MAX_BYTES:
                raise errors.file_unreadable(name, "It is larger than 64 MiB.")
            return path.read_bytes()
        except OSError as error:
            raise errors.file_unreadable(name, f"{error.strerror}.") from None

    @functools.cache  # noqa: B019
    def text(self, name: str) -> str:
        """The text of a UTF-8 file."""
        data = self.data(name)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            shown = data.split(b"\n")[line - 1][:200]
            raise errors.file_unreadable(
                f"{name} line {line}", f"It is not UTF-8 text.\nThe line is: {shown!r}"
            ) from None

    @functools.cache  # noqa: B019
    def toml(self, name: str) -> dict[str, Any]:
        """The table that a TOML file holds."""
        text = self._without_mark(name)
        try:
            return parse_toml(text)
        except (ValueError, RecursionError) as error:
            found = re.search(r"line (\d+)|end of document", str(error))
            line = int(found[1] or text.count("\n") + 1) if found else None
            raise _malformed(name, "TOML", text, line, error) from None

    @functools.cache  # noqa: B019
    def json(self, name: str) -> dict[str, Any]:
        """The object that a JSON file holds."""
        text = self._without_mark(name)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _malformed(name, "JSON", text, getattr(error, "lineno", None), error) from None
        if not isinstance(value, dict):
            raise errors.file_unreadable(f"{name} line 1", "It is not a JSON object.")
        return value

    def _without_mark(self, name: str) -> str:
        text = self.text(name)
        if text.startswith("\ufeff"):
            raise errors.file_unreadable(
                f"{name} line 1", "It begins with a byte order mark: save it as UTF-8 without BOM."
            )
        return text


def _malformed(
    name: str, kind: str, text: str, line: int | None, error: BaseException
) -> errors.UserError:
    """Names the line, and shows it, where it is known."""
    where, shown = name, ""
    if line is not None:
        lines = re.split(r"\r\n|\n|\r", text)
        where, shown = f"{name} line {line}", lines[min(line, len(lines)) - 1][:200]
    said = f"\nThe line is: {shown!r}" if shown else ""
    return errors.file_unreadable(
        where, f"It is not valid {kind}: {error}.{said}", f"Correct the {kind}"
    )
