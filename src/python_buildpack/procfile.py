"""Procfile: which processes the app names, and whether their commands need a shell. Pure.

A command that is a plain list of words runs without a shell. Variables in its words stay to be
expanded at launch, in a notation of their own that `launch_wrapper` reads:
`${NAME}` for `$NAME` and `${NAME}`, `$"{NAME}"` for the same within double quotes, `$$` for `$`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from python_buildpack import errors

_LINE = re.compile(r"(?P<type>[A-Za-z0-9_.-]+)\s*:(?P<command>.*)")
_VARIABLE = re.compile(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=", re.ASCII)
_SHELL_CHARACTERS = frozenset("|&;<>()`*?[")
_SHELL_WORDS = frozenset(
    [
        "!",
        ".",
        ":",
        "[",
        "alias",
        "break",
        "case",
        "cd",
        "command",
        "continue",
        "do",
        "eval",
        "exit",
        "export",
        "fg",
        "for",
        "getopts",
        "hash",
        "if",
        "jobs",
        "local",
        "read",
        "readonly",
        "return",
        "set",
        "shift",
        "source",
        "test",
        "times",
        "trap",
        "type",
        "ulimit",
        "umask",
        "unset",
        "until",
        "wait",
        "while",
        "{",
    ]
)


@dataclass(frozen=True, kw_only=True)
class ProcfileEntry:
    """One process, and the line that names it."""

    type: str
    command: str
    line: int


def parse_procfile(data: bytes, name: str = "Procfile") -> tuple[ProcfileEntry, ...]:
    """Raises `UserError` for bytes that are no text and for lines that are no process."""
    text = _decode(data, name)
    entries: dict[str, ProcfileEntry] = {}
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise errors.procfile_invalid(name, number, line, "Write it as `type: command`.")
        kind, command = found["type"], found["command"].strip()
        if not command:
            raise errors.procfile_invalid(name, number, line, f"{kind} has no command.")
        if kind in entries:
            raise errors.procfile_invalid(
                name, number, line, f"{kind} is on line {entries[kind].line} already."
            )
        entries[kind] = ProcfileEntry(type=kind, command=command, line=number)
    return tuple(entries.values())


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
    words: list[str] = []
    word: list[str] | None = None
    position = 0
    while position < len(command):
        character = command[position]
        if character in " \t":
            if word is not None:
                words.append("".join(word))
            word = None
            position += 1
            continue
        if character in _SHELL_CHARACTERS:
            return None
        if word is None:
            if character in "#~":
                return None
            word = []
        if character == "'":
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
    if word is not None:
        words.append("".join(word))
    if words and words[0] == "exec":
        words = words[1:]
    if not words or words[0] in _SHELL_WORDS or _ASSIGNMENT.match(words[0]):
        return None
    return tuple(words)


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
