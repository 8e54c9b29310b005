"""Procfile, or what the app is found to be -> the image's processes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cnb.launch import Process
from python_buildpack.launch.procfile import (
    ProcfileEntry,
    accepts_arguments,
    direct_words,
    is_assignment,
)
from python_buildpack.launch.server_commands import listening_options, served_module

# What a build that changes nothing does not need is imported where it is used.
if TYPE_CHECKING:
    from python_buildpack.app.facts import AppFacts

# Below the venv layer: where the launch wrapper lies.
WRAPPER = "pycnb/launch_wrapper.py"
WEB = "web"
RELOAD = "reload"
RELEASE = "release"
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
    uploaded. `script` is the one that BP_PYTHON_SCRIPT names, `members` those of the workspace that
    BP_UV_PACKAGE names. `absent` are the scripts and modules of the Procfile that are not there.
    `how_to_add` says how to require `{package}`, in the words of the package manager in use.
    """

    procfile: tuple[ProcfileEntry, ...] | None
    facts: AppFacts | None
    packages: Mapping[str, str]
    venv_dir: str
    root: str
    app_dir: str
    script: str = ""
    members: tuple[str, ...] = ()
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
class Planned:
    """A process before its default is known. `words` is None where a shell starts it."""

    type: str
    words: tuple[str, ...] | None
    shown: str
    command: tuple[str, ...]
    working_dir: str | None


@dataclass(kw_only=True)
class Notes:
    """What the user should read, collected on the way."""

    warnings: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def needs_facts(procfile: Sequence[ProcfileEntry] | None, live_reload: bool) -> bool:
    """Whether `plan_launch` looks at the app's modules."""
    return not procfile or live_reload


def plan_launch(given: LaunchInputs) -> LaunchPlan:
    """The Procfile's processes; without one, those that are clear from the app and its packages."""
    notes = Notes()
    if given.procfile:
        planned = [_of_procfile(entry, given, notes) for entry in given.procfile]
    else:
        from python_buildpack.launch.inferred import inferred_processes

        planned = inferred_processes(given, notes)
    types = [one.type for one in planned]
    # What is run once, before a deployment, is nothing that an image does by itself.
    default = WEB if WEB in types else types[0] if len(types) == 1 and types != [RELEASE] else None
    if default is None and types:
        notes.notices.append(
            "There is no web process, so the image has no default one: start one by its name, with "
            f"--entrypoint {types[0]}"
        )
    if given.live_reload and RELOAD not in types:
        from python_buildpack.launch.inferred import reload_process

        reload = reload_process(planned, given, notes)
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


def _of_procfile(entry: ProcfileEntry, given: LaunchInputs, notes: Notes) -> Planned:
    words = direct_words(entry.command)
    if words is not None:
        if complaint := _complaint(words, given) or _unreachable(entry.type, words):
            notes.warnings.append(f"Procfile line {entry.line}: {complaint}")
        return direct(entry.type, words, given, shown=entry.command)
    notes.warnings.append(
        f"Procfile line {entry.line}: {entry.type} is started by `sh`, so the run image must have "
        "a shell. Plain words and variables need none."
    )
    text = entry.command
    if accepts_arguments(text):
        # Arguments that the user adds at launch are the shell's "$@".
        text = f'{text} "$@"'
    return Planned(
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
    if (module := served_module(words)) in given.absent:
        return f"neither the app nor its packages have a module {module}."
    absent = next((word for word in words if word in given.absent), None)
    return f"there is no {absent} in the app." if absent else ""


def _unreachable(kind: str, words: Sequence[str]) -> str:
    """Why nobody would get an answer, where that is plain."""
    options = listening_options(words) if kind == WEB else ""
    if not options:
        return ""
    return (
        "web listens on 127.0.0.1, where nothing outside the container reaches it. Let it listen "
        f"by {options}"
    )


def direct(
    kind: str,
    words: tuple[str, ...],
    given: LaunchInputs,
    working_dir: str = "",
    shown: str | None = None,
) -> Planned:
    """A process without a shell."""
    return Planned(
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
