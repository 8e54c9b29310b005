"""Procfile, or what the app is found to be -> the image's processes and environment. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cnb.launch import Process, is_process_type
from cnb.layers import EnvFile
from python_buildpack.app.facts import AppFacts, Application
from python_buildpack.app.meanings import ASGI, SCRIPT, WSGI
from python_buildpack.launch import servers
from python_buildpack.launch.procfile import (
    ProcfileEntry,
    accepts_arguments,
    direct_words,
    is_assignment,
)

# Below the venv layer: where the launch wrapper lies.
WRAPPER = "pycnb/launch_wrapper.py"
WEB = "web"
RELOAD = "reload"
_TITLES = {
    "django": "Django",
    "fastapi": "FastAPI",
    "flask": "Flask",
    "gradio": "Gradio",
    "litestar": "Litestar",
    "quart": "Quart",
    "starlette": "Starlette",
    "streamlit": "Streamlit",
}


# Programs that Procfiles name -> the packages that have them.
_PACKAGES = {
    **{
        name: (name,)
        for name in (
            *("celery", "daphne", "dramatiq", "fastapi", "flask", "gradio", "granian", "gunicorn"),
            *("hypercorn", "litestar", "streamlit", "uvicorn"),
        )
    },
    "django-admin": ("django",),
    "uwsgi": ("uwsgi", "pyuwsgi"),
    "waitress-serve": ("waitress",),
}


@dataclass(frozen=True, kw_only=True)
class LaunchInputs:
    """What the processes are decided by.

    `procfile` is None where there is none; `facts` where they were not needed. `packages` is what
    is installed: PEP 503 name -> version. `root` is the app's own directory, `app_dir` what was
    uploaded. `script` is the one that BP_PYTHON_SCRIPT names. `absent` are the
    scripts and modules of the Procfile that are not there. `how_to_add` says how to require
    `{package}`, in the words of the package manager in use.
    """

    procfile: tuple[ProcfileEntry, ...] | None
    facts: AppFacts | None
    packages: Mapping[str, str]
    venv_dir: str
    root: str
    app_dir: str
    script: str = ""
    live_reload: bool = False
    absent: frozenset[str] = frozenset()
    how_to_add: str = "Add this line to requirements.txt: {package}"


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """The processes, how to show them, and what the user should read about them."""

    processes: tuple[Process, ...]
    shown: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Planned:
    """A process before its default is known. `words` is None where a shell starts it."""

    type: str
    words: tuple[str, ...] | None
    shown: str
    command: tuple[str, ...]
    working_dir: str | None


@dataclass(kw_only=True)
class _Notes:
    warnings: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def launch_environment(venv_dir: str, app_dir: str, gunicorn: str) -> tuple[EnvFile, ...]:
    """Defaults for every process: what the user sets wins.

    `gunicorn` is its version where it is installed, else empty.
    """
    # Workers' heartbeat files need a place that is writable in a read-only container.
    options = "--access-logfile - --worker-tmp-dir /dev/shm"
    if servers.has_control_socket(gunicorn):
        # The home directory is read-only, too.
        options += " --no-control-socket"
    defaults = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "LANG": "C.UTF-8",
        "VIRTUAL_ENV": venv_dir,
        "PORT": "8080",
        "GUNICORN_CMD_ARGS": options,
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


def needs_facts(procfile: Sequence[ProcfileEntry] | None, live_reload: bool) -> bool:
    """Whether `plan_launch` looks at the app's modules."""
    return not procfile or live_reload


def plan_launch(given: LaunchInputs) -> LaunchPlan:
    """The Procfile's processes; without one, those that are clear from the app and its packages."""
    notes = _Notes()
    if given.procfile:
        planned = [_of_procfile(entry, given, notes) for entry in given.procfile]
    else:
        planned = _inferred(given, notes)
    types = [one.type for one in planned]
    default = WEB if WEB in types else types[0] if len(types) == 1 else None
    if default is None and types:
        notes.notices.append(
            "There is no web process, so the image has no default one: start one by its name, with "
            f"--entrypoint {types[0]}"
        )
    if given.live_reload and RELOAD not in types:
        reload = _reload(planned, given, notes)
        planned += [reload] if reload else []
    return LaunchPlan(
        processes=tuple(
            Process(
                type=one.type,
                command=one.command,
                default=one.type == default,
                working_dir=one.working_dir,
            )
            for one in planned
        ),
        shown={one.type: one.shown for one in planned},
        warnings=tuple(notes.warnings),
        notices=tuple(notes.notices),
    )


