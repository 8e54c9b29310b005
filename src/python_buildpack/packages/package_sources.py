"""Where packages come from: what pip, uv, Poetry, netrc and service bindings say, as one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from cnb.bindings import Binding
from python_buildpack import errors
from python_buildpack.packages import uv_variables
from python_buildpack.packages.pip_config import (
    config_files,
    is_false,
    is_true,
    read_pip_options,
)
from python_buildpack.presence import is_file
from python_buildpack.redact import without_secrets, without_tokens

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# pip's options that change nothing about what is installed, or that uv is told by its environment.
_HARMLESS = frozenset(
    [
        "break-system-packages",
        "cache-dir",
        "cert",
        "client-cert",
        "compile",
        "default-timeout",
        "disable-pip-version-check",
        "exists-action",
        "keyring-provider",
        "no-cache-dir",
        "no-color",
        "no-compile",
        "no-input",
        "no-python-version-warning",
        "no-warn-script-location",
        "progress-bar",
        "proxy",
        "quiet",
        "require-virtualenv",
        "resume-retries",
        "retries",
        "root-user-action",
        "timeout",
        "use-feature",
        "verbose",
    ]
)
_PLACES = frozenset(["index-url", "extra-index-url", "find-links", "no-index"])
_SWITCHES = frozenset(["prefer-binary", "require-hashes"])  # switched off, they are nothing
_UV_BINARY = ("no-binary", "only-binary")
# Options whose values are requirement files, by pip's name for them, and uv's variables for them.
_FILES = ("constraint", "build-constraint", "requirement")
_UV_FILES = {
    "UV_CONSTRAINT": "constraint",
    "UV_BUILD_CONSTRAINT": "build-constraint",
    "UV_OVERRIDE": "override",
    "UV_EXCLUDE": "exclude",
}
_UV_SETTINGS = frozenset(
    [
        "index",
        "index-url",
        "extra-index-url",
        "find-links",
        "no-index",
        "allow-insecure-host",
        "pip",
    ]
)
_NAMED = re.compile(r"(?:UV_INDEX|POETRY_HTTP_BASIC)_(\w+)_(USERNAME|PASSWORD)")


@dataclass(frozen=True, kw_only=True)
class Source:
    """An index or a place with wheels. `url` holds no credentials."""

    url: str
    name: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def authority(self) -> str:
        """The host, with its port where that is named."""
        return urlsplit(self.url).netloc

    @property
    def full_url(self) -> str:
        """With its credentials, escaped."""
        if not (self.user or self.password):
            return self.url
        userinfo = quote(self.user, safe="")
        if self.password:
            userinfo += ":" + quote(self.password, safe="")
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))


@dataclass(frozen=True, kw_only=True)
class PackageSources:
    """The build's configuration of indexes, whichever tool it was written for.

    `index` replaces the public index, and the default one of a lock or a manifest. `named` are
    credentials for indexes that the app names. `netrc` is text in netrc's form. `certificates` are
    PEM files of bindings. `pip_options` are pip's other options; `untranslated` those of them that
    uv lacks. `uv_choices` are uv's variables that change what it installs. `inputs` has a digest of
    what any of these names on this disk.
    """

    index: Source | None = None
    extra_indexes: tuple[Source, ...] = ()
    find_links: tuple[Source, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    netrc: str = field(default="", repr=False)
    certificates: tuple[bytes, ...] = ()
    pip_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    untranslated: tuple[str, ...] = ()
    uv_choices: Mapping[str, str] = field(default_factory=dict, repr=False)
    inputs: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        index = (self.index,) if self.index else ()
        return (*index, *self.extra_indexes, *self.find_links)

    @property
    def require_hashes(self) -> bool:
        return "require-hashes" in self.pip_options

    @property
    def key(self) -> tuple[str, ...]:
        """What of it counts for the installed set, without anything secret."""
        index = (f"index {without_tokens(self.index.url)}",) if self.index else ()
        return (
            *index,
            *(f"extra-index {without_tokens(source.url)}" for source in self.extra_indexes),
            *(f"find-links {without_tokens(source.url)}" for source in self.find_links),
            *(("no-index",) if self.no_index else ()),
            *(
                f"{name} {without_secrets(self.pip_options[name])}"
                for name in (*_UV_BINARY, "require-hashes", *self.untranslated)
                if name in self.pip_options
            ),
            *(f"{name} {without_secrets(value)}" for name, value in self.uv_choices.items()),
        )


def read_package_sources(
    environ: Mapping[str, str], bindings: Sequence[Binding], root: Path, *, prefer_uv: bool = False
) -> PackageSources:
    """Variables win over files, and files over bindings of type `pypi-index`.

    `root` is the app's, on which relative paths are based.
    Where both pip's and uv's variables name the index, pip's win, unless `prefer_uv`.
    Raises `UserError` for files and values that cannot be understood.
    """
    bound = [b.path / "pip.conf" for b in bindings if b.type == "pip"]
    options = read_pip_options(environ, config_files(environ, [p for p in bound if is_file(p)]))
    uv, warnings = _uv_table(bindings)
    pip_index = _parse("PIP_INDEX_URL", options.get("index-url", ""))
    uv_env = _parse("UV_DEFAULT_INDEX", environ.get("UV_DEFAULT_INDEX", "")) + _parse(
        "UV_INDEX_URL", environ.get("UV_INDEX_URL", "")
    )
    uv_default, uv_extra = _uv_indexes(uv)
    bound_indexes = _bound_indexes(bindings)
    is_pips = bool(environ.get("PIP_INDEX_URL")) and not prefer_uv
    order = (pip_index, uv_env) if is_pips else (uv_env, pip_index)
    candidates = [*order[0], *order[1], *uv_default, *bound_indexes[:1]]
    extra = [
        *_parse("PIP_EXTRA_INDEX_URL", options.get("extra-index-url", "")),
        *_parse("UV_INDEX", environ.get("UV_INDEX", "")),
        *_parse("UV_EXTRA_INDEX_URL", environ.get("UV_EXTRA_INDEX_URL", "")),
        *uv_extra,
        *bound_indexes[1:],
    ]
    links = [
        *_parse("PIP_FIND_LINKS", options.get("find-links", "")),
        *_parse("UV_FIND_LINKS", environ.get("UV_FIND_LINKS", "").replace(",", " ")),
        *(parse_source("uv.toml", str(link)) for link in _list(uv.get("find-links"))),
    ]
    no_index = (
        is_true(options.get("no-index", ""))
        or is_true(environ.get("UV_NO_INDEX", ""))
        or uv.get("no-index") is True
    )
    trusted = [
        *options.get("trusted-host", "").split(),
        *environ.get("UV_INSECURE_HOST", "").replace(",", " ").split(),
        *(str(host) for host in _list(uv.get("allow-insecure-host"))),
    ]
    named = {**_poetry_credentials(bindings), **_named_credentials(environ)}
    rest = {
        name: value
        for name, value in options.items()
        if name not in (*_PLACES, "trusted-host") and not (name in _SWITCHES and is_false(value))
    }
    if is_true(environ.get("UV_REQUIRE_HASHES", "")):
        rest["require-hashes"] = "1"
    choices = uv_variables.choices(environ)
    return PackageSources(
        index=with_named(candidates[0], named) if candidates else None,
        extra_indexes=tuple(dict.fromkeys(with_named(source, named) for source in extra)),
        find_links=tuple(dict.fromkeys(links)),
        no_index=no_index,
        trusted_hosts=tuple(dict.fromkeys(trusted)),
        named=named,
        netrc=_netrc_text(environ, bindings),
        certificates=tuple(
            _read(binding, key) for binding in bindings if binding.type == "ca-certificates"
            for key in binding.keys
        ),
        pip_options=rest,
        untranslated=tuple(
            sorted(set(rest) - _HARMLESS - set(_UV_BINARY) - {"require-hashes"})
        ),
        uv_choices=choices,
        inputs=_inputs(root, environ, rest, choices, links),
        warnings=warnings,
    )  # fmt: skip


def _inputs(
    root: Path,
    environ: Mapping[str, str],
    options: Mapping[str, str],
    choices: Mapping[str, str],
    links: Sequence[Source],
) -> dict[str, str]:
    files: dict[str, str] = {name: options[name] for name in _FILES if name in options}
    for variable, option in _UV_FILES.items():
        if variable in choices:
            files[option] = f"{files.get(option, '')} {choices[variable]}"
    places = [source.url for source in links if "://" not in source.url]
    if not files and not places:
        return {}
    from python_buildpack.packages.configured_files import digest_configured  # rare

    return digest_configured(root, environ, files, places)


def _parse(where: str, text: str) -> list[Source]:
    """URLs and paths, separated by white space; uv's may have the form `name=URL`."""
    found = []
    for word in text.split():
        name, equals, url = word.partition("=")
        if where.startswith("UV_") and equals and "://" in url and "://" not in name:
            found.append(parse_source(where, url, name))
        else:
            found.append(parse_source(where, word))
    return found


