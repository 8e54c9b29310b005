"""What Pipfile.lock pins, once it is known to be that of the Pipfile."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, Index, InstallSet
from python_buildpack.managers.local_projects import (
    digest_lines,
    digest_local_project,
    file_url_path,
)
from python_buildpack.managers.lock_fields import Fields
from python_buildpack.managers.pinned_lines import (
    by_index,
    direct,
    editable,
    normal_name,
    pinned,
    unnamed,
    vcs_url,
)
from python_buildpack.managers.pipenv import LOCK, MANIFEST, NAME
from python_buildpack.presence import is_dir
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

REPAIR = "pipenv lock"
# Every other table of a Pipfile is a category of packages.
_SECTIONS = frozenset(
    ["source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv"]
)
_UNHASHED = frozenset(["default", "develop"])
_CATEGORIES = {"packages": "default", "dev-packages": "develop", "dev": "develop"}
_VCS = ("git", "hg", "svn", "bzr")
_REVISION_IN_URL = re.compile(r"(?P<url>.*/[^/@]+)@(?P<revision>[^/@]+)")


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for a lock that is missing, stale or malformed, and an unknown category."""
    if LOCK not in files.names:
        raise errors.lock_missing(MANIFEST, LOCK, REPAIR)
    if MANIFEST not in files.names:
        raise errors.manifest_missing(LOCK, MANIFEST)
    manifest = Fields(file=MANIFEST, values=files.toml(MANIFEST), repair=REPAIR)
    lock = Fields(file=LOCK, values=files.json(LOCK), repair=REPAIR)
    meta = lock.table("_meta")
    locked_hash = meta.table("hash").optional_text("sha256")
    if locked_hash not in content_hashes(manifest, meta.values.get("sources")):
        raise errors.lock_stale(LOCK, MANIFEST, REPAIR)
    categories = ["default", *_known_categories(manifest, lock, settings.groups)]
    sources = manifest.tables("source") or meta.tables("sources")
    indexes = tuple(
        Index(
            name=source.optional_text("name") or "",
            url=source.text("url"),
            default=number == 0,
            verified=_verifies(source),
        )
        for number, source in enumerate(sources)
    )  # fmt: skip
    chosen: dict[str, _Locked] = {}
    for category in dict.fromkeys(categories):
        table = lock.table(category)
        for name in table.values:
            one = _locked(files, table, name, {index.name for index in indexes})
            key = canonicalize_name(name)
            chosen[key] = _both(chosen[key], one) if key in chosen else one
    everywhere = manifest.table("pipenv").flag("install_search_all_sources")
    return _declaration(files, list(chosen.values()), indexes, search_all=everywhere)


def content_hashes(manifest: Fields, locked_sources: object) -> set[str]:
    """What `_meta.hash.sha256` may be: package names count as written, or in their one spelling.

    Pipenv hashes its built-in source where the Pipfile names none; the lock says which that was.
    """
    sections = {
        name: manifest.table(name).values
        for name in manifest.values
        if name not in _SECTIONS - {"packages", "dev-packages"} and name not in _UNHASHED
    }
    sections = {_lock_name(name): values for name, values in sections.items()}
    meta = {
        "sources": manifest.values.get("source", locked_sources),
        "requires": manifest.values.get("requires", {}),
    }
    normal = {
        name: {canonicalize_name(key): value for key, value in values.items()}
        for name, values in sections.items()
    }
    empty: dict[str, Any] = {"default": {}, "develop": {}}
    return {_digest({"_meta": meta, **empty, **one}) for one in (normal, sections)}


def _lock_name(section: str) -> str:
    return {"packages": "default", "dev-packages": "develop"}.get(section, section)


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _known_categories(manifest: Fields, lock: Fields, wanted: Sequence[str]) -> list[str]:
    known = {_lock_name(name) for name in manifest.values if name not in _SECTIONS}
    known |= {name for name in lock.values if name != "_meta"} | {"default", "develop"}
    names = [_CATEGORIES.get(name, name) for name in wanted]
    missing = [name for name in names if name not in known]
    if missing:
        raise errors.groups_unknown(missing, sorted(known - {"default"}), LOCK)
    return names


def _verifies(source: Fields) -> bool:
    """`verify_ssl`, which may also be a string; without it only https is verified."""
    value = source.values.get("verify_ssl", True)
    return value if isinstance(value, bool) else str(value).lower() == "true"


@dataclass(frozen=True, kw_only=True)
class _Locked:
    """A package of the lock. `directory` is a project of the app's own, `index` a source's name."""

    name: str
    version: str
    line: str
    directory: str = ""
    editable: bool = False
    index: str = ""
    no_binary: bool = False


