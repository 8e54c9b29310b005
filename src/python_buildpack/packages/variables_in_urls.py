"""Secrets that the app's files give by variables in their URLs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from python_buildpack.redact import url_secrets

VARIABLE = re.compile(r"'?\$\{(\w+)\}'?|\$([A-Za-z_]\w*)")
# Shorter ones are words of other lines of the log too: versions, names of environments.
_SHORTEST = 8


def expanded_secrets(texts: Iterable[str], environ: Mapping[str, str]) -> set[str]:
    """What must not be printed of the variables (`${NAME}`) in `texts`, requirement lines and URLs.

    Those are the values of eight characters and more that stand in a URL, but not as its host, and
    what looks secret in a value that is a URL itself, or in the URL of an index.
    """
    found: set[str] = set()
    for text in texts:
        for word in text.split():
            found |= _secrets(word, environ)
            if text.startswith("-") and "://" in word:
                found |= url_secrets(VARIABLE.sub(lambda one: environ.get(_name(one), ""), word))
    return found


def _secrets(word: str, environ: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    for name in _names(word):
        if "://" in environ.get(name, ""):
            found |= url_secrets(environ[name])
    _, separator, rest = word.partition("://")
    authority, _, path = rest.partition("/")
    userinfo = authority.rpartition("@")[0]
    values = (environ.get(name, "") for name in _names(f"{userinfo} {path}" if separator else ""))
    return found | {value for value in values if len(value) >= _SHORTEST}


def _names(text: str) -> Iterator[str]:
    return map(_name, VARIABLE.finditer(text))


def _name(match: re.Match[str]) -> str:
    return match[1] or match[2]
