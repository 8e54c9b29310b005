"""The Procfile: any bytes, every kind of line, and commands that need no shell."""

from __future__ import annotations

import shlex
import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cnb.launch import Process, is_process_type
from python_buildpack.errors import UserError
from python_buildpack.in_image.launch_wrapper import command, expand
from python_buildpack.launch.processes import LaunchInputs, LaunchPlan, plan_launch
from python_buildpack.launch.procfile import (
    ProcfileEntry,
    accepts_arguments,
    direct_words,
    is_assignment,
    parse_procfile,
)
from python_buildpack.project import read_project
from python_buildpack.settings import read_settings

ENVIRON = {"PORT": "5001", "EMPTY": "", "OPTIONS": " -w 2  --log-level\tdebug ", "DOLLAR": "$PORT"}
# What a command may be made of, the awkward parts of a shell's syntax included.
PIECES = st.sampled_from(
    [
        *(
            "a",
            "gunicorn",
            " ",
            "  ",
            "\t",
            "'",
            '"',
            "\\",
            "$",
            "$PORT",
            "${PORT}",
            "${EMPTY}",
            "$$",
        ),
        *(
            "${PORT:-80}",
            "${NONE:-80}",
            "${NONE-}",
            "${EMPTY-x}",
            "${EMPTY:-x}",
            "$OPTIONS",
            "A=",
            "=",
        ),
        *(
            "|",
            "&&",
            ";",
            ">",
            "*",
            "?",
            "[",
            "~",
            "#",
            "!",
            "{",
            "}",
            "(",
            "`",
            "é",
            "\u00a0",
            "exec",
        ),
        *("$1", "$(a)", "${NONE:?x}", '"$OPTIONS"', "'$PORT'", "\\$PORT", "A=$OPTIONS ", "B=~ "),
    ]
)
COMMANDS = st.lists(PIECES, max_size=12).map("".join)


def planned(text: bytes) -> LaunchPlan:
    """The processes of a Procfile."""
    return plan_launch(
        LaunchInputs(
            procfile=parse_procfile(text).entries,
            facts=None,
            packages=dict.fromkeys(("celery", "gunicorn", "uvicorn"), "1"),
            venv_dir="/layers/venv",
            root="/workspace",
            app_dir="/workspace",
        )
    )


def started(process: Process, arguments: list[str], environ: dict[str, str]) -> list[str]:
    """The words that a process without a shell becomes."""
    words = [*process.command, *process.args]
    assert words[0] != "sh"
    if words[1:2] == ["-IS"]:
        count = int(words[3])
        return command(words[4 : 4 + count], [*words[4 + count :], *arguments], environ)[0]
    return [*words, *arguments]


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbfweb: a\r\n")
@example(b"web: \xff")
@example(b"web: a\0b")
def test_any_bytes(data: bytes) -> None:
    """Processes with legal types and a command, or an error for the user; nothing else."""
    try:
        entries = parse_procfile(data).entries
    except UserError as error:
        assert error.id in ("procfile-invalid", "file-unreadable")
        assert "Procfile" in error.title
        return
    types = [entry.type for entry in entries]
    assert len(set(types)) == len(types)
    for entry in entries:
        assert is_process_type(entry.type)
        assert entry.command == entry.command.strip() != ""
        assert entry.line <= data.count(b"\n") + data.count(b"\r") + 1
    plan = planned(data)
    assert [process.type for process in plan.processes] == types


NAMES = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=8)
WORDS = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=8)