def _locked(files: AppFiles, category: Fields, name: str, indexes: Collection[str]) -> _Locked:
    if isinstance(category.values[name], str):
        # Locks of long ago.
        version = category.text(name)
        entry = Fields(file=LOCK, values={"version": version}, repair=REPAIR)
    else:
        entry = category.table(name)
    marker = _marker(entry)
    try:
        normal = normal_name(name)
        vcs = next((kind for kind in _VCS if kind in entry.values), None)
        if vcs is not None:
            return _Locked(name=normal, version="", line=_vcs_line(files, entry, name, vcs, marker))
        place = next((key for key in ("file", "path") if key in entry.values), None)
        if place is not None:
            return _placed(files, entry, normal, place, marker)
        version = (entry.optional_text("version") or "*").strip()
        index = entry.optional_text("index") or ""
        if index and index not in indexes:
            raise entry.error("index", f"is no source of the {MANIFEST}: {index!r}")
        return _Locked(
            name=normal,
            version=version.lstrip("="),
            line=_version_line(name, version, marker, entry.texts("hashes")),
            index=index,
            no_binary=entry.flag("no_binary"),
        )
    except ValueError as error:
        raise category.error(name, str(error)) from None


def _marker(entry: Fields) -> str:
    """Both of the kinds of markers that an entry may have."""
    markers = [entry.optional_text(key) or "" for key in ("markers", "os_markers")]
    given = [marker for marker in markers if marker.strip()]
    return " and ".join(f"({marker})" for marker in given) if len(given) > 1 else "".join(given)


def _version_line(name: str, version: str, marker: str, hashes: Sequence[str]) -> str:
    if re.fullmatch(r"={0,3}[^=*<>~!]+", version):
        return pinned(name, version.lstrip("=").strip(), marker, hashes)
    # Pipenv takes what is not pinned, too.
    try:
        specifier = SpecifierSet("" if version == "*" else version)
    except InvalidSpecifier:
        raise ValueError(f"has a version that no installer understands: {version!r}") from None
    return pinned(name, "0", marker, hashes).replace("===0", str(specifier), 1)


def _vcs_line(files: AppFiles, entry: Fields, name: str, kind: str, marker: str) -> str:
    if kind != "git":
        raise entry.error(kind, "is not supported: git is the only version control that is")
    url = entry.text(kind).partition("#")[0]
    revision = entry.optional_text("ref") or ""
    in_url = _REVISION_IN_URL.fullmatch(url)
    if in_url:
        url, revision = in_url["url"], revision or in_url["revision"]
    subdirectory = entry.optional_text("subdirectory") or ""
    return direct(name, vcs_url(kind, url, revision, subdirectory, files.root), marker)


def _placed(files: AppFiles, entry: Fields, name: str, key: str, marker: str) -> _Locked:
    """A URL, a file or a directory. Pipenv may lock it under a key that is not its name."""
    place = entry.text(key)
    hashes = entry.texts("hashes")
    if "://" in place and not place.startswith("file:"):
        return _Locked(name=name, version="", line=unnamed(place, marker, hashes))
    relative = file_url_path(place)
    path = files.root / relative
    if not relative or not files.holds(relative):
        raise errors.lock_path_missing(LOCK, name, place)
    if not is_dir(path):
        return _Locked(name=name, version="", line=unnamed(path.resolve().as_uri(), marker, hashes))
    is_editable = entry.flag("editable")
    target = path.resolve()
    return _Locked(
        name=name,
        version="",
        line=editable(target, marker) if is_editable else unnamed(target.as_uri(), marker),
        directory=os.path.normpath(relative),
        editable=is_editable,
    )


def _both(first: _Locked, second: _Locked) -> _Locked:
    """A package of two categories is installed where either of them needs it."""
    if first.line == second.line or first.version != second.version:
        return second
    return next((one for one in (first, second) if " ; " not in one.line), second)


def _declaration(
    files: AppFiles, chosen: Sequence[_Locked], indexes: tuple[Index, ...], *, search_all: bool
) -> Declaration:
    everywhere = [index.name for index in indexes if index.default or search_all]
    lines, pinned_to = by_index([(one.line, one.index) for one in chosen], everywhere)
    # A source that no package names serves none, as with Pipenv.
    indexes = tuple(i for i in indexes if i.name in everywhere or i.name in pinned_to)
    options = tuple(f"--no-binary {one.name}" for one in chosen if one.no_binary)
    used = [*(one.line for one in chosen), *options, *(f"{i.name} {i.url}" for i in indexes)]
    inputs = {LOCK: digest_lines([without_credentials(line) for line in used])}
    for one in chosen:
        if one.directory:
            name = f"{one.directory} (editable)" if one.editable else one.directory
            inputs[name] = digest_local_project(files.root, one.directory, editable=one.editable)
    return Declaration(
        manager=NAME,
        install=InstallSet(
            lines=(*lines, *options),
            built=tuple(one.directory for one in chosen if one.directory),
            locked=True,
            require_hashes=all(" --hash=" in one.line for one in chosen),
            indexes=indexes,
            pinned=pinned_to,
        ),
        inputs=inputs,
        shown={
            LOCK: tuple(
                f"{one.name}=={one.version}"
                if one.version
                else without_credentials(one.line.partition(" --hash=")[0])
                for one in chosen
            )
        },
    )