def _of_procfile(entry: ProcfileEntry, given: LaunchInputs, notes: _Notes) -> _Planned:
    words = direct_words(entry.command)
    if words is not None:
        if complaint := _complaint(words, given) or _unreachable(entry.type, words):
            notes.warnings.append(f"Procfile line {entry.line}: {complaint}")
        return _direct(entry.type, words, given, shown=entry.command)
    notes.warnings.append(
        f"Procfile line {entry.line}: {entry.type} is started by `sh`, so the run image must have "
        "a shell. Plain words and variables need none."
    )
    text = entry.command
    if accepts_arguments(text):
        # Arguments that the user adds at launch are the shell's "$@".
        text = f'{text} "$@"'
    return _Planned(
        type=entry.type,
        words=None,
        shown=entry.command,
        command=("sh", "-c", text, entry.type),
        working_dir=_place("", given),
    )


def _complaint(words: Sequence[str], given: LaunchInputs) -> str:
    """Why the command will not start, where that is plain."""
    program = next((word for word in words if not is_assignment(word)), "")
    if program in _PACKAGES:
        if not any(package in given.packages for package in _PACKAGES[program]):
            how = given.how_to_add.format(package=_PACKAGES[program][0])
            return f"{program} is not installed. {how}"
    elif program.isalnum() and program != "python" and program not in given.packages:
        import difflib

        if close := difflib.get_close_matches(program, _PACKAGES, 1, 0.85):
            return f"there is no {program}: did you mean {close[0]}?"
    if (module := servers.served_module(words)) in given.absent:
        return f"neither the app nor its packages have a module {module}."
    absent = next((word for word in words if word in given.absent), None)
    return f"there is no {absent} in the app." if absent else ""


def _unreachable(kind: str, words: Sequence[str]) -> str:
    """Why nobody would get an answer, where that is plain."""
    options = servers.listening_options(words) if kind == WEB else ""
    if not options:
        return ""
    return (
        "web listens on 127.0.0.1, where nothing outside the container reaches it. Let it listen "
        f"by {options}"
    )


def _direct(
    kind: str,
    words: tuple[str, ...],
    given: LaunchInputs,
    working_dir: str = "",
    shown: str | None = None,
) -> _Planned:
    return _Planned(
        type=kind,
        words=words,
        shown=shown or " ".join(words).replace("?=", "="),
        command=_command(words, given.venv_dir),
        working_dir=_place(working_dir, given),
    )


def _command(words: Sequence[str], venv_dir: str) -> tuple[str, ...]:
    """The words themselves, or the wrapper before them where it has variables to see to."""
    if not any("$" in word for word in words) and not is_assignment(words[0]):
        return tuple(words)
    python = f"{venv_dir}/bin/python"
    return (python, "-IS", f"{venv_dir}/{WRAPPER}", str(len(words)), *words)


def _place(folder: str, given: LaunchInputs) -> str | None:
    """The directory to start in; None for what was uploaded, where the launcher starts anyway."""
    place = f"{given.root}/{folder}" if folder else given.root
    return None if place == given.app_dir else place


def _inferred(given: LaunchInputs, notes: _Notes) -> list[_Planned]:
    facts = given.facts or AppFacts()
    planned = []
    if facts.project in given.packages:
        for name in facts.scripts:
            if is_process_type(name):
                planned.append(_direct(name, (name,), given))
            else:
                notes.warnings.append(f"[project.scripts]: {name!r} cannot be a process type")
    types = {one.type for one in planned}
    if WEB not in types:
        planned += _inferred_web(facts, given, notes)
    stem = given.script.rpartition("/")[2].removesuffix(".py")
    if not planned and is_process_type(stem):
        planned.append(_direct(stem, ("python", given.script), given))
    if not planned and not notes.notices and not notes.warnings:
        notes.warnings.append(
            "No Procfile, and no web app was recognised: the image has no default process. "
            "To add one, commit a Procfile with the line: web: <command>"
        )
    return planned


