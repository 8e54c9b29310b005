"""The memory of a build step: of the process that the lifecycle starts, and of all below it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.01


@dataclass
class Peak:
    """The largest sum that was seen, in bytes."""

    bytes: int = 0


@contextlib.contextmanager
def peak_memory(phase: str, *, active: bool) -> Iterator[Peak]:
    """Watch what lies below this process and below a process whose command ends with `phase`.

    The sum is of proportional set sizes: what processes share counts once.
    """
    peak = Peak()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            peak.bytes = max(peak.bytes, sum(_size(pid) for pid in _tree(phase)))
            time.sleep(INTERVAL)

    thread = threading.Thread(target=watch)
    if active:
        thread.start()
    try:
        yield peak
    finally:
        ended.set()
        if active:
            thread.join()


def _tree(phase: str) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdecimal() and (parent := _parent(int(entry))) is not None:
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    waiting = [(pid, False) for pid in children.get(os.getpid(), [])]
    while waiting:
        pid, inside = waiting.pop()
        inside = inside or _is_phase(pid, phase)
        if inside:
            found.append(pid)
        waiting += [(child, inside) for child in children.get(pid, [])]
    return found


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def _is_phase(pid: int, phase: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.decode(errors="replace").endswith(phase) for word in words) or b"build" in words


def _size(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
