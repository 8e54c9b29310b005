"""uv's own variables: which of them decide what is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from python_buildpack.redact import names_a_secret

# How uv reaches what it fetches, and where it keeps it.
_WAYS = (
    r"INDEX_\w+_(USERNAME|PASSWORD)$|HTTP_|REQUEST_TIMEOUT$|NATIVE_TLS$|SYSTEM_CERTS$"
    r"|INSECURE_HOST$|OFFLINE$|KEYRING_PROVIDER$|CONCURRENT_|CACHE_DIR$"
)
# What the configuration of indexes has already, and what concerns other commands or the log.
_OTHERS = (
    r"(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX)$"
    r"|NO_PROGRESS$|LOCK_TIMEOUT$|PUBLISH_|PYTHON_|TOOL_|INSTALLER_"
)
# What the buildpack does itself: byte code that lasts, and a cache for the time of the build.
_OURS = r"NO_CACHE$|COMPILE_BYTECODE$"
_RESOLUTION = re.compile(rf"UV_(?!{_WAYS}|GIT_LFS$)\w+")
_CHOICES = re.compile(rf"UV_(?!{_WAYS}|{_OTHERS}|{_OURS})(\w+)")
_NOT_FOR_UV = re.compile(rf"UV_({_OURS})")


def without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without those that would undo what the buildpack does itself."""
    return {name: value for name, value in environ.items() if not _NOT_FOR_UV.fullmatch(name)}


def without_resolution(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without those that would change what uv resolves."""
    return {name: value for name, value in environ.items() if not _RESOLUTION.fullmatch(name)}


def choices(environ: Mapping[str, str]) -> dict[str, str]:
    """Variable -> value of those that change what uv installs, secrets left out."""
    return {
        name: value.strip()
        for name, value in sorted(environ.items())
        if value.strip() and _CHOICES.fullmatch(name) and not names_a_secret(name)
    }
