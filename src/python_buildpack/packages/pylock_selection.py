"""What of a pylock.toml (PEP 751) is installed in one environment, in the forms that uv takes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker, default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from python_buildpack import errors


def target_environment(python_version: str) -> dict[str, str]:
    """The values of markers for a CPython of this version on this machine."""
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "implementation_version": python_version,
        "python_full_version": python_version,
        "python_version": ".".join(python_version.split(".")[:2]),
    }


def select_packages(
    table: Mapping[str, Any],
    name: str,
    folder: Path,
    environment: Mapping[str, str],
    *,
    extras: Collection[str],
    groups: Collection[str],
) -> list[dict[str, Any]]:
    """The entries of `packages` that apply, without markers, their paths absolute.

    `name` and `folder` are the lock's. Raises `UserError` where the lock was not made for this
    environment.
    """
    environments = table.get("environments") or []
    if environments and not any(
        _marker(name, text).evaluate(dict(environment)) for text in environments
    ):
        raise errors.lock_environment(name, [str(text) for text in environments])
    version = environment["python_full_version"]
    _check_python(name, table.get("requires-python"), version)
    values: dict[str, str | frozenset[str]] = {
        **environment,
        "extras": frozenset(extras),
        "dependency_groups": frozenset(groups),
    }
    selected: dict[str, dict[str, Any]] = {}
    for package in table.get("packages", ()):
        marker = package.get("marker")
        if marker and not _marker(name, marker).evaluate(values, context="lock_file"):
            continue
        where = f"{package['name']} in {name}"
        _check_python(where, package.get("requires-python"), version)
        if package["name"] in selected:
            raise errors.lock_ambiguous(name, str(package["name"]))
        kept = {key: value for key, value in package.items() if key != "marker"}
        selected[package["name"]] = _with_absolute_paths(kept, folder)
    return list(selected.values())


def _marker(name: str, text: object) -> Marker:
    try:
        return Marker(str(text))
    except InvalidMarker:
        raise errors.file_unreadable(name, f"It holds a marker that is none: {text}.") from None


def _check_python(where: str, wanted: object, version: str) -> None:
    try:
        if wanted and not SpecifierSet(str(wanted)).contains(version, prereleases=True):
            fix = f"Choose another Python version, or lock {where} again for Python {version}."
            raise errors.python_version_conflict("the build", version, where, str(wanted), [fix])
    except InvalidSpecifier:
        raise errors.file_unreadable(where, f"requires-python is not valid: {wanted}.") from None


def _with_absolute_paths(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_with_absolute_paths(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: os.path.normpath(folder / item)
        if key == "path" and isinstance(item, str)
        else _with_absolute_paths(item, folder)
        for key, item in value.items()
    }


def as_pylock(packages: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    """A pylock.toml with just these packages."""
    return {"lock-version": "1.0", "created-by": "python-buildpack", "packages": list(packages)}


def requirement_lines(packages: Collection[Mapping[str, Any]]) -> Iterator[str]:
    """The same as requirement lines: files by name, version and hash, from whichever index."""
    for package in packages:
        name = package["name"]
        if "directory" in package:
            directory = package["directory"]
            path = Path(directory["path"], directory.get("subdirectory", ""))
            yield f"-e {path}" if directory.get("editable") else f"{name} @ {path.as_uri()}"
        elif "vcs" in package:
            vcs = package["vcs"]
            url = vcs.get("url") or Path(vcs["path"]).as_uri()
            yield f"{name} @ {vcs['type']}+{url}@{vcs['commit-id']}{_fragment(vcs)}"
        elif "archive" in package:
            archive = package["archive"]
            url = archive.get("url") or Path(archive["path"]).as_uri()
            yield f"{name} @ {url}{_fragment(archive)} {' '.join(_hashes(archive))}"
        else:
            files = [
                *package.get("wheels", ()),
                *([package["sdist"]] if "sdist" in package else []),
            ]
            hashes = " ".join(option for file in files for option in _hashes(file))
            version = f"=={package['version']}" if "version" in package else ""
            yield f"{name}{version} {hashes}"


def _fragment(source: Mapping[str, Any]) -> str:
    return f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""


def _hashes(file: Mapping[str, Any]) -> Iterator[str]:
    for algorithm, digest in file.get("hashes", {}).items():
        if algorithm in ("sha256", "sha384", "sha512"):
            yield f"--hash={algorithm}:{digest}"
