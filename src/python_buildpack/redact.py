"""Credentials out of anything that is printed, hashed or stored."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>[^/\s?#]*)@")


def redact(text: str) -> str:
    """`text` with the user information of every URL replaced by `****`."""
    return _USERINFO.sub(r"\g<scheme>****@", text)


def without_credentials(text: str) -> str:
    """`text` with the user information of every URL removed: equal for any credentials."""
    return _USERINFO.sub(r"\g<scheme>", text)
