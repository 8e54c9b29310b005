"""pylock.toml and pylock.NAME.toml (PEP 751)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, Index, InstallSet
from python_buildpack.managers.local_projects import digest_local_project
from python_buildpack.managers.names import pep503_name
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

NAME = "pylock"
ADD_PACKAGE = "Require it where the lock is made from, and lock again: {package}"
SETTINGS = ("BP_PYTHON_GROUPS", "BP_PYTHON_EXTRAS", "BP_PYLOCK")
FILE = "pylock.toml"
REPAIR = "the tool that made it"
_STRONG = frozenset({"sha256", "sha384", "sha512"})


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The file that BP_PYLOCK names, else pylock.toml, else all the named ones."""
    if settings.pylock:
        return tuple(name for name in _spellings(settings.pylock) if name in names)
    if FILE in names:
        return (FILE,)
    return tuple(sorted(name for name in names if _is_named(name)))


def _is_named(name: str) -> bool:
    words = name.split(".")
    return len(words) == 3 and words[0] == "pylock" and words[1] != "" and words[2] == "toml"


def _spellings(pylock: str) -> tuple[str, str]:
    return pylock, f"pylock.{pylock}.toml"


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for a file that is no valid lock, or lacks a hash."""
    names = found(files.names, settings)
    if len(names) != 1:
        known = sorted(name for name in files.names if name == FILE or _is_named(name))
        raise errors.pylock_which(settings.pylock, known)
    name = names[0]
    table = files.toml(name)
    _validate(table, name)
    _check_hashes(table, name)
    _check_fresh(table, name, files)
    extras = _known(settings.extras, table.get("extras"), name, errors.extras_unknown)
    groups = _known(settings.groups, table.get("dependency-groups"), name, errors.groups_unknown)
    packages = table["packages"]
    return Declaration(
        manager=NAME,
        install=InstallSet(
            locked=True,
            lock=name,
            extras=extras,
            groups=tuple(dict.fromkeys((*(table.get("default-groups") or ()), *groups))),
            built=tuple(one["directory"]["path"] for one in packages if "directory" in one),
            indexes=tuple(
                # Which of them is the public one the lock does not say: an index of the build's
                # own replaces all of them.
                Index(name="", url=url, default=True)
                for url in dict.fromkeys(one["index"] for one in packages if "index" in one)
            ),
        ),
        inputs={name: _digest(table), **dict(_local_inputs(files, name, packages))},
        shown={name: tuple(_shown(packages))},
    )


def _validate(table: Mapping[str, Any], name: str) -> None:
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

    try:
        Pylock.from_dict(table)
    except PylockUnsupportedVersionError:
        version = str(table.get("lock-version"))
        raise errors.lock_version_unknown(name, version, "version 1.0", REPAIR) from None
    except PylockValidationError as error:
        place = error.context or "the file"
        raise errors.pylock_invalid(name, place, error.message) from None


def _check_hashes(table: Mapping[str, Any], name: str) -> None:
    """PEP 751 wants one secure hash at least for every file."""
    for number, package in enumerate(table["packages"]):
        for key in ("archive", "sdist", "wheels"):
            value = package.get(key) or []
            for file in value if isinstance(value, list) else [value]:
                if not _STRONG & set(file["hashes"]):
                    place = f"packages[{number}].{key}"
                    raise errors.pylock_invalid(name, place, "a file has no sha256 hash")


def _check_fresh(table: Mapping[str, Any], name: str, files: AppFiles) -> None:
    """PDM writes its content hash into such a lock; the format itself has none."""
    from python_buildpack.managers import pdm_hash

    value: Any = table
    for key in ("tool", "pdm", "hashes"):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and pdm_hash.MANIFEST in files.names:
        for algorithm, digest in value.items():
            if pdm_hash.content_hash(files, algorithm) != digest:
                raise errors.lock_stale(name, pdm_hash.MANIFEST, pdm_hash.REPAIR)


def _known(
    wanted: tuple[str, ...], known: list[str] | None, name: str, error: Any
) -> tuple[str, ...]:
    """The chosen names as the lock spells them."""
    spelt = {pep503_name(one): one for one in known or ()}
    missing = [one for one in wanted if pep503_name(one) not in spelt]
    if missing:
        raise error(missing, sorted(spelt.values()), name)
    return tuple(spelt[pep503_name(one)] for one in wanted)


def _digest(table: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in table.items() if key not in ("tool", "created-by")}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(without_credentials(text).encode()).hexdigest()


def _local_inputs(
    files: AppFiles, name: str, packages: Collection[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    for package in packages:
        for source in _with_path(package):
            path = os.path.normpath(source["path"])
            if not files.holds(path):
                raise errors.lock_path_missing(name, package["name"], source["path"])
            if "hashes" not in source and "commit-id" not in source:
                editable = source.get("editable", False)
                digest = digest_local_project(files.root, path, editable=editable)
                yield f"{path} (editable)" if editable else path, digest


def _with_path(package: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    sources = [package.get(key) for key in ("directory", "archive", "vcs", "sdist")]
    for source in (*sources, *(package.get("wheels") or ())):
        if source and source.get("path"):
            yield source


def _shown(packages: Collection[Mapping[str, Any]]) -> Iterator[str]:
    for package in packages:
        direct = package.get("archive") or package.get("vcs") or {}
        if direct.get("url"):
            yield f"{package['name']} @ {without_credentials(direct['url'])}"
        elif "version" in package:
            yield f"{package['name']}=={package['version']}"
