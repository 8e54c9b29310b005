"""uv.lock: uv itself checks it and says what of it is installed; here is what that depends on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, Index, InstallSet
from python_buildpack.managers.local_projects import digest_local_project, digest_tables
from python_buildpack.managers.lock_fields import Fields
from python_buildpack.managers.names import pep503_name
from python_buildpack.managers.uv import BUILDING, NAME
from python_buildpack.managers.uv_workspace import LOCK, MANIFEST, lock_above
from python_buildpack.presence import is_file
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

REPAIR = "uv lock"
_VERSION = 1
_SOURCES = ("registry", "git", "url", "path", "directory", "editable", "virtual")
_LOCAL = frozenset({"path", "directory", "editable", "virtual"})


@dataclass(frozen=True, kw_only=True)
class Package:
    """A `[[package]]` of the lock. `needs` is under `""`, `extra:NAME` and `group:NAME`."""

    name: str
    version: str
    kind: str
    location: str
    table: Mapping[str, Any]
    needs: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]
    extras: tuple[str, ...]


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for files that cannot be understood, and for what the lock lacks.

    Whether the lock fits the manifests is for uv to say, before it installs anything.
    """
    name = LOCK if LOCK in files.names else next(iter(lock_above(files)), LOCK)
    place = name.removesuffix(LOCK)
    lock = Fields(file=name, values=files.toml(name), repair=REPAIR)
    _check_version(lock)
    if not is_file(files.root / place / MANIFEST):
        raise errors.manifest_missing(name, f"{place}{MANIFEST}")
    packages = tuple(_read_packages(lock))
    chosen = _choose(packages, files, place, settings)
    manifests = [files.toml(f"{place}{_join(one.location, MANIFEST)}") for one in chosen]
    _check_names(
        settings, manifests or [files.toml(f"{place}{MANIFEST}")], chosen, f"{place}{MANIFEST}"
    )
    reached = _reachable(packages, _starts(lock, chosen, settings))
    local = [one for one in reached if one.kind in _LOCAL]
    uv_tables = list(_uv_tables(files, place, chosen))
    return Declaration(
        manager=NAME,
        install=InstallSet(
            locked=True,
            lock=name,
            uv_export=(
                *(word for one in settings.uv_packages for word in ("--package", one)),
                *(word for one in settings.extras for word in ("--extra", one)),
                *(word for one in settings.groups for word in ("--group", one)),
            ),
            built=_built(place, local),
            indexes=_indexes(reached, uv_tables),
            uv_settings={
                key: table[key] for table in reversed(uv_tables) for key in BUILDING if key in table
            },
        ),
        inputs={
            name: _digest(lock, reached),
            **_manifest_inputs(files, place),
            **_local_inputs(files, name, place, local),
        },
        shown={name: tuple(_shown(reached))},
    )


def read_script(
    files: AppFiles, script: str, uv_table: Mapping[str, Any]
) -> tuple[InstallSet, dict[str, str], dict[str, tuple[str, ...]]]:
    """The lock beside a script: what is installed, its inputs, what is shown. Raises as `read`.

    `uv_table` is [tool.uv] of the script's metadata.
    """
    name = f"{script}.lock"
    place = script.removesuffix(script.rpartition("/")[2])
    lock = Fields(file=name, values=files.toml(name), repair=f"{REPAIR} --script {script}")
    _check_version(lock)
    packages = tuple(_read_packages(lock))
    local = [one for one in packages if one.kind in _LOCAL]
    install = InstallSet(
        locked=True,
        lock=name,
        uv_export=("--script", script),
        built=_built(place, local),
        indexes=_indexes(packages, [uv_table]),
        uv_settings={key: uv_table[key] for key in BUILDING if key in uv_table},
    )
    inputs = {name: _digest(lock, packages), **_local_inputs(files, name, place, local)}
    return install, inputs, {name: tuple(_shown(packages))}


def _check_version(lock: Fields) -> None:
    version = lock.values.get("version")
    if version != _VERSION:
        known = f"version {_VERSION}"
        raise errors.lock_version_unknown(lock.file, str(version), known, lock.repair)


