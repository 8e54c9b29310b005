"""Byte code that does not depend on where, when and by how many processes it is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from python_buildpack import compile_script
from python_buildpack.run import capture


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
    command: list[str | Path] = [
        # Not -I, which would ignore the seed that some bytes depend on; -B: else what the script
        # itself imports is left compiled the usual way.
        python, "-s", "-S", "-B", compile_script.__file__, *options, *roots,
    ]  # fmt: skip
    return capture(command, environ={"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"})
