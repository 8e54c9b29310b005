"""Poetry: pyproject.toml and poetry.lock, of every format that Poetry 2 still installs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from packaging.version import InvalidVersion, Version

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, Index, InstallSet
from python_buildpack.managers.local_projects import (
    digest_lines,
    digest_local_project,
    digest_tables,
    root_project,
)
from python_buildpack.managers.lock_fields import Fields
from python_buildpack.managers.names import pep503_name
from python_buildpack.managers.pinned_lines import (
    binary_options,
    by_index,
    direct,
    editable,
    normal_name,
    pinned,
    vcs_url,
)
from python_buildpack.managers.poetry import LOCK, MANIFEST, NAME
from python_buildpack.managers.python_spans import LINUX, PythonSpans
from python_buildpack.redact import without_credentials
from python_buildpack.runtime.version_syntax import from_poetrys, is_poetrys
from python_buildpack.settings import Settings

CONFIG = "poetry.toml"
REPAIR = "poetry lock"
_FORMATS = "1.0 to 2.1"
# What the content hash covers; those of the first list count as null where they are absent.
_ALWAYS_HASHED = ("dependencies", "source", "extras", "dev-dependencies")
_HASHED = (*_ALWAYS_HASHED, "group")
_PROJECT_HASHED = ("requires-python", "dependencies", "optional-dependencies")
# Without this table setuptools would build the project, which reads nothing of Poetry's.
_BUILD_SYSTEM = """[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
_GENERATOR = re.compile(r"Poetry (\S+)")
# Changing one of these tables installs nothing else: the lock says what a group needs.
_NOT_BUILT = ("group", "dev-dependencies", "source")


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for files that cannot be understood, a stale lock, an unknown group."""
    if MANIFEST not in files.names:
        raise errors.manifest_missing(LOCK, MANIFEST)
    manifest = Fields(file=MANIFEST, values=files.toml(MANIFEST), repair=REPAIR)
    lock = Fields(file=LOCK, values=files.toml(LOCK), repair=REPAIR)
    lock_format = _lock_format(lock)
    generator = _GENERATOR.search(files.text(LOCK).partition("\n")[0])
    hashes = content_hashes(
        manifest.values, lock_format=lock_format, generator=generator[1] if generator else ""
    )
    if lock.table("metadata").optional_text("content-hash") not in hashes:
        raise errors.lock_stale(LOCK, MANIFEST, REPAIR)
    groups = _known_groups(manifest, settings.groups)
    extras = _known_extras(lock, settings.extras)
    packages = lock.tables("package")
    machine = {**LINUX, **_machine()}
    if lock_format >= (2, 1):
        markers = _markers_of_groups(packages, {"main", *groups}, extras, machine)
    else:
        markers = _markers_of_graph(packages, manifest, lock, groups, extras, machine)
    chosen = [
        _locked(files, lock, package, marker)
        for package, marker in zip(packages, markers, strict=True)
        if marker is not None
    ]
    options = binary_options(
        _policy(files, settings, "no-binary"),
        _policy(files, settings, "only-binary"),
        (one.name for one in chosen if one.is_from_index),
    )
    return _declaration(files, manifest, chosen, options)


def _policy(files: AppFiles, settings: Settings, name: str) -> tuple[str, ...]:
    """Names, or `:all:`, of Poetry's setting `installer.NAME`: of its variable, or its own file."""
    value: object = settings.environ.get(f"POETRY_INSTALLER_{name.upper().replace('-', '_')}")
    if value is None and CONFIG in files.names:
        repair = f"poetry config --local --unset installer.{name}"
        config = Fields(file=CONFIG, values=files.toml(CONFIG), repair=repair)
        installer = config.table("installer")
        value = installer.values.get(name)
        if isinstance(value, list):
            return installer.texts(name)
    words = str(value or "").lower()
    if words in ("true", "1"):
        return (":all:",)
    return () if words in ("false", "0") else tuple(filter(None, re.split(r"[\s,]+", words)))


def _machine() -> dict[str, str]:
    system = os.uname()
    return {
        "platform_machine": system.machine,
        "platform_release": system.release,
        "platform_version": system.version,
    }


def _lock_format(lock: Fields) -> tuple[int, ...]:
    text = lock.table("metadata").optional_text("lock-version")
    if text is None:
        raise errors.lock_version_unknown(LOCK, "of before Poetry 1.1", _FORMATS, REPAIR)
    try:
        release = Version(text).release
    except InvalidVersion:
        release = (0,)
    if release[0] not in (1, 2):
        raise errors.lock_version_unknown(LOCK, text[:40], _FORMATS, REPAIR)
    return (release[0], release[1] if len(release) > 1 else 0)


def content_hashes(
    manifest: Mapping[str, Any], *, lock_format: tuple[int, ...], generator: str
) -> set[str]:
    """What `content-hash` may be: as Poetry 2 computes it, and as the lock's own Poetry did.

    Before 2.3 [dependency-groups] did not count; before format 2.1 (Poetry 1) nothing outside
    [tool.poetry] did.
    """
    found = {_content_hash(manifest, with_project=True, with_groups=True)}
    try:
        old = bool(generator) and Version(generator) < Version("2.3.0")
    except InvalidVersion:
        old = False
    if old:
        found.add(_content_hash(manifest, with_project=True, with_groups=False))
    if lock_format < (2, 1):
        found.add(_content_hash(manifest, with_project=False, with_groups=False))
    return found


def _content_hash(manifest: Mapping[str, Any], *, with_project: bool, with_groups: bool) -> str:
    project = _table(manifest, "project") if with_project else {}
    groups = _table(manifest, "dependency-groups") if with_groups else {}
    poetry = _table(_table(manifest, "tool"), "poetry")
    of_project = {name: project[name] for name in _PROJECT_HASHED if name in project}
    of_poetry = {
        name: poetry.get(name)
        for name in _HASHED
        if name in poetry or (name in _ALWAYS_HASHED and not of_project and not groups)
    }
    content: dict[str, Any] = {}
    if of_project:
        content["project"] = of_project
    if groups:
        content["dependency-groups"] = groups
    content = {**content, "tool": {"poetry": of_poetry}} if content else of_poetry
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    return value if isinstance(value, Mapping) else {}


def _poetry(manifest: Fields) -> Fields:
    return manifest.table("tool").table("poetry")


def _known_groups(manifest: Fields, wanted: Sequence[str]) -> tuple[str, ...]:
    poetry = _poetry(manifest)
    known = {
        *poetry.table("group").values,
        *manifest.table("dependency-groups").values,
        *(["dev"] if "dev-dependencies" in poetry.values else []),
        "main",
    }
    missing = [
        name for name in wanted if pep503_name(name) not in {pep503_name(one) for one in known}
    ]
    if missing:
        raise errors.groups_unknown(missing, sorted(known - {"main"}), MANIFEST)
    return tuple(pep503_name(name) for name in wanted)


def _known_extras(lock: Fields, wanted: Sequence[str]) -> frozenset[str]:
    known = lock.table("extras").values
    missing = [
        name for name in wanted if pep503_name(name) not in {pep503_name(one) for one in known}
    ]
    if missing:
        raise errors.extras_unknown(missing, sorted(known), LOCK)
    return frozenset(pep503_name(name) for name in wanted)


def _markers_of_groups(
    packages: Sequence[Fields],
    groups: Collection[str],
    extras: frozenset[str],
    machine: Mapping[str, str],
) -> list[str | None]:
    """For each package the marker under which one of the groups needs it; None: none does."""
    markers: list[list[str]] = []
    for package in packages:
        value = package.values.get("markers", "")
        by_group = package.table("markers") if isinstance(value, Mapping) else None
        markers.append(
            [
                (by_group.optional_text(group) or "")
                if by_group
                else package.optional_text("markers") or ""
                for group in package.texts("groups")
                if pep503_name(group) in groups
            ]
        )
    spans = PythonSpans({one for several in markers for one in several}, machine)
    found: list[str | None] = []
    for package, several in zip(packages, markers, strict=True):
        try:
            where = [spans.where(marker, extras) for marker in several]
        except ValueError as error:
            raise package.error("markers", f"cannot be understood: {error}") from None
        found.append(spans.marker([any(one) for one in zip(*where, strict=True)] or [False]))
    return found


def _markers_of_graph(
    packages: Sequence[Fields],
    manifest: Fields,
    lock: Fields,
    groups: Collection[str],
    extras: frozenset[str],
    machine: Mapping[str, str],
) -> list[str | None]:
    """The same for formats before 2.1, whose packages name no groups."""
    from python_buildpack.managers import poetry_graph  # newer locks do without

    poetry = _poetry(manifest)
    root = list(poetry_graph.read_edges(poetry.table("dependencies")))
    for name in poetry.table("group").values:
        if pep503_name(name) in groups:
            group = poetry.table("group").table(name)
            root += poetry_graph.read_edges(group.table("dependencies"))
    if "dev" in groups:
        root += poetry_graph.read_edges(poetry.table("dev-dependencies"))
    nodes = [poetry_graph.read_node(package) for package in packages]
    spans = PythonSpans(poetry_graph.texts(nodes, root), machine)
    known = lock.table("extras")
    try:
        wanted = {
            name
            for extra in known.values
            if pep503_name(extra) in extras
            for name in poetry_graph.names_in(known.texts(extra))
        }
        return [spans.marker(where) for where in poetry_graph.walk(nodes, root, wanted, spans)]
    except ValueError as error:
        raise lock.error("package", f"holds a marker that cannot be understood: {error}") from None


@dataclass(frozen=True, kw_only=True)
class _Locked:
    """A package that is to be installed. `directory` is a project of the app's own."""

    name: str
    version: str
    line: str
    directory: str = ""
    editable: bool = False
    is_from_index: bool = False
    index: Index | None = None


def _locked(files: AppFiles, lock: Fields, package: Fields, marker: str) -> _Locked:
    name, version = package.text("name"), package.text("version")
    source = package.table("source")
    kind, url = source.optional_text("type"), source.optional_text("url") or ""
    subdirectory = source.optional_text("subdirectory") or ""
    hashes = _hashes(lock, package, name, kind)
    try:
        if kind in (None, "legacy", "pypi"):
            index = None
            if kind == "legacy":
                index = Index(name=source.text("reference"), url=url, default=False)
            line = pinned(name, version, marker, hashes)
            return _Locked(
                name=normal_name(name), version=version, line=line, index=index, is_from_index=True
            )
        if kind == "git":
            revision = source.optional_text("resolved_reference") or source.text("reference")
            url = vcs_url("git", url, revision, subdirectory, files.root)
            hashes = ()
        elif kind in ("file", "directory"):
            if not url or not files.holds(url):
                raise errors.lock_path_missing(LOCK, name, url)
            url = (files.root / url).resolve().as_uri()
        elif kind != "url":
            raise source.error("type", f"is not known: {kind[:40]!r}")
        if kind in ("url", "file") and subdirectory:
            url = f"{url.partition('#')[0]}#subdirectory={quote(subdirectory)}"
        is_editable = kind == "directory" and package.flag("develop")
        line = (
            editable((files.root / source.text("url")).resolve(), marker)
            if is_editable
            else direct(name, url, marker, hashes)
        )
        return _Locked(
            name=normal_name(name),
            version=version,
            line=line,
            directory=os.path.normpath(source.text("url")) if kind == "directory" else "",
            editable=is_editable,
        )
    except ValueError as error:
        raise package.error("name", str(error)) from None


def _hashes(lock: Fields, package: Fields, name: str, kind: str | None) -> tuple[str, ...]:
    """A package's hashes: formats 2 keep them with it, older ones in a table of their own."""
    if kind in ("git", "directory"):
        return ()
    metadata = lock.table("metadata")
    if "files" in package.values:
        found = [file.text("hash") for file in package.tables("files")]
    elif "files" in metadata.values:
        found = [file.text("hash") for file in metadata.table("files").tables(name)]
    else:
        found = [f"sha256:{text}" for text in metadata.table("hashes").texts(name)]
    return tuple(dict.fromkeys(found))


def _declaration(
    files: AppFiles, manifest: Fields, chosen: Sequence[_Locked], options: Sequence[str]
) -> Declaration:
    poetry = _poetry(manifest)
    indexes = _indexes(poetry, chosen)
    lines, pinned_to = by_index(
        [(one.line, one.index.name if one.index else "") for one in chosen],
        {index.name for index in indexes if index.default},
    )
    used = [*(one.line for one in chosen), *options, *(f"{one.name} {one.url}" for one in indexes)]
    inputs = {LOCK: digest_lines([without_credentials(line) for line in used])}
    for one in chosen:
        if one.directory:
            name = f"{one.directory} (editable)" if one.editable else one.directory
            inputs[name] = digest_local_project(files.root, one.directory, editable=one.editable)
    roots: tuple[str, ...] = ()
    stand_in = ""
    if poetry.flag("package-mode", default=True):
        roots = (".",)
        inputs.update(_root_inputs(files, poetry))
        stand_in = _stand_in(files, manifest)
    return Declaration(
        manager=NAME,
        install=InstallSet(
            lines=(*lines, *options),
            editables=roots,
            built=(*roots, *(one.directory for one in chosen if one.directory)),
            manifest=stand_in,
            locked=True,
            require_hashes=not roots and all(" --hash=" in one.line for one in chosen),
            indexes=indexes,
            pinned=pinned_to,
        ),
        inputs=inputs,
        shown={LOCK: tuple(f"{one.name}=={one.version}" for one in chosen)},
        notices=(
            f"{MANIFEST} has no [build-system]: poetry-core builds the project, as with Poetry. An app "
            "that is no package says package-mode = false in [tool.poetry].",
        )
        if roots and "build-system" not in manifest.values
        else (),
    )


def _stand_in(files: AppFiles, manifest: Fields) -> str:
    """The manifest as other tools take it, from which uv builds; '' where they take it as it is."""
    own = text = files.text(MANIFEST)
    requires = _table(manifest.values, "project").get("requires-python")
    if isinstance(requires, str) and is_poetrys(requires):
        # Of several ranges there is no such form: which Python it is, is decided without it.
        meant = from_poetrys(requires) or ">=3"
        written = re.compile(rf"""(\brequires-python["']?\s*=\s*)(["']){re.escape(requires)}\2""")
        text = written.sub(lambda found: f'{found[1]}"{meant}"', text, count=1)
    if "build-system" not in manifest.values:
        text += f"\n{_BUILD_SYSTEM}"
    return "" if text == own else text


def _root_inputs(files: AppFiles, poetry: Fields) -> dict[str, str]:
    """What installing the project itself depends on: the lock holds its dependencies."""
    root = root_project(files, NAME, extras=())
    inputs = {name: digest for name, digest in root.inputs.items() if name != MANIFEST}
    table = dict(files.toml(MANIFEST))
    table.pop("dependency-groups", None)
    built = {name: value for name, value in poetry.values.items() if name not in _NOT_BUILT}
    table["tool"] = {**_table(table, "tool"), "poetry": built}
    inputs[MANIFEST] = digest_tables(table)
    if "build" in poetry.values:
        inputs["the project's source"] = digest_local_project(files.root, ".", editable=False)
    return inputs


def _indexes(poetry: Fields, chosen: Sequence[_Locked]) -> tuple[Index, ...]:
    """The indexes that packages were locked from, the default first where it is not the public one.

    A primary source takes the public index's place, unless pyproject.toml or the lock uses both.
    """
    primary = [
        Index(name=source.text("name"), url=source.optional_text("url") or "", default=True)
        for source in poetry.tables("source")
        if source.optional_text("priority") in (None, "primary", "default")
        and not source.flag("secondary")
    ]
    public = any(one.is_from_index and one.index is None for one in chosen)
    used = dict.fromkeys(one.index for one in chosen if one.index is not None)
    if public or not primary or any(pep503_name(index.name) == "pypi" for index in primary):
        return tuple(used)
    return (primary[0], *(index for index in used if index.name != primary[0].name))
