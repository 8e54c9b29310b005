"""Runs in the image: expands variables in a command's words and becomes the command.

Started as `python -IS launch_wrapper.py COUNT WORD...`. Only the first COUNT words are expanded:
what follows are arguments that the user gave at launch. Imports nothing but what is built in.
"""

from __future__ import annotations

import os
import sys


def expand(word: str, environ: dict[str, str]) -> list[str]:
    """The words that `word` becomes: an unquoted variable is split at white space, as in sh."""
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
            current += environ.get(word[position + 3 : end], "")
            started = True
            position = end + 2
        else:
            end = word.index("}", position)
            value = environ.get(word[position + 2 : end], "")
            position = end + 1
            parts = value.split()
            if value[:1].isspace() and started:
                words.append(current)
                current, started = "", False
            for number, part in enumerate(parts):
                if number:
                    words.append(current)
                    current = ""
                current += part
                started = True
            if parts and value[-1:].isspace():
                words.append(current)
                current, started = "", False
    if started or not word:
        words.append(current)
    return words


def main(argv: list[str]) -> int:
    """Never returns where the command can be started."""
    count = int(argv[1])
    environ = dict(os.environ)
    words = [part for word in argv[2 : 2 + count] for part in expand(word, environ)]
    words += argv[2 + count :]
    try:
        os.execvp(words[0], words)
    except OSError as error:
        sys.stderr.write(f"{words[0]} cannot be started: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main(sys.argv))