def parse_source(where: str, url: str, name: str = "") -> Source:
    """A URL or path as a source. Raises `UserError`, which names `where` and not the URL."""
    if "\0" in url:
        raise errors.index_url_invalid(where)
    if "//" not in url:
        return Source(url=url, name=name)
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        raise errors.index_url_invalid(where) from None
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    if parts.scheme in ("http", "https") and (not host or "@" in parts.path.split("/simple")[0]):
        raise errors.index_url_invalid(where)
    return Source(
        url=urlunsplit(parts._replace(netloc=host)),
        name=name,
        user=unquote(user),
        password=unquote(password),
    )


def _normal(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()


def with_named(source: Source, named: Mapping[str, tuple[str, str]]) -> Source:
    """`source` with the credentials of its name, where it brings none."""
    found = named.get(_normal(source.name)) if source.name else None
    if found is None or source.user or source.password:
        return source
    return Source(url=source.url, name=source.name, user=found[0], password=found[1])


def _named_credentials(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for variable, value in environ.items():
        match = _NAMED.fullmatch(variable)
        if match and value:
            found.setdefault(match[1].upper(), {})[match[2]] = value
    return {
        name: (fields.get("USERNAME", ""), fields.get("PASSWORD", ""))
        for name, fields in found.items()
    }


def _read(binding: Binding, key: str) -> bytes:
    try:
        return binding.read(key)
    except OSError as error:
        raise errors.binding_unreadable(binding.name, key, f"{error.strerror}.") from None


def _text(binding: Binding, key: str) -> str:
    if key not in binding.keys:
        return ""
    try:
        text = _read(binding, key).decode().strip()
    except UnicodeDecodeError:
        raise errors.binding_unreadable(binding.name, key, "It is not UTF-8 text.") from None
    if "\0" in text:
        raise errors.binding_unreadable(binding.name, key, "It holds a NUL character.")
    return text


def _toml(binding: Binding, key: str) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(binding, key))
    except (tomllib.TOMLDecodeError, RecursionError):
        raise errors.binding_unreadable(binding.name, key, "It is not valid TOML.") from None


def _bound_indexes(bindings: Sequence[Binding]) -> list[Source]:
    found = []
    for binding in bindings:
        if binding.type != "pypi-index":
            continue
        url = _text(binding, "url")
        if not url:
            raise errors.binding_unreadable(binding.name, "url", "It is missing or empty.")
        source = parse_source(f"the binding {binding.name}", url, binding.name)
        found.append(
            Source(
                url=source.url,
                name=source.name,
                user=_text(binding, "username") or source.user,
                password=_text(binding, "password") or source.password,
            )
        )
    return found


def _poetry_credentials(bindings: Sequence[Binding]) -> dict[str, tuple[str, str]]:
    """Of bindings with Poetry's auth.toml (or config.toml): `[http-basic.NAME]`."""
    found: dict[str, tuple[str, str]] = {}
    for binding in bindings:
        for key in ("config.toml", "auth.toml") if binding.type == "poetry" else ():
            table = _toml(binding, key).get("http-basic")
            for name, fields in table.items() if isinstance(table, dict) else ():
                if isinstance(fields, dict):
                    user, password = fields.get("username", ""), fields.get("password", "")
                    found[_normal(str(name))] = (str(user), str(password or ""))
    return found


def _uv_table(bindings: Sequence[Binding]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What uv.toml of a binding says about indexes, and a warning about the rest of it."""
    merged: dict[str, Any] = {}
    warnings: list[str] = []
    for binding in bindings:
        if binding.type != "uv":
            continue
        table = _toml(binding, "uv.toml")
        inner = table.get("pip")
        found = {**table, **inner} if isinstance(inner, dict) else table
        others = sorted(set(found) - _UV_SETTINGS)
        if others:
            warnings.append(
                f"uv.toml of the binding {binding.name}: only settings of indexes are used, "
                f"not {', '.join(others)}"
            )
        merged.update(found)
    return merged, tuple(warnings)


def _uv_indexes(table: Mapping[str, Any]) -> tuple[list[Source], list[Source]]:
    default: list[Source] = []
    extra: list[Source] = []
    for index in _list(table.get("index")):
        if not isinstance(index, dict) or not isinstance(index.get("url"), str):
            raise errors.index_url_invalid("uv.toml, [[index]]")
        source = parse_source("uv.toml", index["url"], str(index.get("name", "")))
        (default if index.get("default") is True else extra).append(source)
    if isinstance(table.get("index-url"), str):
        default.append(parse_source("uv.toml", table["index-url"]))
    extra += [parse_source("uv.toml", str(url)) for url in _list(table.get("extra-index-url"))]
    return default, extra


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _netrc_text(environ: Mapping[str, str], bindings: Sequence[Binding]) -> str:
    """The user's netrc and those of bindings, later ones last, where they win."""
    return "\n\n".join(_netrc_texts(environ, bindings))


def _netrc_texts(environ: Mapping[str, str], bindings: Sequence[Binding]) -> Iterator[str]:
    home = Path(environ.get("HOME") or "/")
    named = environ.get("NETRC")
    paths = [Path(named)] if named else [home / ".netrc", home / "_netrc"]
    for binding in bindings:
        if binding.type == "netrc":
            paths += [binding.path / name for name in (".netrc", "netrc")]
    for path in paths:
        try:
            if is_file(path):
                yield path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise errors.file_unreadable(str(path), "It is not UTF-8 text.") from None
        except OSError:
            continue  # a home directory that is not for this user
