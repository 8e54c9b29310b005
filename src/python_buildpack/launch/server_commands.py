"""What the command of a server says: which module it serves, where it listens. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from python_buildpack.launch.procfile import is_assignment

_IMPORTING = ("daphne", "granian", "gunicorn", "hypercorn", "uvicorn", "waitress-serve")
# With these the application may lie anywhere.
_PLACING = (
    "-c",
    "--app-dir",
    "--chdir",
    "--config",
    "--pythonpath",
    "--working-dir",
    "PYTHONPATH=",
)
# How each is told to listen on every address, at the port that the platform gives.
_LISTENING = {
    "daphne": "--bind 0.0.0.0 --port $PORT",
    "flask": "--host 0.0.0.0 --port $PORT",
    "granian": "--host 0.0.0.0 --port $PORT",
    "gunicorn": "--bind 0.0.0.0:$PORT",
    "hypercorn": "--bind 0.0.0.0:$PORT",
    "uvicorn": "--host 0.0.0.0 --port $PORT",
    "waitress-serve": "--listen=0.0.0.0:$PORT",
}
# Left alone they listen on all addresses; the others on 127.0.0.1.
_OPEN = ("gunicorn", "waitress-serve")
# Options that say where to listen, or where that is written.
_ADDRESS = (
    "-b",
    "-c",
    "-e",
    "-h",
    "-u",
    "--bind",
    "--config",
    "--endpoint",
    "--fd",
    "--host",
    "--uds",
    "--unix",
)
_LOOPBACK = re.compile(r"(?:-b|--\w+=)?(?:127\.0\.0\.1|localhost|\[::1\])(?::.*)?")
_TARGET = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?P<name>:[A-Za-z_][\w.]*)?")


def served_module(words: Sequence[str]) -> str:
    """The module of the application that a server's command names; empty where that is not sure."""
    command = _server(words)
    if not command or command[0] not in _IMPORTING:
        return ""
    if any(word.startswith(_PLACING) for word in words):
        return ""
    for before, word in itertools.pairwise(command):
        found = _TARGET.fullmatch(word)
        # gunicorn alone takes a module without the application's name in it.
        takes = found and (found["name"] or command[0] == "gunicorn")
        if found and takes and (before == "-" or not before.startswith("-")):  # no option's value
            return found["module"]
    return ""


def listening_options(words: Sequence[str]) -> str:
    """What makes a server's command reachable from outside the container, where it plainly is not."""
    command = _server(words)
    if not command or command[0] not in _LISTENING or any("0.0.0.0" in word for word in words):
        return ""
    told = any(_LOOPBACK.fullmatch(word) for word in command)
    left = (
        command[0] not in _OPEN
        and (command[0] != "flask" or "run" in command)
        and not any(word.startswith(_ADDRESS) for word in command)
        # UVICORN_HOST, FLASK_RUN_HOST, GRANIAN_HOST
        and not any("HOST" in word for word in words if is_assignment(word))
    )
    return _LISTENING[command[0]] if told or left else ""


def _server(words: Sequence[str]) -> list[str]:
    """The command without variables and `python -m`."""
    command = [word for word in words if not is_assignment(word)]
    return command[2:] if command[:2] == ["python", "-m"] else command