def _built(place: str, local: Sequence[Package]) -> tuple[str, ...]:
    return tuple(f"{place}{one.location}" for one in local if one.kind in ("directory", "editable"))


def _read_packages(lock: Fields) -> Iterator[Package]:
    for table in lock.tables("package"):
        source = table.table("source")
        kinds = [kind for kind in _SOURCES if kind in source.values]
        if len(kinds) != 1:
            raise table.error("source", "is of a kind that this buildpack does not know")
        needs = {"": tuple(_read_needs(table, "dependencies"))}
        for kind, key in (("extra", "optional-dependencies"), ("group", "dev-dependencies")):
            group = table.table(key)
            for name in group.values:
                needs[f"{kind}:{pep503_name(name)}"] = tuple(_read_needs(group, name))
        yield Package(
            name=pep503_name(table.text("name")),
            version=table.optional_text("version") or "",
            kind=kinds[0],
            location=source.text(kinds[0]),
            table=table.values,
            needs=needs,
            extras=(
                *table.table("metadata").texts("provides-extras"),
                *table.table("optional-dependencies").values,
            ),
        )


def _read_needs(table: Fields, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for need in table.tables(key):
        yield (
            pep503_name(need.text("name")),
            tuple(pep503_name(extra) for extra in need.texts("extra")),
        )


def _choose(
    packages: Sequence[Package], files: AppFiles, place: str, settings: Settings
) -> tuple[Package, ...]:
    """The members to install: those that are named, else the project in the app's root.

    None where a workspace's root is no project, and only groups of it are wanted.
    """
    members = {
        one.name: one for one in packages if one.kind in ("editable", "virtual", "directory")
    }
    if settings.uv_packages:
        unknown = [name for name in settings.uv_packages if pep503_name(name) not in members]
        if unknown:
            raise errors.workspace_member_unknown(unknown, sorted(members), f"{place}{LOCK}")
        return tuple(members[pep503_name(name)] for name in settings.uv_packages)
    own = os.path.relpath(files.root, os.path.normpath(files.root / place))
    chosen = tuple(one for one in members.values() if os.path.normpath(one.location) == own)
    if chosen or (settings.groups and own == "."):
        return chosen
    if "project" in files.toml(MANIFEST):
        raise errors.lock_stale(f"{place}{LOCK}", MANIFEST, REPAIR)
    raise errors.workspace_member_needed(f"{place}{LOCK}", sorted(members))


def _check_names(
    settings: Settings,
    manifests: Sequence[Mapping[str, Any]],
    chosen: Sequence[Package],
    where: str,
) -> None:
    """Raises `UserError` for groups and extras that no chosen member has."""
    # The lock alone knows those that a backend tells (`dynamic`).
    extras = {extra for one in chosen for extra in one.extras}
    groups: set[str] = set()
    for manifest in manifests:
        fields = Fields(file=where, values=manifest, repair=REPAIR)
        extras.update(fields.table("project").table("optional-dependencies").values)
        groups.update(fields.table("dependency-groups").values)
        if "dev-dependencies" in fields.table("tool").table("uv").values:
            groups.add("dev")
    for wanted, known, error in (
        (settings.groups, groups, errors.groups_unknown),
        (settings.extras, extras, errors.extras_unknown),
    ):
        missing = [name for name in wanted if pep503_name(name) not in map(pep503_name, known)]
        if missing:
            raise error(missing, sorted(known), where)


def _starts(lock: Fields, chosen: Sequence[Package], settings: Settings) -> list[tuple[str, str]]:
    """Pairs of a package and the key of its needs, from which the installed set is reached."""
    keys = (
        "",
        *(f"extra:{pep503_name(extra)}" for extra in settings.extras),
        *(f"group:{pep503_name(group)}" for group in settings.groups),
    )
    starts = [(one.name, key) for one in chosen for key in keys]
    if not chosen:
        groups = lock.table("manifest").table("dependency-groups")
        for group in groups.values:
            for name, extras in _read_needs(groups, group):
                starts += [(name, ""), *((name, f"extra:{extra}") for extra in extras)]
    return starts


def _reachable(packages: Sequence[Package], starts: Sequence[tuple[str, str]]) -> list[Package]:
    """All that may be installed from `starts` on some platform; forks of a package all count."""
    by_name: dict[str, list[Package]] = {}
    for one in packages:
        by_name.setdefault(one.name, []).append(one)
    seen: set[tuple[str, str]] = set()
    queue = list(starts)
    while queue:
        step = queue.pop()
        if step in seen:
            continue
        seen.add(step)
        for package in by_name.get(step[0], ()):
            for name, extras in package.needs.get(step[1], ()):
                queue += [(name, ""), *((name, f"extra:{extra}") for extra in extras)]
    names = {name for name, _ in seen}
    return [one for one in packages if one.name in names]


def _uv_tables(
    files: AppFiles, place: str, chosen: Sequence[Package]
) -> Iterator[Mapping[str, Any]]:
    """uv's own settings, the more important ones first."""
    if is_file(files.root / place / "uv.toml"):
        # It takes the place of the root manifest's table.
        yield files.toml(f"{place}uv.toml")
    for name in dict.fromkeys([MANIFEST, *(_join(one.location, MANIFEST) for one in chosen)]):
        fields = Fields(file=f"{place}{name}", values=files.toml(f"{place}{name}"), repair=REPAIR)
        yield fields.table("tool").table("uv").values


def _indexes(reached: Sequence[Package], tables: Sequence[Mapping[str, Any]]) -> tuple[Index, ...]:
    """The registries of the lock, with the names that the manifests give them.

    The one without an entry in the manifests is the default one.
    """
    entries = {
        str(entry["url"]).rstrip("/"): entry
        for table in reversed(tables)
        for entry in _list(table.get("index"))
        if isinstance(entry, Mapping) and "url" in entry
    }
    unnamed = {
        str(url).rstrip("/") for table in tables for url in _list(table.get("extra-index-url"))
    }
    urls = dict.fromkeys(
        one.location for one in reached if one.kind == "registry" and "://" in one.location
    )
    indexes = []
    for url in urls:
        entry = entries.get(url.rstrip("/"))
        default = entry.get("default") is True if entry else url.rstrip("/") not in unnamed
        indexes.append(Index(name=str((entry or {}).get("name", "")), url=url, default=default))
    return tuple(indexes)


def _digest(lock: Fields, reached: Sequence[Package]) -> str:
    """Of what the installed set depends on: other members of a workspace change on their own."""
    kept = {key: value for key, value in lock.values.items() if key not in ("package", "revision")}
    manifest = kept.pop("manifest", None)
    if isinstance(manifest, Mapping):
        kept["manifest"] = {key: value for key, value in manifest.items() if key != "members"}
    text = json.dumps([kept, [one.table for one in reached]], sort_keys=True, default=str)
    return hashlib.sha256(without_credentials(text).encode()).hexdigest()


def _manifest_inputs(files: AppFiles, place: str) -> dict[str, str]:
    inputs = {f"{place}{MANIFEST}": digest_tables(files.toml(f"{place}{MANIFEST}"))}
    if is_file(files.root / place / "uv.toml"):
        inputs[f"{place}uv.toml"] = digest_tables(files.toml(f"{place}uv.toml"))
    return inputs


def _local_inputs(
    files: AppFiles, lock: str, place: str, local: Sequence[Package]
) -> dict[str, str]:
    inputs: dict[str, str] = {}
    for one in local:
        path = os.path.normpath(f"{place}{one.location}")
        if not files.holds(path):
            raise errors.lock_path_missing(lock, one.name, path)
        if one.kind == "virtual":
            name = f"{place}{_join(one.location, MANIFEST)}"
            inputs[name] = digest_tables(files.toml(name))
        else:
            editable = one.kind == "editable"
            label = f"{path} (editable)" if editable else path
            inputs[label] = digest_local_project(files.root, path, editable=editable)
    return inputs


def _shown(reached: Sequence[Package]) -> Iterator[str]:
    for one in reached:
        if one.kind in ("registry", "git", "url"):
            origin = "" if one.kind == "registry" else f" @ {without_credentials(one.location)}"
            yield f"{one.name}=={one.version}" if not origin else f"{one.name}{origin}"


def _join(folder: str, name: str) -> str:
    return name if os.path.normpath(folder) == "." else f"{os.path.normpath(folder)}/{name}"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
