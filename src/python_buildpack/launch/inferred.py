"""What an app is found to be, and what is installed -> its processes, without a Procfile. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnb.launch import is_process_type
from python_buildpack.app.facts import AppFacts, Application
from python_buildpack.app.meanings import ASGI, SCRIPT, WSGI
from python_buildpack.launch import servers
from python_buildpack.launch.processes import RELOAD, WEB, LaunchInputs, Notes, Planned, direct

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
# How many other candidates, or modules, the log names.
_SHOWN = 3


def inferred_processes(given: LaunchInputs, notes: Notes) -> list[Planned]:
    """Those that are clear from the app and its packages."""
    facts = given.facts or AppFacts()
    planned = []
    if facts.project in given.packages:
        for name in facts.scripts:
            if is_process_type(name):
                planned.append(direct(name, (name,), given))
            else:
                notes.warnings.append(f"[project.scripts]: {name!r} cannot be a process type")
    types = {one.type for one in planned}
    if WEB not in types:
        planned += _inferred_web(facts, given, notes)
    stem = given.script.rpartition("/")[2].removesuffix(".py")
    if not planned and is_process_type(stem):
        planned.append(direct(stem, ("python", given.script), given))
    if not planned and not notes.notices and not notes.warnings:
        notes.warnings.append(
            "No Procfile, and no web app was recognised: the image has no default process. "
            "To add one, commit a Procfile with the line: web: <command>"
        )
        if given.members:
            notes.notices.append(
                f"BP_UV_PACKAGE={' '.join(given.members)} is installed, but the app is looked for "
                "in the root. To build a member's own app: BP_PYTHON_PROJECT_DIR=<its directory>"
            )
        _say_what_is_unread(facts, notes)
    return planned


def _inferred_web(facts: AppFacts, given: LaunchInputs, notes: Notes) -> list[Planned]:
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
    notes.notices.append(f"Found {title}: {_shown(application)}")
    others = dict.fromkeys(_shown(one) for one in candidates if _is_another(one, application))
    if others:
        notes.notices.append(
            f"Also found: {', '.join([*others][:_SHOWN])}. To serve another one, commit a "
            "Procfile with the line: web: <command>"
        )
    if "/" in application.path:
        # A module in the root would have come before it.
        _say_what_is_unread(facts, notes)
    if candidates[0].interface == ASGI and application.interface == WSGI:
        notes.notices.append(
            f"The settings name ASGI_APPLICATION, but no ASGI server is installed: {title} is "
            f"served by WSGI. {given.how_to_add.format(package=servers.USUAL_SERVER[ASGI])}"
        )
    if servers.is_socket_io(application, given.packages):
        _say_what_socket_io_needs(words, given, notes)
    return [direct(WEB, _importable(application, words, given), given, application.working_dir)]


def _say_what_socket_io_needs(words: Sequence[str], given: LaunchInputs, notes: Notes) -> None:
    notes.notices.append(
        "It answers Socket.IO, whose clients must come back to the same process: one is started, "
        "whatever WEB_CONCURRENCY is. To start more, commit a Procfile"
    )
    if words[0] != "gunicorn" or "--threads" not in words:
        return
    library, _ = servers.green_library(given.packages)
    if library:
        usable = f"gunicorn[{library}]" + ("<26" if library == "eventlet" else "")
        notes.warnings.append(
            f"Socket.IO uses {library} where it is installed and the app gives no async_mode, but "
            f"gunicorn {given.packages['gunicorn']} has no worker for it: no client will be "
            f"answered. Remove {library}, or: {given.how_to_add.format(package=usable)}"
        )


def _shown(application: Application) -> str:
    return application.path if application.interface == SCRIPT else application.target


def _is_another(one: Application, served: Application) -> bool:
    """Whether a user could have meant `one` instead of what is served."""
    # A Django project's modules are found by themselves, too.
    is_django = one.framework == served.framework == "django"
    return not is_django and not one.is_related(served)


def _say_what_is_missing(facts: AppFacts, given: LaunchInputs, notes: Notes) -> None:
    missing = next((one for one in facts.applications), None)
    if missing is not None:
        notes.notices.append(
            f"{missing.path} uses {_TITLES[missing.framework]}, which is not installed. "
            f"{given.how_to_add.format(package=missing.framework)}"
        )


def _say_what_is_unread(facts: AppFacts, notes: Notes) -> None:
    if facts.unread:
        notes.warnings.append(
            f"{', '.join(facts.unread[:_SHOWN])}: cannot be read by Python {facts.python}, which "
            "runs this buildpack. If the app is there, commit a Procfile with the line: "
            "web: <command>"
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
    directory = posixpath.normpath(f"{given.root}/{application.import_dir}")
    return (f"PYTHONPATH={directory}:${{PYTHONPATH}}", *words)


def reload_process(planned: Sequence[Planned], given: LaunchInputs, notes: Notes) -> Planned | None:
    """The web process with the server's own reloader; else the app with whatever reloads it."""
    web = next((one for one in planned if one.type == WEB), None)
    words = servers.reloading(web.words) if web and web.words else None
    if web is not None and words is not None:
        return replace(direct(RELOAD, words, given), working_dir=web.working_dir)
    candidates = applications(given.facts or AppFacts(), given.packages)
    for application in candidates:
        served = servers.command(application, given.packages)
        own = served and servers.reloading(served)
        words = own or servers.development_server(application)
        if words is not None:
            words = _importable(application, words, given)
            return direct(RELOAD, words, given, application.working_dir)
    notes.warnings.append(
        "BP_LIVE_RELOAD_ENABLED is set, but there is no reload process: "
        + (f"nothing is known to reload `{web.shown}`" if web else "there is no web process")
    )
    return None
