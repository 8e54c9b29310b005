"""Byte code that does not depend on where, when and by how many processes it is made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from python_buildpack.run import capture

_SCRIPT = Path(__file__).with_name("compile_script.py")


def compile_trees(
    python: Path,
    roots: Sequence[Path],
    *,
    skip_tests: bool = False,
    place: tuple[str, str] = ("", ""),
) -> tuple[int, str]:
    """Compile every module below `roots` for `python`; the exit code and output.

    Without the packages' own test suites if `skip_tests` says so. `place` is the beginning of the
    sources' paths, and what is shown in place of it. Raises `OSError` where Python does not start.
    """
    options = [
        *(["--skip-tests"] if skip_tests else []),
        *(["--place", *place] if place[0] else []),
    ]
    return _compile(python, [*options, *roots])


def compile_modules(python: Path, modules: Sequence[str], *, checked: bool) -> tuple[int, str]:
    """Compile these for `python`; the exit code and output.

    `checked` ones are held to their sources at import. Of those that are no Python the output has
    a line: path, line number and what is wrong, with NULs between.
    """
    options = [*(["--checked"] if checked else []), "--tell", "--listed"]
    with open(os.memfd_create("modules"), "w+b") as listed:
        listed.write(b"".join(os.fsencode(path) + b"\n" for path in modules))
        listed.seek(0)
        return _compile(python, options, listed)


def _compile(
    python: Path, arguments: Sequence[str | Path], listed: IO[bytes] | None = None
) -> tuple[int, str]:
    command: list[str | Path] = [
        # Not -I, which would ignore the seed that some bytes depend on; -B: else what the script
        # itself imports is left compiled the usual way.
        python, "-s", "-S", "-B", _SCRIPT, *arguments,
    ]  # fmt: skip
    environ = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
    return capture(command, environ=environ, given=listed)
