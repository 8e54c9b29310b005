"""Credentials and certificates for every tool and our own downloads: files that only we can read.

Credentials never become arguments, which every process on the machine could see.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from python_buildpack import errors
from python_buildpack.packages.package_sources import PackageSources, Source
from python_buildpack.redact import url_secrets

# Words that every reader of a netrc file takes as they are.
_NETRC_WORD = r"[^\s\"'\\#][^\s\"'\\]*"


def with_netrc(environ: Mapping[str, str], sources: PackageSources, folder: Path) -> dict[str, str]:
    """`environ` for our own downloads: with the netrc file, where there is one."""
    path = write_netrc(sources, sources.sources, folder)
    return {**environ, "NETRC": str(path)} if path else dict(environ)


def write_certificates(
    sources: PackageSources, environ: Mapping[str, str], folder: Callable[[], Path]
) -> dict[str, str]:
    """`environ` in which the bindings' certificates are trusted beside the usual ones.

    `folder` makes a directory for them, where there are any. Raises `UserError` where the usual ones
    cannot be read.
    """
    given = environ.get("PIP_CERT") or sources.pip_options.get("cert")
    if not (given or sources.certificates):
        return dict(environ)
    from python_buildpack.fetch import CA_VARIABLES, ca_bundle  # most builds have neither

    if not sources.certificates:
        if given and not any(environ.get(name) for name in CA_VARIABLES):
            return {**environ, "SSL_CERT_FILE": given}
        return dict(environ)
    bundle = ca_bundle({"SSL_CERT_FILE": given, **environ} if given else environ)
    try:
        parts = [Path(bundle).read_bytes()] if isinstance(bundle, str) else []
    except OSError as error:
        names = (name for name in (*CA_VARIABLES, "PIP_CERT") if environ.get(name) == bundle)
        allowed = "the path of a PEM file, to which those of the service bindings are added"
        raise errors.setting_invalid(
            next(names, "pip's `cert`"), str(bundle), f"{allowed} ({error.strerror})"
        ) from None
    path = folder() / "ca-certificates.crt"
    path.write_bytes(b"\n".join([*parts, *sources.certificates]))
    return {**environ, **dict.fromkeys((*CA_VARIABLES, "PIP_CERT"), str(path))}


def write_netrc(sources: PackageSources, used: Iterable[Source], folder: Path) -> Path | None:
    """The netrc file for all tools: the user's, then each host's credentials."""
    ours = [
        f"machine {source.host} login {source.user} password {source.password}"
        for source in used
        if fits_netrc(source)
    ]
    if not (sources.netrc or ours):
        return None
    text = "\n\n".join([sources.netrc, *dict.fromkeys(ours), ""])
    name = hashlib.sha256(text.encode()).hexdigest()[:8]
    path = folder / f"netrc-{name}"
    if path.exists():
        return path
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def secrets(sources: PackageSources, used: Iterable[Source]) -> set[str]:
    """What must never be printed."""
    found = {source.password or source.user for source in (*sources.sources, *used)}
    found |= {password or user for user, password in sources.named.values()}
    found |= {word.strip("\"'") for word in re.findall(r"\bpassword\s+(\S+)", sources.netrc)}
    for source in (*sources.sources, *used):
        found |= url_secrets(source.url)
    found.update(re.findall(r"//[^/@]*:([^/@]*)@", sources.pip_options.get("proxy", "")))
    return {secret for secret in found if secret}


def fits_netrc(source: Source) -> bool:
    """Whether every reader of a netrc file takes its credentials as they are."""
    return bool(
        source.host
        and re.fullmatch(_NETRC_WORD, source.user)
        and re.fullmatch(_NETRC_WORD, source.password)
    )
