"""What uv and pip are given to reach the indexes: variables, options that hold no secrets."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from python_buildpack.packages.app_indexes import AppIndexes
from python_buildpack.packages.credentials import fits_netrc, write_netrc
from python_buildpack.packages.index_pins import credentials
from python_buildpack.packages.package_sources import PackageSources, Source
from python_buildpack.packages.pip_config import variables

_NAMED_FOR_UV = re.compile(r"UV_INDEX_\w+_(USERNAME|PASSWORD)")
# The variables of all tools that concern indexes; each tool gets its own anew.
_INDEX_VARIABLE = re.compile(
    r"PIP_.*|UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INSECURE_HOST)"
    rf"|{_NAMED_FOR_UV.pattern}|POETRY_\w+|NETRC"
)


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


def credentials_for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for indexes that uv alone sees: a project's sources name them."""
    return {name: value for name, value in environ.items() if _NAMED_FOR_UV.fullmatch(name)}


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


def _for_pip(source: Source, used: tuple[Source, ...]) -> str:
    """Without credentials where netrc has them: pip hands its URLs to children as arguments."""
    same_host = {(s.user, s.password) for s in used if s.host == source.host and s.user}
    if fits_netrc(source) and len(same_host) == 1:
        return source.url
    return source.full_url


def _escaped(url: str, separator: str) -> str:
    """A path or URL in a list with this separator."""
    if separator not in url:
        return url
    if "://" in url:
        return url.replace(separator, quote(separator))
    return Path(url).resolve().as_uri().replace(separator, quote(separator))
