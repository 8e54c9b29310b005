"""Credentials out of anything that is printed, hashed or stored. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

_HIDDEN = "****"
# `user:password@`, where the password may hold unescaped slashes: before a path there can only be
# a port after the colon, which may be a variable, and a host in brackets holds colons itself.
# `@` in the path of a VCS URL is a revision, and stays.
# The limits keep the time for a line of any length proportional to it.
_USERINFO = re.compile(
    r"""(?<=[A-Za-z0-9+.-])(?P<scheme>://)
        (?: [^/\s?#"'<>]*@
          | (?!\[[\da-fA-F.]*:[\da-fA-F.]*:[\da-fA-F:.]*\](?::\d{0,5}|:\$\{\w+\})?(?:[/?#\s"'<>)\],;]|$))
            [^/\s?#@:]*:(?!\d{0,5}(?:[/?#\s"'<>)\],;]|$)|\$\{\w+\}/)\S{0,1024}@ (?=[\w.\[-])
            (?: [^/\s?#"'<>]*@ )? )""",
    re.VERBOSE,
)
_QUERY = re.compile(
    r"""(?i)(?P<name>[?&][^=&\s\#"'?]{0,99}
        (?:token|secret|passw|pwd|key|sig|auth|credential)[^=&\s\#"'?]{0,99}=)
        [^&\s\#"'<>)\],;]+""",
    re.VERBOSE,
)
_HEADER = re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer|token)\s+)[^\s'\"]+")
# A part of a path may be a token, some indexes take theirs there; or words, dates and versions,
# of which none counts: another snapshot of an index is another index.
_PART = r"[\w.~-]{16,}"
_WORD = re.compile(r"[A-Za-z]*\d*|\d{8}T\d{4,6}Z?")
_UUID = re.compile(r"[\da-fA-F]{8}(-[\da-fA-F]{4}){3}-[\da-fA-F]{12}")
_COMMIT = re.compile(r"[\da-f]{40}")
_LEAST_MIXED = 10
_URL_PATH = re.compile(r"(?<=://)\S+")
_PATH_PART = re.compile(rf"(?<=/){_PART}(?=[/?#;,\"']|$)")
# With the end of a word behind it: AUTHLIB_VERSION and TOKENIZERS_VERSION name no secrets.
_SECRET_NAME = re.compile(
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|(?:^|_|API|ACCESS)(?:KEY|PASS|PWD|PAT|AUTH))S?(?:_|$)"
)
_DISTRIBUTIONS = (".whl", ".zip", ".gz", ".bz2", ".xz")
_SHORTEST = 4


def redact(text: str) -> str:
    """`text` with user information and tokens of every URL replaced by `****`."""
    text = _USERINFO.sub(rf"\g<scheme>{_HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<name>{_HIDDEN}", text)
    return _HEADER.sub(rf"\g<1>{_HIDDEN}", text)


def without_credentials(text: str) -> str:
    """`text` with user information and tokens of every URL removed: equal for any credentials."""
    return _HEADER.sub(r"\g<1>", _QUERY.sub(r"\g<name>", _USERINFO.sub(r"\g<scheme>", text)))


def without_tokens(url: str) -> str:
    """The URL of an index as it may be stored: scheme, host and path, without what looks secret.

    What may be a commit leaves a short digest: another commit of an index is another index.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = "/".join(_stored(part) if _is_token(part) else part for part in parts.path.split("/"))
    return f"{parts.scheme}://{host}{path}" if parts.scheme else path


def url_secrets(url: str) -> set[str]:
    """What looks secret in the URL of an index: its password, tokens in its path and its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    if not parts.netloc:
        return set()  # a path on this machine
    userinfo = parts.netloc.rpartition("@")[0]
    found = {unquote(userinfo.partition(":")[2] or userinfo)}
    found |= {part for part in parts.path.split("/") if _is_token(part)}
    found |= {value for value in re.findall(r"=([^&]+)", parts.query) if len(value) > 7}
    return found - {""}


def _is_token(part: str) -> bool:
    if not re.fullmatch(_PART, part):
        return False
    mixed = (piece for piece in re.split(r"[-_.~]", part) if not _WORD.fullmatch(piece))
    return _UUID.fullmatch(part) is not None or sum(map(len, mixed)) >= _LEAST_MIXED


def _stored(token: str) -> str:
    """32 bits tell two commits apart, and nobody finds 160 by them, should it be a token."""
    if not _COMMIT.fullmatch(token):
        return _HIDDEN
    import hashlib

    return _HIDDEN + hashlib.sha256(token.encode()).hexdigest()[:8]


def without_secrets(text: str) -> str:
    """`text` without credentials, and without what looks like a token in the paths of its URLs."""

    def hidden(part: re.Match[str]) -> str:
        secret = _is_token(part[0]) and not part[0].endswith(_DISTRIBUTIONS)
        return _stored(part[0]) if secret else part[0]

    return _URL_PATH.sub(lambda path: _PATH_PART.sub(hidden, path[0]), without_credentials(text))


def names_a_secret(variable: str) -> bool:
    """Whether an environment variable is one for a token or a password, by its name."""
    return _SECRET_NAME.search(variable) is not None


def hider(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that matches each secret, as it is and as it stands in a URL; None: there is none."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= _SHORTEST
        for form in (secret, quote(secret, safe=""), quote(secret))
    }
    if not forms:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))
