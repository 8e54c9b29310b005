"""What every package manager's module gives: one form for all of them. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index that a lock or a manifest names. `url` is as written: it may hold `${VAR}`.

    `default` takes the public index's place. `verified` is false where its certificate may be any.
    """

    name: str
    url: str
    default: bool
    verified: bool = True


@dataclass(frozen=True, kw_only=True)
class InstallSet:
    """What is to be installed, in the terms of requirement files.

    `files` are read by the installer itself, relative to the app's root; `lines` are written to a
    file of ours. `editables` are projects of the app (`.` or `libs/a[extra]`), `built` the
    directories in which something is built.
    `manifest` is what pyproject.toml in the app's root holds meanwhile, where its own tool builds
    what no other one would.
    `locked`: the set is complete, nothing is to be resolved.
    `urls` are lines of `files` with URLs or variables, as they are written.
    `hashed` names the requirements of `files` that state a hash themselves.
    `pip_only` names what uv could not do the same way; where it is empty uv installs. `uv_only`
    names what pip would pass over, so that it must not install.
    `own_index`: `files` name the index themselves, which pip prefers to a configured one.
    `indexes` are the app's own, used where the build's configuration does not replace them.
    `pinned` maps an index (its name) to further lines, which it alone may serve.
    `lock` names a file (PEP 751) that is installed as it is, with `groups` and `extras` of it; with
    `uv_export`, options of `uv export`, it is a uv.lock, from which uv writes such a file.
    `uv_settings` are settings of uv's that the app's manifest has for building and choosing.
    """

    files: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    editables: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    manifest: str = field(default="", repr=False)
    locked: bool = False
    require_hashes: bool = False
    urls: tuple[str, ...] = ()
    hashed: frozenset[str] = frozenset()
    pip_only: tuple[str, ...] = ()
    uv_only: str = ""
    own_index: bool = False
    indexes: tuple[Index, ...] = ()
    lock: str = ""
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    pinned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uv_export: tuple[str, ...] | None = None
    uv_settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the app declares. Digests, and the lines that are shown, hold no credentials.

    `inputs`: a name for the user -> digest; all of them are part of the `venv` layer's key.
    `shown`: file -> requirement lines, so that a rebuild can name what was added and removed.
    """

    manager: str
    install: InstallSet | None
    inputs: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
