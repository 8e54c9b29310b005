"""Procfile: its processes, and the words of a command that needs no shell. Pure.

A command that is a plain list of words runs without a shell. Variables in its words stay to be
expanded at launch, in a notation of their own that `launch_wrapper` reads: `${NAME}` for `$NAME`
and `${NAME}`, with `:-text` or `-text` after the name as the shell has it, `$"{NAME}"` for the same
within double quotes, `$$` for `$`. Leading words `NAME=value` set variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from python_buildpack import errors

_LINE = re.compile(r"(?P<type>[A-Za-z0-9_.-]+)\s*:(?P<command>.*)")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# A default value is taken only where it is plain text.
_VARIABLE = re.compile(
    rf"\$(?:(?P<plain>{_NAME})|\{{(?P<braced>{_NAME}(?::?-[A-Za-z0-9_./:@%+,=-]*)?)\}})"
)
_ASSIGNMENT = re.compile(rf"{_NAME}=")
# A variable that is not quoted, in our notation; `$$` is none.
_UNQUOTED = re.compile(r"\$\$|\$(\{[^}]*\})")
# Globs to a shell, but of no file's name: IPv6 addresses.
_ADDRESS = re.compile(r"\[::1?\]")
_SHELL_CHARACTERS = frozenset("|&;<>()`*?[")
_SHELL_WORDS = frozenset(
    [
        *("!", ".", ":", "[", "{", "alias", "bg", "break", "builtin", "case", "cd", "command"),
        *("continue", "declare", "do", "eval", "exit", "export", "fg", "for", "function"),
        *("getopts", "hash", "if", "jobs", "let", "local", "read", "readonly", "return", "set"),
        *("shift", "source", "test", "time", "times", "trap", "type", "typeset", "ulimit", "umask"),
        *("unalias", "unset", "until", "wait", "while", "[["),
    ]
)
# After these a command cannot go on with more arguments.
_ENDS = r"(?:[;&|(){}\\<>]|(?:^|[\s;])(?:fi|done|esac))$"


@dataclass(frozen=True, kw_only=True)
class ProcfileEntry:
    """One process, and the line that names it."""

    type: str
    command: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Procfile:
    """The processes, and a warning for each line that does not count."""

    entries: tuple[ProcfileEntry, ...]
    warnings: tuple[str, ...] = ()


def parse_procfile(data: bytes, name: str = "Procfile") -> Procfile:
    """As Scalingo and Heroku read it: of two lines for one type the last counts, and a line that
    is no process is ignored.

    Raises `UserError` for bytes that are no text, and where the lines hold no process at all.
    """
    text = _decode(data, name)
    entries: dict[str, ProcfileEntry] = {}
    warnings: list[str] = []
    ignored: list[tuple[int, str, str]] = []
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        kind, command = (found["type"], found["command"].strip()) if found else ("", "")
        if not command:
            why = f"{kind} has no command." if kind else "It is not `type: command`."
            ignored.append((number, line, why))
            warnings.append(f"{name} line {number} is ignored: {line[:200]!r}. {why}")
            continue
        if kind in entries:
            warnings.append(
                f"{name} line {entries[kind].line} is ignored: {kind} is on line {number} again, "
                "and the last one counts. Remove the other."
            )
        entries[kind] = ProcfileEntry(type=kind, command=command, line=number)
    if ignored and not entries:
        raise errors.procfile_invalid(name, *ignored[0])
    return Procfile(entries=tuple(entries.values()), warnings=tuple(warnings))


def _decode(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise errors.file_unreadable(f"{name} line {line}", "It is not UTF-8 text.") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise errors.file_unreadable(f"{name} line {line}", "It holds a NUL character.")
    return text


def direct_words(command: str) -> tuple[str, ...] | None:
    """The words of a command that needs no shell, else None."""
    parts = _split(command)
    if parts is None:
        return None
    assignments: list[str] = []
    for raw, word in parts:
        if not _ASSIGNMENT.match(raw):
            break
        if "~" in raw:
            return None
        # The shell does not split the value of an assignment.
        assignments.append(_UNQUOTED.sub(lambda m: f'$"{m[1]}"' if m[1] else m[0], word))
    words = [word for _, word in parts[len(assignments) :]]
    if words and words[0] == "exec":
        words = words[1:]
        if words and words[0].startswith("-"):
            return None
    if not words or words[0] in _SHELL_WORDS or is_assignment(words[0]):
        return None
    return (*assignments, *words)


def is_assignment(word: str) -> bool:
    """Whether a leading word sets a variable: `NAME=value`, or `NAME?=value` if it is not set."""
    return _ASSIGNMENT.match(word.replace("?=", "=", 1)) is not None


def accepts_arguments(command: str) -> bool:
    """Whether `"$@"` can be added to a shell command: it ends with a command and its words."""
    return re.search(_ENDS, command) is None


def _split(command: str) -> list[tuple[str, str]] | None:
    """Each word as it is written, and in our notation."""
    words: list[tuple[str, str]] = []
    word: list[str] = []
    start: int | None = None
    position = 0
    while position < len(command):
        character = command[position]
        if character in " \t":
            if start is not None:
                words.append((command[start:position], "".join(word)))
            word, start = [], None
            position += 1
            continue
        address = _ADDRESS.match(command, position)
        if character in _SHELL_CHARACTERS and not address:
            return None
        if start is None:
            if character in "#~":
                return None
            start = position
        if address:
            word.append(address[0])
            position = address.end()
        elif character == "'":
            end = command.find("'", position + 1)
            if end < 0:
                return None
            word.append(_literal(command[position + 1 : end]))
            position = end + 1
        elif character == '"':
            quoted = _double_quoted(command, position + 1)
            if quoted is None:
                return None
            text, position = quoted
            word.append(text)
        elif character == "\\":
            if position + 1 == len(command):
                return None
            word.append(_literal(command[position + 1]))
            position += 2
        elif character == "$":
            found = _VARIABLE.match(command, position)
            if found is None:
                return None
            word.append(f"${{{found['plain'] or found['braced']}}}")
            position = found.end()
        else:
            word.append(character)
            position += 1
    if start is not None:
        words.append((command[start:], "".join(word)))
    return words


def _literal(text: str) -> str:
    return text.replace("$", "$$")


def _double_quoted(command: str, position: int) -> tuple[str, int] | None:
    parts: list[str] = []
    while position < len(command):
        character = command[position]
        if character == '"':
            return "".join(parts), position + 1
        if character == "`":
            return None
        if character == "\\" and command[position + 1 : position + 2] in ('"', "\\", "$", "`"):
            parts.append(_literal(command[position + 1]))
            position += 2
        elif character == "$":
            found = _VARIABLE.match(command, position)
            if found is None:
                return None
            parts.append(f'$"{{{found["plain"] or found["braced"]}}}"')
            position = found.end()
        else:
            parts.append(character)
            position += 1
    return None
