"""Why a build failed, left where Kubernetes shows it: `kubectl describe pod`, kpack's conditions."""

from __future__ import annotations

import contextlib
from pathlib import Path

# The kubelet puts this file into every container, and reads it when the container has ended.
PATH = Path("/dev/termination-log")
_LIMIT = 4096


def leave_termination_message(text: str, path: Path = PATH) -> None:
    """Write `text`, cut to what the kubelet reads; nothing where this is no pod."""
    with contextlib.suppress(OSError):
        if path.is_file():
            path.write_bytes(text.encode(errors="replace")[:_LIMIT])
