"""The indexes that serve an app: those that its lock or manifest names, and the build's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from python_buildpack import errors
from python_buildpack.managers.declaration import Index
from python_buildpack.packages.package_sources import (
    PackageSources,
    Source,
    parse_source,
    with_named,
)
from python_buildpack.packages.variables_in_urls import VARIABLE


@dataclass(frozen=True, kw_only=True)
class AppIndexes:
    """The index of an app, those beside it, and by name those that serve certain packages alone.

    `unverified` are hosts whose certificates may be any.
    """

    index: Source | None = None
    extra: tuple[Source, ...] = ()
    pinned: Mapping[str, Source] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        index = (self.index,) if self.index else ()
        return (*index, *self.extra, *self.pinned.values())


def app_indexes(
    sources: PackageSources,
    indexes: Iterable[Index],
    environ: Mapping[str, str],
    pinned: Collection[str] = (),
) -> AppIndexes:
    """What serves an app whose lock or manifest names `indexes`; `pinned` are names among them.

    A configured index takes the place of the public one and of the app's default ones; the others
    stay. Raises `UserError` for a variable in a URL that is not set.
    """
    if sources.no_index:
        return AppIndexes(index=sources.index, extra=sources.extra_indexes)
    own = [
        (index, _expanded(index, sources.named, environ))
        for index in indexes
        if sources.index is None or not index.default
    ]
    default = next((source for index, source in own if index.default), sources.index)
    others = [source for index, source in own if source is not default and index.name not in pinned]
    return AppIndexes(
        index=default,
        extra=tuple(dict.fromkeys((*others, *sources.extra_indexes))),
        pinned={index.name: source for index, source in own if index.name in pinned},
        unverified=tuple(
            dict.fromkeys(source.authority for index, source in own if not index.verified)
        ),
    )


def _expanded(
    index: Index, named: Mapping[str, tuple[str, str]], environ: Mapping[str, str]
) -> Source:
    where = f"the index {index.name}" if index.name else "an index of the app"

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in environ:
            raise errors.index_variable_missing(where, name)
        return environ[name]

    def expand(text: str) -> str:
        return VARIABLE.sub(value, text)

    scheme, separator, rest = index.url.partition("://")
    authority, slash, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    source = parse_source(where, expand(f"{scheme}{separator}{host}{slash}{path}"), index.name)
    if at:
        # The values of variables are not escaped; what the file itself holds is.
        user, _, password = userinfo.partition(":")
        source = Source(
            url=source.url,
            name=index.name,
            user=VARIABLE.sub(value, unquote(user)),
            password=VARIABLE.sub(value, unquote(password)),
        )
    return with_named(source, named)