@given(
    st.dictionaries(NAMES, st.lists(WORDS, min_size=1, max_size=4), max_size=4),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_quoted_words_arrive(
    processes: dict[str, list[str]], end: str, byte_order_mark: bool
) -> None:
    """Whatever is quoted arrives as it is, with any line ends and with a byte order mark."""
    lines = ["# comment", ""]
    for kind, words in processes.items():
        lines.append(f"  {kind} :  ./run {shlex.join(words)} ")
    data = end.join(lines).encode("utf-8-sig" if byte_order_mark else "utf-8")
    plan = planned(data)
    assert bool(plan.warnings) == (not processes)
    for process, (kind, words) in zip(plan.processes, processes.items(), strict=True):
        assert process.type == kind
        added = ["--more", "$PORT", "two words"]
        assert started(process, added, ENVIRON) == ["./run", *words, *added]


@given(COMMANDS)
@example("'")
@example("\\")
@example("$")
def test_any_command(text: str) -> None:
    """Each has its words, which expand, or goes to the shell as it is."""
    words = direct_words(text)
    if words is None:
        return
    result, environ = command(list(words), ["added $PORT"], ENVIRON)
    assert result[-1:] == ["added $PORT"]
    assert not any(is_assignment(word) for word in words if "=" not in text)
    assert set(ENVIRON) <= set(environ)


@given(COMMANDS)
def test_the_shell_gets_what_was_written(text: str) -> None:
    """A command for the shell is not changed; only the user's arguments are added."""
    if direct_words(text) is not None or not text.strip():
        return
    (process,) = planned_one(text).processes
    assert process.command[:2] == ("sh", "-c")
    assert process.command[2] in (text, f'{text} "$@"')
    assert process.command[3] == "web"


def planned_one(text: str) -> LaunchPlan:
    return plan_launch(
        LaunchInputs(
            procfile=(ProcfileEntry(type="web", command=text, line=1),),
            facts=None, packages=dict.fromkeys(("celery", "gunicorn", "uvicorn"), "1"), venv_dir="/v", root="/w", app_dir="/w",
        )
    )  # fmt: skip


DIRECT = (
    ("gunicorn app:app", ["gunicorn", "app:app"]),
    ("gunicorn -b 0.0.0.0:$PORT app:app", ["gunicorn", "-b", "0.0.0.0:5001", "app:app"]),
    ("run a:b --port ${PORT}", ["run", "a:b", "--port", "5001"]),
    ("run a:b --port ${PORT:-8000}", ["run", "a:b", "--port", "5001"]),
    ("run a:b --port ${NONE:-8000}", ["run", "a:b", "--port", "8000"]),
    ("run a:b --port ${EMPTY:-8000}", ["run", "a:b", "--port", "8000"]),
    ("run a:b --port=${EMPTY-8000}", ["run", "a:b", "--port="]),
    ('celery -A "my app" worker', ["celery", "-A", "my app", "worker"]),
    ("run '$PORT' \\$PORT", ["run", "$PORT", "$PORT"]),
    ('run "$PORT" "${OPTIONS}"', ["run", "5001", ENVIRON["OPTIONS"]]),
    ("gunicorn $OPTIONS app:app", ["gunicorn", "-w", "2", "--log-level", "debug", "app:app"]),
    ("run $EMPTY ${NONE} '' \"$EMPTY\"", ["run", "", ""]),
    ("run a$EMPTY", ["run", "a"]),
    ("run $DOLLAR", ["run", "$PORT"]),
    ("exec gunicorn app:app", ["gunicorn", "app:app"]),
    ("A=1 B=$OPTIONS exec run", ["run"]),
    ("run 'create_app(\"a\")'", ["run", 'create_app("a")']),
    ("run {a,b} a=b % ^ @ é", ["run", "{a,b}", "a=b", "%", "^", "@", "é"]),
    ("$EMPTY run", ["run"]),
    ("run --bind [::]:$PORT -b[::1]:80", ["run", "--bind", "[::]:5001", "-b[::1]:80"]),
)
SHELL = (
    *(
        "a && b",
        "a || b",
        "a; b",
        "a | b",
        "a > log",
        "a < in",
        "a &",
        "run *.py",
        "run a?",
        "run [a]",
        "run [:a:]",
        "run [::]:* a",
    ),
    *("run `date`", "run $(date)", "run $1", "run $$", "run ${PORT:?missing}", "run ${#PORT}"),
    *("cd web && run", "cd web", "source .env", "export A=1", "if true; then a; fi", "test -f a"),
    *("(a)", "run ~/a", "A=~/b run", "run # comment", "# comment", "A=1", "'A=1' run", "! a"),
    *("run 'open", 'run "open', "run \\", "exec -a name run", "while true; do a; done", "run $"),
)


@pytest.mark.parametrize(("text", "words"), DIRECT, ids=[text for text, _ in DIRECT])
def test_without_a_shell(text: str, words: list[str]) -> None:
    """These run without a shell, as the shell would run them."""
    plan = planned_one(text)
    assert plan.warnings == ()
    assert started(plan.processes[0], [], ENVIRON) == words
    assert started(plan.processes[0], ["-x", "$PORT"], ENVIRON) == [*words, "-x", "$PORT"]


@pytest.mark.parametrize("text", SHELL)
def test_with_a_shell(text: str) -> None:
    """These need one, and a warning says so with the line."""
    plan = planned_one(text)
    assert plan.processes[0].command[:2] == ("sh", "-c")
    assert "Procfile line 1: web is started by `sh`" in plan.warnings[0]
    assert plan.shown["web"] == text


@pytest.mark.parametrize(
    ("text", "accepts"),
    [
        *((text, True) for text in ("a && b", "a | b -c", "cd x && exec b", "a > log", "a *.py")),
        *((text, True) for text in ("a; b fin", "a || undone", "a 'b)' && c")),
        *(
            (text, False)
            for text in ("a; b &", "(a; b)", "if x; then a; fi", "for a in b; do c; done")
        ),
        *((text, False) for text in ("{ a; }", "a;", "a \\", "case a in a) b;; esac")),
    ],
)
def test_where_arguments_can_be_added(text: str, accepts: bool) -> None:
    """Only after words of a command; elsewhere they would be a syntax error."""
    assert accepts_arguments(text) == accepts
    assert planned_one(text).processes[0].command[2].endswith('"$@"') == accepts


def test_variables_before_the_command() -> None:
    """They are set in order, for the command only; its own words see the old values."""
    words = direct_words("A=1 B=$A$OPTIONS PORT=80 run $PORT $A")
    assert words is not None
    result, environ = command(list(words), [], ENVIRON)
    assert result == ["run", "5001"]
    assert (environ["A"], environ["B"], environ["PORT"]) == ("1", f"1{ENVIRON['OPTIONS']}", "80")


def test_defaults_before_the_command() -> None:
    """`NAME?=value`, which inferred processes use, gives way to what the user set."""
    words = ["SET?=1", "PORT?=1", "PORT2?=${PORT}", "run"]
    result, environ = command(words, [], ENVIRON)
    assert result == ["run"]
    assert (environ["SET"], environ["PORT"], environ["PORT2"]) == ("1", "5001", "5001")


def test_an_unquoted_value_is_split_at_blanks_only() -> None:
    """As the shell's default IFS has it: no other white space counts."""
    assert expand("${A}", {"A": "a\u00a0b\x0bc d\te\nf"}) == ["a\u00a0b\x0bc", "d", "e", "f"]
    assert expand("x${A}y", {"A": " a b "}) == ["x", "a", "b", "y"]
    assert expand("x${A}y", {"A": "  "}) == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("web gunicorn", ("Procfile line 1 is not a process", "type: command")),
        ("web:", ("Procfile line 1", "web has no command")),
        ("web:   \r\n", ("Procfile line 1", "web has no command")),
        ("we b: a", ("Procfile line 1 is not a process",)),
        ("wéb: a", ("Procfile line 1 is not a process",)),
        ("# c\n// web: a\nheroku ps:scale web=1\n", ("Procfile line 2 is not a process",)),
    ],
)
def test_errors_name_the_line(text: str, words: tuple[str, ...]) -> None:
    """Where no process is left: what is wrong, where, and how to write it."""
    with pytest.raises(UserError) as caught:
        parse_procfile(text.encode())
    for expected in words:
        assert expected in f"{caught.value.title}\n{caught.value.body}"


