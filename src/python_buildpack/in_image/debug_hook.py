"""Runs in the image, where debugpy is installed: lets it listen in the app's process.

A `.pth` file imports this at the start of Python when BPL_DEBUG_ENABLED is set. The first process
listens on BPL_DEBUG_PORT; debugpy itself follows the processes that it starts, such as workers.
"""

from __future__ import annotations

import os
import sys

MODULE = "_pycnb_debug"
# Where the variable is not set, this line is all that a start of Python pays.
PTH = f"import os; os.environ.get('BPL_DEBUG_ENABLED') and __import__('{MODULE}')\n"
DEFAULT_PORT = "5678"


def listen(environ: dict[str, str]) -> None:
    """Listen, unless the setting says no. What goes wrong is told; the app starts all the same."""
    # Processes that this one starts, debugpy's own among them, must not do the same.
    wanted = os.environ.pop("BPL_DEBUG_ENABLED", "").strip().lower()
    if wanted not in ("true", "1", "yes", "on"):
        return
    port = environ.get("BPL_DEBUG_PORT", "").strip() or DEFAULT_PORT
    # The standard library's frozen modules cannot be stepped into: not worth a warning.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        import debugpy  # type: ignore[import-not-found] # of the app

        debugpy.listen(("0.0.0.0", int(port)))
    except Exception as error:
        sys.stderr.write(f"debugpy cannot listen on BPL_DEBUG_PORT={port}: {error}\n")
    else:
        sys.stderr.write(f"debugpy listens on port {port}, in process {os.getpid()}\n")


if __name__ == MODULE:
    listen(dict(os.environ))
