"""What uv and pip are given to reach the indexes: variables, and files that only we can read.

Credentials never become arguments, which every process on the machine could see.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from python_buildpack.fetch import CA_VARIABLES, ca_bundle
from python_buildpack.packages.index_pins import credentials
from python_buildpack.packages.package_sources import AppIndexes, PackageSources, Source
from python_buildpack.packages.pip_config import variables

# Words that every reader of a netrc file takes as they are.
_NETRC_WORD = re.compile(r"[^\s\"'\\#][^\s\"'\\]*")
# The variables of all tools that concern indexes; each tool gets its own anew.
_INDEX_VARIABLE = re.compile(
    r"PIP_.*|UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INSECURE_HOST)"
    r"|UV_INDEX_\w+_(USERNAME|PASSWORD)|POETRY_\w+|NETRC"
)


def with_netrc(environ: Mapping[str, str], sources: PackageSources, folder: Path) -> dict[str, str]:
    """`environ` for our own downloads: with the netrc file, where there is one."""
    path = write_netrc(sources, sources.sources, folder)
    return {**environ, "NETRC": str(path)} if path else dict(environ)


@dataclass(frozen=True, kw_only=True)
class Access:
    """For each tool its environment, and uv's options, which hold no secrets.

    `by_name`: a lock's files are looked for in these places, not where the lock says.
    `pinned` maps an index of the app to where certain packages are to come from, named for uv.
    """

    uv_environment: Mapping[str, str] = field(repr=False)
    uv_options: tuple[str, ...]
    pip_environment: Mapping[str, str] = field(repr=False)
    sources: tuple[Source, ...]
    by_name: bool
    pinned: Mapping[str, Source] = field(default_factory=dict)


def without_index_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a process that has no business with indexes."""
    return {name: value for name, value in environ.items() if not _INDEX_VARIABLE.fullmatch(name)}


def write_certificates(
    sources: PackageSources, environ: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """`environ` in which the bindings' certificates are trusted beside the usual ones."""
    given = environ.get("PIP_CERT") or sources.pip_options.get("cert")
    if not sources.certificates:
        if given and not any(environ.get(name) for name in CA_VARIABLES):
            return {**environ, "SSL_CERT_FILE": given}
        return dict(environ)
    bundle = ca_bundle({"SSL_CERT_FILE": given, **environ} if given else environ)
    parts = [Path(bundle).read_bytes()] if isinstance(bundle, str) else []
    path = folder / "ca-certificates.crt"
    path.write_bytes(b"\n".join([*parts, *sources.certificates]))
    return {**environ, **dict.fromkeys((*CA_VARIABLES, "PIP_CERT"), str(path))}


def write_netrc(sources: PackageSources, used: Iterable[Source], folder: Path) -> Path | None:
    """The netrc file for all tools: the user's, then each host's credentials."""
    ours = [
        f"machine {source.host} login {source.user} password {source.password}"
        for source in used
        if _fits_netrc(source)
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


def grant(
    sources: PackageSources,
    indexes: AppIndexes,
    links: tuple[Source, ...],
    environ: Mapping[str, str],
    folder: Path,
    *,
    no_index: bool,
    own_index: bool,
) -> Access:
    """Access to the app's `indexes` and to `links`.

    `own_index`: requirement files name the index, which pip prefers to the configured one.
    """
    index, extra = indexes.index, indexes.extra
    used = (*indexes.sources, *links)
    netrc = write_netrc(sources, used, folder)
    base = without_index_variables(environ)
    if netrc is not None:
        base["NETRC"] = str(netrc)
    options = sources.pip_options
    pinned = {
        name: dataclasses.replace(source, name=f"pinned-{number}")
        for number, (name, source) in enumerate(indexes.pinned.items(), start=1)
    }
    uv = {**base, **_uv_variables(options), **credentials(pinned)}
    if index is not None and not own_index:
        uv["UV_DEFAULT_INDEX"] = index.full_url
    if extra:
        uv["UV_INDEX"] = " ".join(source.full_url for source in extra)
    if links:
        uv["UV_FIND_LINKS"] = ",".join(_escaped(source.full_url, ",") for source in links)
    pip = {
        **base,
        **variables(options),
        "PIP_CONFIG_FILE": os.devnull,  # all of it is in these variables
    }
    if "PIP_CERT" in environ:
        pip["PIP_CERT"] = environ["PIP_CERT"]
    if index is not None:
        pip["PIP_INDEX_URL"] = _for_pip(index, used)
    if extra:
        pip["PIP_EXTRA_INDEX_URL"] = " ".join(_for_pip(source, used) for source in extra)
    if links:
        pip["PIP_FIND_LINKS"] = " ".join(_escaped(_for_pip(source, used), " ") for source in links)
    trusted = tuple(dict.fromkeys((*sources.trusted_hosts, *indexes.unverified)))
    if trusted:
        pip["PIP_TRUSTED_HOST"] = " ".join(trusted)
    if no_index:
        pip["PIP_NO_INDEX"] = "1"
    return Access(
        uv_environment=uv,
        uv_options=_uv_options(sources, trusted, no_index=no_index),
        pip_environment=pip,
        sources=used,
        by_name=no_index or sources.index is not None,
        pinned=pinned,
    )


def secrets(sources: PackageSources, used: Iterable[Source]) -> set[str]:
    """What must never be printed."""
    found = {source.password or source.user for source in (*sources.sources, *used)}
    found |= {password or user for user, password in sources.named.values()}
    found |= {word.strip("\"'") for word in re.findall(r"\bpassword\s+(\S+)", sources.netrc)}
    for source in (*sources.sources, *used):
        found |= {
            value for value in re.findall(r"=([^&]+)", urlsplit(source.url).query) if len(value) > 7
        }
    proxy = urlsplit(sources.pip_options.get("proxy", ""))
    return {secret for secret in (*found, proxy.password or "") if secret}


def _uv_options(
    sources: PackageSources, trusted: Iterable[str], *, no_index: bool
) -> tuple[str, ...]:
    options: list[str] = []
    for name in ("no-binary", "only-binary"):
        for part in sources.pip_options.get(name, "").replace(",", " ").split():
            options += [f"--{name}", part]
    for host in trusted:
        options += ["--allow-insecure-host", host]
    if no_index:
        options.append("--no-index")
    return tuple(options)


def _uv_variables(options: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    timeout = options.get("timeout") or options.get("default-timeout")
    if timeout:
        found["UV_HTTP_TIMEOUT"] = timeout.partition(".")[0]
    if "retries" in options:
        found["UV_HTTP_RETRIES"] = options["retries"]
    if "client-cert" in options:
        found["SSL_CLIENT_CERT"] = options["client-cert"]
    if "proxy" in options:
        found.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), options["proxy"]))
    return found


def _fits_netrc(source: Source) -> bool:
    return bool(
        source.host
        and _NETRC_WORD.fullmatch(source.user)
        and _NETRC_WORD.fullmatch(source.password)
    )


def _for_pip(source: Source, used: tuple[Source, ...]) -> str:
    """Without credentials where netrc has them: pip hands its URLs to children as arguments."""
    same_host = {(s.user, s.password) for s in used if s.host == source.host and s.user}
    if _fits_netrc(source) and len(same_host) == 1:
        return source.url
    return source.full_url


def _escaped(url: str, separator: str) -> str:
    """A path or URL in a list with this separator."""
    if separator not in url:
        return url
    if "://" in url:
        return url.replace(separator, quote(separator))
    return Path(url).resolve().as_uri().replace(separator, quote(separator))
