"""Procfile, or what the app is found to be -> the image's processes and environment. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnb.launch import Process
from cnb.layers import EnvFile
from python_buildpack.app_facts import ASGI, WSGI, AppFacts, Application
from python_buildpack.procfile import ProcfileEntry, direct_words

# Below the venv layer: where the launch wrapper lies.
WRAPPER = "pycnb/launch_wrapper.py"
WSGI_SERVERS = ("gunicorn", "waitress", "uwsgi")
ASGI_SERVERS = ("uvicorn", "hypercorn", "granian", "daphne")


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """The processes, and what the user should read about them."""

    processes: tuple[Process, ...]
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def launch_environment(venv_dir: str, app_dir: str) -> tuple[EnvFile, ...]:
    """Defaults for every process: what the user sets wins."""
    defaults = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "LANG": "C.UTF-8",
        "VIRTUAL_ENV": venv_dir,
        "PORT": "8080",
        # Workers' heartbeat files need a place that is writable in a read-only container.
        "GUNICORN_CMD_ARGS": "--access-logfile - --worker-tmp-dir /dev/shm",
        "FORWARDED_ALLOW_IPS": "*",
    }
    files = [
        EnvFile(name=name, value=value, action="default", scope="launch")
        for name, value in defaults.items()
    ]
    files.append(
        EnvFile(name="PYTHONPATH", value=app_dir, action="append", delim=":", scope="launch")
    )
    return tuple(files)


def plan_launch(
    procfile: Sequence[ProcfileEntry] | None,
    facts: AppFacts,
    packages: Mapping[str, str],
    venv_dir: str,
    working_dir: str | None = None,
) -> LaunchPlan:
    """The Procfile's processes; without one, a web process where it is clear how to serve the app.

    `packages` is what is installed: PEP 503 name -> version.
    """
    if procfile:
        return _from_procfile(procfile, venv_dir, working_dir)
    words, notices = _infer(facts, packages)
    if words is None:
        return LaunchPlan(processes=(), notices=notices)
    command = _command(words, venv_dir)
    process = Process(type="web", command=command, default=True, working_dir=working_dir)
    return LaunchPlan(processes=(process,), notices=notices)


def _from_procfile(
    entries: Sequence[ProcfileEntry], venv_dir: str, working_dir: str | None
) -> LaunchPlan:
    processes: list[Process] = []
    warnings: list[str] = []
    for entry in entries:
        words = direct_words(entry.command)
        if words is None:
            warnings.append(
                f"Procfile line {entry.line}: {entry.type} is started by `sh`, so the run image "
                "must have a shell. Plain words and variables need none."
            )
            # Arguments that the user adds at launch are the shell's "$@".
            command: tuple[str, ...] = ("sh", "-c", f'{entry.command} "$@"', entry.type)
        else:
            command = _command(words, venv_dir)
        processes.append(
            Process(
                type=entry.type,
                command=command,
                default=entry.type == "web" or len(entries) == 1,
                working_dir=working_dir,
            )
        )
    return LaunchPlan(processes=tuple(processes), warnings=tuple(warnings))


def _command(words: Sequence[str], venv_dir: str) -> tuple[str, ...]:
    """The words themselves, or the wrapper before them where variables are to be expanded."""
    if not any("$" in word for word in words):
        return tuple(words)
    python = f"{venv_dir}/bin/python"
    return (python, "-IS", f"{venv_dir}/{WRAPPER}", str(len(words)), *words)


def _infer(
    facts: AppFacts, packages: Mapping[str, str]
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    application = _choose(facts, packages)
    if application is None:
        return None, (
            "No Procfile, and no web app was recognised: the image has no default process. "
            "To add one, commit a Procfile with the line: web: <command>",
        )
    words = _serve(application, packages, facts)
    if words is None:
        server = "gunicorn" if application.interface == WSGI else "uvicorn"
        return None, (
            f"{application.framework} was found ({application.target}), but no server to run it "
            f"in production. Add this line to requirements.txt: {server}",
        )
    return words, (f"Found {application.framework}: {application.target}",)


def _choose(facts: AppFacts, packages: Mapping[str, str]) -> Application | None:
    if "django" in packages and facts.django is not None:
        django = facts.django
        has_asgi_server = any(server in packages for server in ASGI_SERVERS)
        has_wsgi_server = any(server in packages for server in WSGI_SERVERS)
        use_asgi = django.asgi and (not django.wsgi or (has_asgi_server and not has_wsgi_server))
        target = django.asgi if use_asgi else django.wsgi
        if target is not None:
            module, _, name = target.partition(":")
            return Application(
                module=module,
                name=name,
                framework="django",
                interface=ASGI if use_asgi else WSGI,
            )
    for application in facts.applications:
        if application.framework in packages:
            return application
    return None


def _serve(
    application: Application, packages: Mapping[str, str], facts: AppFacts
) -> tuple[str, ...] | None:
    folder = ""
    if application.framework == "django" and facts.django is not None:
        folder = facts.django.directory
    if application.interface == WSGI:
        return _serve_wsgi(application, packages, folder)
    return _serve_asgi(application, packages, folder)


def _serve_wsgi(
    application: Application, packages: Mapping[str, str], folder: str
) -> tuple[str, ...] | None:
    target = application.target
    call = f"{target}()" if application.is_factory else target
    chdir = ("--chdir", folder) if folder else ()
    if "gunicorn" in packages:
        # gunicorn binds 0.0.0.0:$PORT by itself.
        return ("gunicorn", *chdir, call)
    if "waitress" in packages and not folder:
        factory = ("--call",) if application.is_factory else ()
        return ("waitress-serve", "--listen=0.0.0.0:${PORT}", *factory, target)
    if "uwsgi" in packages:
        change = ("--chdir", folder) if folder else ()
        return (
            "uwsgi", "--http-socket", "0.0.0.0:${PORT}", "--master", "--die-on-term",
            *change, "--module", call,
        )  # fmt: skip
    return None


def _serve_asgi(
    application: Application, packages: Mapping[str, str], folder: str
) -> tuple[str, ...] | None:
    target = application.target
    factory = ("--factory",) if application.is_factory else ()
    if "uvicorn" in packages:
        if "gunicorn" in packages and not application.is_factory:
            module = "uvicorn_worker" if "uvicorn-worker" in packages else "uvicorn.workers"
            chdir = ("--chdir", folder) if folder else ()
            return ("gunicorn", "--worker-class", f"{module}.UvicornWorker", *chdir, target)
        app_dir = ("--app-dir", folder) if folder else ()
        return ("uvicorn", "--host", "0.0.0.0", "--port", "${PORT}", *app_dir, *factory, target)
    if folder or application.is_factory:
        return None
    if "hypercorn" in packages:
        return ("hypercorn", "--bind", "0.0.0.0:${PORT}", target)
    if "granian" in packages:
        return ("granian", "--interface", "asgi", "--host", "0.0.0.0", "--port", "${PORT}", target)
    if "daphne" in packages:
        return ("daphne", "--bind", "0.0.0.0", "--port", "${PORT}", target)
    return None