def _inferred_web(facts: AppFacts, given: LaunchInputs, notes: _Notes) -> list[_Planned]:
    candidates = applications(facts, given.packages)
    if not candidates:
        _say_what_is_missing(facts, given, notes)
        return []
    found = _servable(candidates, given.packages)
    title = _TITLES[candidates[0].framework]
    if found is None:
        server = servers.USUAL_SERVER[candidates[0].interface]
        notes.warnings.append(
            f"{title} was found ({candidates[0].target}), but no server to run it in production. "
            f"{given.how_to_add.format(package=server)}"
        )
        return []
    application, words = found
    what = application.path if application.interface == SCRIPT else application.target
    notes.notices.append(f"Found {title}: {what}")
    if candidates[0].interface == ASGI and application.interface == WSGI:
        notes.notices.append(
            f"The settings name ASGI_APPLICATION, but no ASGI server is installed: {title} is "
            f"served by WSGI. {given.how_to_add.format(package=servers.USUAL_SERVER[ASGI])}"
        )
    return [_direct(WEB, _importable(application, words, given), given, application.working_dir)]


def _say_what_is_missing(facts: AppFacts, given: LaunchInputs, notes: _Notes) -> None:
    missing = next((one for one in facts.applications), None)
    if missing is not None:
        notes.notices.append(
            f"{missing.path} uses {_TITLES[missing.framework]}, which is not installed. "
            f"{given.how_to_add.format(package=missing.framework)}"
        )


def applications(facts: AppFacts, packages: Mapping[str, str]) -> tuple[Application, ...]:
    """What could be served, the likeliest first: its framework is installed."""
    found: list[Application] = []
    django = facts.django
    if django is not None and "django" in packages:
        targets = ((WSGI, django.wsgi), (ASGI, django.asgi))
        for interface, target in reversed(targets) if django.declares_asgi else targets:
            if target is not None:
                module, _, name = target.partition(":")
                found.append(
                    Application(
                        framework="django",
                        interface=interface,
                        path=f"{django.directory}/manage.py".removeprefix("/"),
                        module=module,
                        name=name,
                        working_dir=django.directory,
                    )
                )
    return (*found, *(one for one in facts.applications if one.framework in packages))


def _servable(
    candidates: Sequence[Application], packages: Mapping[str, str]
) -> tuple[Application, tuple[str, ...]] | None:
    """The first application, of the likeliest framework, for which there is a server."""
    for application in candidates:
        if application.framework == candidates[0].framework:
            words = servers.command(application, packages)
            if words is not None:
                return application, words
    return None


def _importable(
    application: Application, words: tuple[str, ...], given: LaunchInputs
) -> tuple[str, ...]:
    """The words, with the directory of the app's packages on the module path if it must be."""
    installed = given.facts is not None and given.facts.project in given.packages
    if not application.import_dir or installed:
        return words
    return (f"PYTHONPATH={given.root}/{application.import_dir}:${{PYTHONPATH}}", *words)


def _reload(planned: Sequence[_Planned], given: LaunchInputs, notes: _Notes) -> _Planned | None:
    """The web process with the server's own reloader; else the app with whatever reloads it."""
    web = next((one for one in planned if one.type == WEB), None)
    words = servers.reloading(web.words) if web and web.words else None
    if web is not None and words is not None:
        return replace(_direct(RELOAD, words, given), working_dir=web.working_dir)
    candidates = applications(given.facts or AppFacts(), given.packages)
    for application in candidates:
        served = servers.command(application, given.packages)
        own = served and servers.reloading(served)
        words = own or servers.development_server(application)
        if words is not None:
            words = _importable(application, words, given)
            return _direct(RELOAD, words, given, application.working_dir)
    notes.warnings.append(
        "BP_LIVE_RELOAD_ENABLED is set, but there is no reload process: "
        + (f"nothing is known to reload `{web.shown}`" if web else "there is no web process")
    )
    return None
