"""Runs in the image: expands variables in a command's words and becomes the command.

Started as `python -IS launch_wrapper.py COUNT WORD...`. Only the first COUNT words are expanded:
what follows are arguments that the user gave at launch. Leading words `NAME=value` set variables,
`NAME?=value` those that are not set. Imports nothing but what is built in.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # typeshed has only `signal`, which imports more
import os
import sys

BLANKS = " \t\n"


def lookup(reference: str, environ: dict[str, str]) -> str:
    """The value of `NAME`, `NAME-default` or `NAME:-default`."""
    name, dash, default = reference.partition("-")
    value = environ.get(name.removesuffix(":"), None if dash else "")
    if value is None or (not value and name.endswith(":")):
        return default
    return value


def expand(word: str, environ: dict[str, str]) -> list[str]:
    """The words that `word` becomes: an unquoted variable is split at blanks, as in sh."""
    words: list[str] = []
    current = ""
    started = False
    position = 0
    while position < len(word):
        if word[position] != "$":
            current += word[position]
            started = True
            position += 1
        elif word.startswith("$$", position):
            current += "$"
            started = True
            position += 2
        elif word.startswith('$"{', position):
            end = word.index('}"', position)
            current += lookup(word[position + 3 : end], environ)
            started = True
            position = end + 2
        else:
            end = word.index("}", position)
            value = lookup(word[position + 2 : end], environ)
            position = end + 1
            parts = value.replace("\t", " ").replace("\n", " ").split(" ")
            if value[:1] in BLANKS and value and started:
                words.append(current)
                current, started = "", False
            for number, part in enumerate([part for part in parts if part]):
                if number:
                    words.append(current)
                    current = ""
                current += part
                started = True
            if value[-1:] in BLANKS and value and started:
                words.append(current)
                current, started = "", False
    if started or not word:
        words.append(current)
    return words


def command(
    planned: list[str], added: list[str], environ: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The command's words, and its environment."""
    result = dict(environ)
    start = 0
    for word in planned:
        name, equals, value = word.partition("=")
        name = name.removesuffix("?")
        if not equals or not name.isascii() or not name.isidentifier():
            break
        start += 1
        if name in environ and word.startswith(f"{name}?="):
            continue
        result[name] = "".join(expand(value, result))
    words = [part for word in planned[start:] for part in expand(word, environ)]
    return words + added, result


def main(argv: list[str]) -> int:
    """Never returns where the command can be started."""
    count = int(argv[1])
    planned = argv[2 : 2 + count]
    words, environ = command(planned, argv[2 + count :], dict(os.environ))
    if not words:
        sys.stderr.write(f"Nothing to start: {' '.join(planned)} is empty\n")
        return 127
    # Python ignores these signals, and what is ignored stays so in the command.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvpe(words[0], words, environ)
    except OSError as error:
        sys.stderr.write(f"{words[0]} cannot be started: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main(sys.argv))
