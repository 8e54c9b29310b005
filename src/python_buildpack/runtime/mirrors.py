"""Where a runtime is fetched from instead of its own address: settings and service bindings.

`dependency-mapping`: an entry named like a file's sha256 holds its URL. `dependency-mirror`: an
entry named like a host holds the base URL that stands for it, `default` the one for all others.
The expected checksum is the same wherever the bytes come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from cnb.bindings import Binding
from python_buildpack import errors
from python_buildpack.redact import redact


def replaced_url(url: str, sha256: str, mirror: str | None, bindings: Sequence[Binding]) -> str:
    """`url`, or where its bytes are to be fetched. A mapping wins over a mirror, and the setting
    over a binding. Raises `UserError` for a binding that cannot be read.
    """
    for binding in bindings:
        if binding.type == "dependency-mapping" and sha256 in binding.keys:
            return _entry(binding, sha256)
    if mirror:
        return mirrored(url, mirror)
    host = urlsplit(url).hostname or ""
    for key in (host, "default"):
        for binding in bindings:
            if binding.type == "dependency-mirror" and key in binding.keys:
                return mirrored(url, _entry(binding, key))
    return url


def mirrored(url: str, mirror: str | None) -> str:
    """`url` with scheme and host replaced by those of `mirror`, whose path goes first.

    `{originalHost}` in the mirror stands for the host that it replaces.
    Raises `UserError` for a mirror that is no URL.
    """
    if not mirror:
        return url
    try:
        parts = urlsplit(url)
        base = urlsplit(mirror.replace("{originalHost}", parts.hostname or ""))
        return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + parts.path, "", ""))
    except ValueError as error:
        raise errors.download_failed(redact(mirror), f"{error}.") from None


def _entry(binding: Binding, key: str) -> str:
    try:
        text = binding.read(key).decode().strip()
        scheme = urlsplit(text).scheme
    except OSError as error:
        raise errors.binding_unreadable(binding.name, key, f"{error.strerror}.") from None
    except ValueError:
        scheme = ""
    if scheme not in ("http", "https", "file"):
        raise errors.binding_unreadable(binding.name, key, "It is no http, https or file URL.")
    return text
