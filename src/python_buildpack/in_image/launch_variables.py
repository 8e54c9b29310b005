"""Runs in the image, before the app: what can be known only in the container, told to the launcher.

WEB_CONCURRENCY, from the container's limits; DYNO_RAM, its memory limit in MiB; URLs as SQLAlchemy
takes them, where it is installed. Whatever is set is left alone. The answer is TOML on file
descriptor 3. Stands alone: it is copied into the image as it is. A failure would keep the app from
starting, so there is none.
"""

from __future__ import annotations

import os

CGROUPS = "/sys/fs/cgroup"
OWN_CGROUPS = "/proc/self/cgroup"
MEBIBYTE = 1024 * 1024
WORKER = 256 * MEBIBYTE
MOST_WITHOUT_LIMITS = 12
NO_LIMIT = 1 << 60  # cgroup v1 states a huge number where there is no limit
ALCHEMY_URLS = {
    "SCALINGO_POSTGRESQL_ALCHEMY_URL": "SCALINGO_POSTGRESQL_URL",
    "DATABASE_ALCHEMY_URL": "DATABASE_URL",
}


def read_text(path: str) -> str:
    """The start of a file; nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""


def number(word: str) -> int | None:
    """A positive number, None for `max`, `-1` and whatever else is no limit."""
    if not (word.isascii() and word.isdigit() and len(word) < 30):
        return None
    value = int(word)
    return value if 0 < value < NO_LIMIT else None


def groups(root: str, membership: str) -> dict[str, list[str]]:
    """The directories that may limit this process, by `memory` and `cpu`, and "" for cgroup v2.

    `membership` is /proc/self/cgroup. A container sees its own group as the root, or all of the
    host's: then its own lies further down. Every group on the way may set a limit.
    """
    found: dict[str, list[str]] = {
        "": [root],
        "memory": [root + "/memory"],
        "cpu": [root + "/cpu", root + "/cpu,cpuacct"],
    }
    for line in membership.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        parts = [part for part in path.split("/") if part]
        if ".." in parts:
            continue
        for controller in ("",) if not controllers else ("memory", "cpu"):
            if controller and controller not in controllers.split(","):
                continue
            place = root + ("/" + controllers if controllers else "")
            if place not in found[controller]:
                found[controller].append(place)
            for part in parts:
                place += "/" + part
                found[controller].append(place)
    return found


def memory_limit(places: dict[str, list[str]]) -> int | None:
    """Bytes, from cgroup v2 and v1; None where there is no limit."""
    files = [place + "/memory.max" for place in places[""]]
    files += [place + "/memory.limit_in_bytes" for place in places["memory"]]
    limits = [number(read_text(path).strip()) for path in files]
    return min((limit for limit in limits if limit), default=None)


def cpu_limit(places: dict[str, list[str]]) -> float | None:
    """CPUs, fractions included, from cgroup v2 and v1; None where there is no limit."""
    stated = [read_text(place + "/cpu.max").split() for place in places[""]]
    stated += [
        (
            read_text(place + "/cpu.cfs_quota_us").split()
            + read_text(place + "/cpu.cfs_period_us").split()
        )
        for place in places["cpu"]
    ]
    limits = []
    for words in stated:
        quota = number(words[0]) if words else None
        period = number(words[1]) if len(words) > 1 else 100_000
        if quota and period:
            limits.append(quota / period)
    return min(limits, default=None)


def workers(memory: int | None, cpus: float | None, usable_cpus: int) -> int:
    """How many worker processes fit."""
    count = int(2 * (min(cpus, usable_cpus) if cpus else usable_cpus) + 1)
    if memory is not None:
        count = min(count, memory // WORKER)
    elif cpus is None:
        count = min(count, MOST_WITHOUT_LIMITS)
    return max(count, 1)


def variables(
    environ: dict[str, str], places: dict[str, list[str]], usable_cpus: int, *, alchemy: bool
) -> dict[str, str]:
    """What is to be set: nothing that has a value."""
    memory = memory_limit(places)
    found = {"WEB_CONCURRENCY": str(workers(memory, cpu_limit(places), usable_cpus))}
    if memory is not None:
        found["DYNO_RAM"] = str(memory // MEBIBYTE)
    if alchemy:
        for name, source in ALCHEMY_URLS.items():
            url = environ.get(source, "")
            if url.startswith("postgres://"):
                url = "postgresql" + url[len("postgres") :]
            if url:
                found[name] = url
    return {name: value for name, value in found.items() if not environ.get(name)}


def toml(found: dict[str, str]) -> bytes:
    """Basic strings; without values that are no UTF-8, which TOML cannot hold."""
    lines = []
    for name, value in found.items():
        text = "".join(
            "\\" + character
            if character in '"\\'
            else f"\\u{ord(character):04x}"
            if character < " " or character == "\x7f"
            else character
            for character in value
        )
        try:
            lines.append(f'{name} = "{text}"\n'.encode())
        except UnicodeEncodeError:
            continue
    return b"".join(lines)


def has_sqlalchemy(venv: str) -> bool:
    """Whether it is among the installed packages."""
    try:
        names = os.listdir(venv + "/lib")
    except OSError:
        return False
    return any(os.path.isdir(f"{venv}/lib/{name}/site-packages/sqlalchemy") for name in names)


def exec_d_script(python: str) -> bytes:
    """This program, to be run by `python` without a shell."""
    with open(__file__, "rb") as file:
        return f"#!{python} -IS\n".encode() + file.read()


def main() -> None:
    """Answer the launcher."""
    found = variables(
        dict(os.environ),
        groups(CGROUPS, read_text(OWN_CGROUPS)),
        len(os.sched_getaffinity(0)),
        alchemy=has_sqlalchemy(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    )
    os.write(3, toml(found))


if __name__ == "__main__":
    main()
