"""Which server runs an application, and with what command. Pure.

Words are in the notation of `procfile`: `${PORT}` is expanded when the process starts.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from python_buildpack.app.facts import Application
from python_buildpack.app.meanings import ASGI, SCRIPT, WSGI
from python_buildpack.launch.procfile import is_assignment

PORT = "${PORT}"
_WORKERS = "${WEB_CONCURRENCY:-1}"
# Clients of Socket.IO come back while they wait for news: to each of many workers, by chance.
_SOCKET_IO_THREADS = ("--threads", "100")
# What Socket.IO's servers for WSGI use where it is installed, the first of them; and the version
# that gunicorn's worker for it needs at least.
_GREEN = {"eventlet": [0, 40, 3], "gevent": [24, 10, 1]}
_GUNICORN_WITH_GREEN_MINIMUM = [24]
_GUNICORN_WITHOUT_EVENTLET = [26]
# From this version on the workers import packaging, which later versions do not require.
_GUNICORN_WITH_PACKAGING = [21]
# From this version on gunicorn has an ASGI worker of its own.
_GUNICORN_WITH_ASGI = [25]
# From this version on it makes a socket in the home directory, unless told not to.
_GUNICORN_WITH_CONTROL_SOCKET = [25, 1]
# What a user without a server is told to install.
USUAL_SERVER = {WSGI: "gunicorn", ASGI: "uvicorn"}


def command(application: Application, packages: Mapping[str, str]) -> tuple[str, ...] | None:
    """What starts the application; None where no installed server can.

    `packages` is what is installed: PEP 503 name -> version.
    """
    if application.interface == SCRIPT:
        return _run_script(application)
    if application.interface == WSGI:
        return _serve_wsgi(application, packages)
    return _serve_asgi(application, packages)


def _run_script(application: Application) -> tuple[str, ...]:
    if application.framework == "streamlit":
        return (
            "streamlit", "run", application.path, "--server.address", "0.0.0.0",
            "--server.port", PORT, "--server.headless", "true",
        )  # fmt: skip
    # `launch()` takes these where the script itself does not say otherwise.
    return (
        "GRADIO_SERVER_NAME?=0.0.0.0",
        f"GRADIO_SERVER_PORT?={PORT}",
        "python",
        application.path,
    )


def is_socket_io(application: Application, packages: Mapping[str, str]) -> bool:
    """Whether the application answers Socket.IO, so that it must be one process."""
    is_extended = application.framework == "flask" and "flask-socketio" in packages
    return application.has_socket_io or is_extended


def green_library(packages: Mapping[str, str]) -> tuple[str, bool]:
    """What Socket.IO's servers for WSGI will use, if any; and whether gunicorn has a worker for it.

    Under another worker nothing would be answered.
    """
    library = next((name for name in _GREEN if name in packages), "")
    if not library:
        return "", False
    gunicorn, version = _numbers(packages["gunicorn"]), _numbers(packages[library])
    return library, not (
        (gunicorn >= _GUNICORN_WITHOUT_EVENTLET and library == "eventlet")
        or (gunicorn >= _GUNICORN_WITH_GREEN_MINIMUM and version < _GREEN[library])
        or (gunicorn >= _GUNICORN_WITH_PACKAGING and "packaging" not in packages)
    )


def _serve_wsgi(application: Application, packages: Mapping[str, str]) -> tuple[str, ...] | None:
    target = application.target
    call = f"{target}()" if application.is_factory else target
    alone = is_socket_io(application, packages)
    if "gunicorn" in packages:
        # It binds 0.0.0.0:$PORT and starts $WEB_CONCURRENCY workers by itself.
        if not alone:
            return ("gunicorn", call)
        library, has_worker = green_library(packages)
        worker = ("--worker-class", library) if has_worker else _SOCKET_IO_THREADS
        return ("gunicorn", "--workers", "1", *worker, call)
    if "waitress" in packages:
        factory = ("--call",) if application.is_factory else ()
        return ("waitress-serve", f"--listen=0.0.0.0:{PORT}", *factory, target)
    if "uwsgi" in packages or "pyuwsgi" in packages:
        return (
            "uwsgi", "--http-socket", f"0.0.0.0:{PORT}", "--master", "--die-on-term", "--need-app",
            "--processes", *(("1", *_SOCKET_IO_THREADS) if alone else (_WORKERS,)), "--module", call,
        )  # fmt: skip
    if "granian" in packages:
        return _granian(application, "wsgi", alone)
    return None


def _serve_asgi(application: Application, packages: Mapping[str, str]) -> tuple[str, ...] | None:
    target = application.target
    call = f"{target}()" if application.is_factory else target
    alone = is_socket_io(application, packages)
    one = ("--workers", "1") if alone else ()
    if "uvicorn" in packages and "gunicorn" in packages:
        module = "uvicorn_worker" if "uvicorn-worker" in packages else "uvicorn.workers"
        return ("gunicorn", *one, "--worker-class", f"{module}.UvicornWorker", call)
    if "uvicorn" in packages:
        # It starts $WEB_CONCURRENCY workers by itself.
        factory = ("--factory",) if application.is_factory else ()
        return ("uvicorn", "--host", "0.0.0.0", "--port", PORT, *one, *factory, target)
    if "hypercorn" in packages:
        workers = "1" if alone else _WORKERS
        return ("hypercorn", "--bind", f"0.0.0.0:{PORT}", "--workers", workers, call)
    if "granian" in packages:
        return _granian(application, "asgi", alone)
    if "daphne" in packages and not application.is_factory:
        return ("daphne", "--bind", "0.0.0.0", "--port", PORT, target)
    if _gunicorn_has_asgi(packages):
        return ("gunicorn", *one, "--worker-class", "asgi", call)
    return None


def _granian(application: Application, interface: str, alone: bool) -> tuple[str, ...]:
    factory = ("--factory",) if application.is_factory else ()
    return (
        "granian", "--interface", interface, "--host", "0.0.0.0", "--port", PORT,
        "--workers", "1" if alone else _WORKERS, *factory, application.target,
    )  # fmt: skip


def _gunicorn_has_asgi(packages: Mapping[str, str]) -> bool:
    return _numbers(packages.get("gunicorn", "")) >= _GUNICORN_WITH_ASGI


def has_control_socket(gunicorn: str) -> bool:
    """Whether this version of gunicorn makes one; the version is empty where none is installed."""
    return _numbers(gunicorn) >= _GUNICORN_WITH_CONTROL_SOCKET


def _numbers(version: str) -> list[int]:
    return [int(part) for part in itertools.takewhile(str.isdecimal, version.split("."))]


def reloading(words: Sequence[str]) -> tuple[str, ...] | None:
    """The same command with the server's own reloader; None for a server without one."""
    start = next((n for n, word in enumerate(words) if not is_assignment(word)), len(words))
    before, command = tuple(words[:start]), tuple(words[start:])
    # `python -m uvicorn` is uvicorn.
    if len(command) > 2 and _program(command[0]).startswith("python") and command[1] == "-m":
        before, command = (*before, *command[:2]), command[2:]
    if not command:
        return None
    program, rest = _program(command[0]), command[1:]
    if program in ("gunicorn", "uvicorn", "hypercorn", "granian"):
        return (*before, command[0], "--reload", *rest)
    if program == "uwsgi":
        return (*before, command[0], "--py-autoreload", "1", *rest)
    if program == "streamlit" and rest[:1] == ("run",):
        return (*before, *command, "--server.runOnSave", "true")
    if program == "flask" and "run" in rest:
        return (*before, *command, "--reload")
    if program.startswith("python") and "runserver" in rest:
        return (*before, *(word for word in command if word != "--noreload"))
    if program.startswith("python") and "GRADIO_SERVER_NAME?=0.0.0.0" in before:
        return (*before, "gradio", *rest)
    return None


def _program(word: str) -> str:
    return word.rpartition("/")[2]


def development_server(application: Application) -> tuple[str, ...] | None:
    """The framework's own server, which reloads: for what no installed server reloads."""
    if application.framework == "django":
        return ("python", "manage.py", "runserver", f"0.0.0.0:{PORT}")
    if application.framework == "flask" and application.interface == WSGI:
        call = f"{application.target}()" if application.is_factory else application.target
        return ("flask", "--app", call, "run", "--host", "0.0.0.0", "--port", PORT, "--reload")
    return None