@pytest.mark.parametrize(
    ("text", "processes", "words"),
    [
        ("web: a\nweb: b\n", {"web": "b"}, ["line 1 is ignored: web is on line 2 again"]),
        ("web: a\rweb: b", {"web": "b"}, ["line 1 is ignored: web is on line 2 again"]),
        (
            "release: a\n\nweb: c\nrelease: b\nrelease: d\n",
            {"release": "d", "web": "c"},
            [
                "line 1 is ignored: release is on line 4 again",
                "line 4 is ignored: release is on line 5 again",
            ],
        ),
        (
            "web: a\nheroku ps:scale web=1\n",
            {"web": "a"},
            ["line 2 is ignored: 'heroku ps:scale web=1'. It is not `type: command`."],
        ),
        ("// web: b\nweb: a\n", {"web": "a"}, ["line 1 is ignored: '// web: b'"]),
        ("web: a\nclock:\n", {"web": "a"}, ["line 2 is ignored: 'clock:'. clock has no command."]),
    ],
)
def test_lines_that_do_not_count(text: str, processes: dict[str, str], words: list[str]) -> None:
    """As on Scalingo and Heroku the last line of a type counts, others are ignored: with a warning."""
    found = parse_procfile(text.encode())
    assert {entry.type: entry.command for entry in found.entries} == processes
    for warning, expected in zip(found.warnings, words, strict=True):
        assert warning.startswith(f"Procfile {expected}")


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("web: a\nworker: b\n", ["web"]),
        ("worker: b\nweb: a\n", ["web"]),
        ("worker: b\n", ["worker"]),
        ("worker: b\nclock: c\n", []),
        ("WEB: a\nb: c\n", []),
    ],
)
def test_default_process(text: str, default: list[str]) -> None:
    """`web`, else the only one; where there is none the log says how to start one."""
    plan = planned(text.encode())
    assert [process.type for process in plan.processes if process.default] == default
    says = [notice for notice in plan.notices if "--entrypoint" in notice]
    assert len(says) == (0 if default else 1)


def test_an_empty_procfile_is_none() -> None:
    """Comments alone declare nothing: the app is looked at as if there were no Procfile."""
    plan = planned(b"# nothing here\r\n\r\n")
    assert plan.processes == ()
    assert "No Procfile, and no web app" in plan.warnings[0]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("procfile",), ["procfile is not read: its name must be Procfile"]),
        (("Procfile.txt",), ["Procfile.txt is not read: its name must be Procfile"]),
        (("Procfile", "Procfile.txt"), []),
        (("Procfile.windows", "Procfile.dev"), []),
    ],
)
def test_a_misspelt_procfile(tmp_path: Path, names: Sequence[str], told: Sequence[str]) -> None:
    """Others than `Procfile` are for other tools, but for its near misses."""
    for name in (*names, "main.py"):
        (tmp_path / name).write_text("web: true\n" if "rocfile" in name else "")
    assert list(read_project(tmp_path, read_settings({})).warnings) == told
