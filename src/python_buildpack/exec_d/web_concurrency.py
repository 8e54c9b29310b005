"""Runs in the image: how many workers the container's limits allow, told to the launcher.

Writes WEB_CONCURRENCY (unless it is set) and DYNO_RAM (MiB, where memory is limited) as TOML to
file descriptor 3. Stands alone: it is copied into the image as it is.
"""

from __future__ import annotations

import os

MEBIBYTE = 1024 * 1024
WORKER = 256 * MEBIBYTE
MOST_WITHOUT_LIMITS = 12
NO_LIMIT = 1 << 60  # cgroup v1 states a huge number where there is no limit


def read_word(path: str) -> list[str]:
    """The words of a one-line file; none where it cannot be read."""
    try:
        with open(path) as file:
            return file.read(4096).split()
    except (OSError, UnicodeDecodeError):
        return []


def number(words: list[str], position: int = 0) -> int | None:
    """A positive number, None for `max`, `-1` and whatever else is no limit."""
    if len(words) <= position or not words[position].isdecimal():
        return None
    value = int(words[position])
    return value if 0 < value < NO_LIMIT else None


def memory_limit(root: str) -> int | None:
    """Bytes, from cgroup v2 or v1; None where there is no limit."""
    limit = number(read_word(root + "/memory.max"))
    return limit or number(read_word(root + "/memory/memory.limit_in_bytes"))


def cpu_limit(root: str) -> float | None:
    """CPUs, fractions included, from cgroup v2 or v1; None where there is no limit."""
    words = read_word(root + "/cpu.max")
    quota, period = number(words), number(words, 1)
    if quota is None:
        for folder in ("/cpu", "/cpu,cpuacct"):
            quota = quota or number(read_word(root + folder + "/cpu.cfs_quota_us"))
            period = period or number(read_word(root + folder + "/cpu.cfs_period_us"))
    return quota / period if quota and period else None


def workers(memory: int | None, cpus: float | None, usable_cpus: int) -> int:
    """How many worker processes fit."""
    count = int(2 * (min(cpus, usable_cpus) if cpus else usable_cpus) + 1)
    if memory is not None:
        count = min(count, memory // WORKER)
    elif cpus is None:
        count = min(count, MOST_WITHOUT_LIMITS)
    return max(count, 1)


def variables(environ: dict[str, str], root: str, usable_cpus: int) -> dict[str, str]:
    """What is to be set."""
    memory = memory_limit(root)
    found: dict[str, str] = {}
    if "WEB_CONCURRENCY" not in environ:
        found["WEB_CONCURRENCY"] = str(workers(memory, cpu_limit(root), usable_cpus))
    if memory is not None and "DYNO_RAM" not in environ:
        found["DYNO_RAM"] = str(memory // MEBIBYTE)
    return found


def exec_d_script(python: str) -> bytes:
    """This program, to be run by `python` without a shell."""
    with open(__file__, "rb") as file:
        return f"#!{python} -IS\n".encode() + file.read()


def main() -> None:
    usable = len(os.sched_getaffinity(0))
    found = variables(dict(os.environ), "/sys/fs/cgroup", usable)
    text = "".join(f'{name} = "{value}"\n' for name, value in found.items())
    os.write(3, text.encode())


if __name__ == "__main__":
    main()
