"""The app's own modules, byte-compiled: a read-only container would compile them at every start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from python_buildpack.log import Log
from python_buildpack.run import run

_SKIPPED = frozenset(["node_modules", "site-packages", "__pycache__", "__pypackages__"])
# Fewer files are compiled before a second process has started.
_WORTH_A_PROCESS = 100


def app_modules(app_dir: Path) -> Iterator[str]:
    """The app's Python files, sorted; not those of committed environments and hidden directories."""
    for folder, folders, names in os.walk(app_dir):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and not name.startswith(".")
            and not os.path.exists(f"{folder}/{name}/pyvenv.cfg")  # noqa: PTH110
        )
        for name in sorted(names):
            path = f"{folder}/{name}"
            if name.endswith(".py") and "\n" not in path and not os.path.islink(path):  # noqa: PTH114
                yield path


def compile_modules(
    modules: list[str],
    python: Path,
    work_dir: Path,
    log: Log,
    *,
    checked: bool,
) -> None:
    """Compile them, whatever their times: `checked` ones are held to their sources at import.

    A file that is no valid Python is left as it is: templates of code are often named like that.
    """
    listed = work_dir / "modules"
    listed.write_text("".join(f"{path}\n" for path in modules), errors="surrogateescape")
    workers = "0" if len(modules) > _WORTH_A_PROCESS else "1"
    mode = "checked-hash" if checked else "unchecked-hash"
    command: list[str | Path] = [
        # Not -I, which would ignore the seed that some bytes depend on.
        python, "-s", "-S", "-B", "-m", "compileall", "-q", "-f", "-j", workers,
        "--invalidation-mode", mode, "-i", listed,
    ]  # fmt: skip
    environ = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
    run(
        command,
        environ=environ,
        cwd=work_dir,
        log=log,
        show=False,
        how_far=lambda: "byte-compiling the app's modules",
    )
