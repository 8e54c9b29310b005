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
    return _compile(python, [*options, *roots])


def compile_modules(
    python: Path, modules: Sequence[str], list_file: Path, *, checked: bool
) -> tuple[int, str]:
    """Compile these for `python`, by way of a list in `list_file`; the exit code and output.

    `checked` ones are held to their sources at import. Of those that are no Python the output has
    a line: path, line number and what is wrong, with NULs between.
    """
    list_file.write_text("".join(f"{path}\n" for path in modules), errors="surrogateescape")
    return _compile(python, [*(["--checked"] if checked else []), "--tell", "--list", list_file])


def _compile(python: Path, arguments: Sequence[str | Path]) -> tuple[int, str]:
    command: list[str | Path] = [
        # Not -I, which would ignore the seed that some bytes depend on; -B: else what the script
        # itself imports is left compiled the usual way.
        python, "-s", "-S", "-B", compile_script.__file__, *arguments,
    ]  # fmt: skip
    return capture(command, environ={"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"})
