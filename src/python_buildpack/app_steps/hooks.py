"""The app's own steps of the build: `bin/pre_compile` and `bin/post_compile`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from python_buildpack import errors
from python_buildpack.log import Log
from python_buildpack.run import run

PRE_COMPILE = "bin/pre_compile"
POST_COMPILE = "bin/post_compile"


def find_hook(root: Path, name: str) -> Path | None:
    """The hook's file, where the app has it. Raises `UserError` where it cannot be executed."""
    path = root / name
    if not path.is_file():
        return None
    if not os.access(path, os.X_OK):
        raise errors.hook_not_executable(name)
    return path


def run_hook(hook: Path, name: str, root: Path, environ: Mapping[str, str], log: Log) -> None:
    """Run it in the app's root. Raises `UserError` when it fails or does not start."""
    with hook.open("rb") as file:
        start = file.readline(256)
    if start.startswith(b"#!") and start.endswith(b"\r\n"):
        raise errors.hook_cannot_start(name, "Its lines end as on Windows (CRLF): save it with LF.")
    # As a shell would, for a script that does not say what it is for.
    is_program = start.startswith((b"#!", b"\x7fELF"))
    command = [str(hook)] if is_program else ["sh", str(hook)]
    try:
        with log.step(f"Hook {name}"):
            how_far = f"{name} is running"
            code, _ = run(command, environ=environ, cwd=root, log=log, how_far=lambda: how_far)
    except OSError as error:
        shown = start.decode(errors="replace").strip()
        raise errors.hook_cannot_start(
            name, f"Its first line is {shown!r}: {error.strerror}."
        ) from None
    if code != 0:
        raise errors.hook_failed(name, code)
