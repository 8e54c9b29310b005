"""Runs build as bin/build does, in the package's interpreter, and stops it at one of its steps.

`python3 -I stopper.py MAIN RECORD POINT SIGNAL`: a step is a file opened to be written, a name made
or removed, a process started. At step POINT the signal goes to this process; with SIGKILL to all
that it started, too. With POINT 0 it goes on to its end, and RECORD gets a line for each step.
"""

import os
import runpy
import signal
import sys

NAMES = frozenset(
    ["os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "subprocess.Popen"]
)


def descendants(parent: int) -> list[int]:
    """The processes below `parent`, as /proc has them."""
    found: list[int] = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat") as file:
                    above = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if above == parent:
                found += [int(name), *descendants(int(name))]
    return found


def main() -> None:
    script, record, point, number = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    steps: list[str] = []
    state = {"on": True}

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not state["on"]:
            return
        writes = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & 3)
        if not writes and event not in NAMES:
            return
        steps.append(f"{event} {arguments[0]!r}")
        if len(steps) == point:
            state["on"] = False
            if number == signal.SIGKILL:
                for process in descendants(os.getpid()):
                    os.kill(process, number)
            os.kill(os.getpid(), number)

    sys.argv = [script, "build"]
    sys.addaudithook(hook)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        state["on"] = False
        if not point:
            with open(record, "w") as file:
                file.write("\n".join(steps))


main()
