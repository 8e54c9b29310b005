"""pdm.lock, as `pdm sync --prod` installs it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers import pdm_graph
from python_buildpack.managers.declaration import Declaration, Index, InstallSet
from python_buildpack.managers.local_projects import digest_local_project, root_project
from python_buildpack.managers.lock_fields import Fields
from python_buildpack.managers.pdm import LOCK, NAME
from python_buildpack.managers.pdm_hash import (
    MANIFEST,
    REPAIR,
    content_hash,
    development_groups,
    normal,
)
from python_buildpack.presence import is_dir
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

_KNOWN = "versions 4.4 and 4.5"
_VCS = ("git", "hg", "svn", "bzr")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A `[[package]]` of the lock. `hashes` are `algorithm:digest`."""

    name: str
    version: str
    extras: frozenset[str]
    groups: tuple[str, ...]
    marker: str
    needs: tuple[str, ...]
    hashes: tuple[str, ...]
    editable: bool
    subdirectory: str
    path: str
    url: str
    vcs: str
    revision: str


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for a lock that is stale or malformed, and for groups it lacks."""
    if MANIFEST not in files.names:
        raise errors.manifest_missing(LOCK, MANIFEST)
    lock = Fields(file=LOCK, values=files.toml(LOCK), repair=REPAIR)
    metadata = lock.table("metadata")
    _check_version(metadata.optional_text("lock_version") or "none")
    _check_fresh(metadata, files)
    manifest = Fields(file=MANIFEST, values=files.toml(MANIFEST), repair=REPAIR)
    packages = [_read_package(table) for table in lock.tables("package")]
    groups = _groups(metadata, manifest, settings)
    excluded = manifest.table("tool").table("pdm").table("resolution").texts("excludes")
    wanted = [
        (package, marker)
        for package, marker in _select(metadata, manifest, packages, groups)
        if not package.extras and package.name not in map(normal, excluded)
    ]
    options = _binary_options(manifest, settings, [package for package, _ in wanted])
    itself = _is_distribution(manifest)
    inputs = root_project(files, NAME, extras=()).inputs if itself else {}
    sources = manifest.table("tool").table("pdm").tables("source")
    return Declaration(
        manager=NAME,
        install=InstallSet(
            locked=True,
            lines=(
                *(f"--find-links {one.text('url')}" for one in sources if _is_links(one)),
                *(_line(files.root, package, marker) for package, marker in wanted),
                *options,
            ),
            editables=(".",) if itself else (),
            built=(
                *((".",) if itself else ()),
                *(one.path for one, _ in wanted if one.path and is_dir(files.root / one.path)),
            ),
            indexes=tuple(_index(one) for one in sources if not _is_links(one)),
        ),
        inputs={
            LOCK: _digest(wanted, options),
            **inputs,
            **dict(_local_inputs(files, [package for package, _ in wanted])),
        },
        shown={LOCK: tuple(_shown(package) for package, _ in wanted if not package.path)},
    )


def _binary_options(
    manifest: Fields, settings: Settings, packages: Sequence[Package]
) -> tuple[str, ...]:
    no_binary = _policy(manifest, settings, "no-binary")
    only_binary = _policy(manifest, settings, "only-binary")
    if not (no_binary or only_binary):
        return ()
    from python_buildpack.managers.pinned_lines import binary_options

    names = [one.name for one in packages if not (one.path or one.url)]
    return binary_options(no_binary, only_binary, names)


def _policy(manifest: Fields, settings: Settings, name: str) -> tuple[str, ...]:
    """Names, or `:all:`, of PDM's setting `resolution.NAME`, or of its variable."""
    resolution = manifest.table("tool").table("pdm").table("resolution")
    value = settings.environ.get(f"PDM_{name.upper().replace('-', '_')}")
    if not value and not isinstance(resolution.values.get(name), str):
        return resolution.texts(name)
    words = (value or resolution.text(name)).split(",")
    return tuple(word.strip() for word in words if word.strip())


def _check_version(version: str) -> None:
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None or (int(match[1]), int(match[2])) not in ((4, 4), (4, 5)):
        raise errors.lock_version_unknown(LOCK, version, _KNOWN, REPAIR)


def _check_fresh(metadata: Fields, files: AppFiles) -> None:
    if "lock_inputs" in metadata.values:
        raise errors.pdm_lock_inputs()
    algorithm, _, digest = (metadata.optional_text("content_hash") or "").partition(":")
    if not digest or content_hash(files, algorithm) != digest:
        raise errors.lock_stale(LOCK, MANIFEST, REPAIR)


def _read_package(table: Fields) -> Package:
    vcs = next((kind for kind in _VCS if kind in table.values), "")
    return Package(
        name=normal(table.text("name")),
        version=table.optional_text("version") or "",
        extras=frozenset(normal(extra) for extra in table.texts("extras")),
        groups=tuple(normal(group) for group in table.texts("groups")),
        marker=table.optional_text("marker") or "",
        needs=table.texts("dependencies"),
        hashes=tuple(dict.fromkeys(file.text("hash") for file in table.tables("files"))),
        editable=table.flag("editable"),
        subdirectory=table.optional_text("subdirectory") or "",
        path=os.path.normpath(path) if (path := table.optional_text("path")) else "",
        url=(table.optional_text(vcs) if vcs else table.optional_text("url")) or "",
        vcs=vcs,
        revision=table.optional_text("revision") or table.optional_text("ref") or "",
    )


def _groups(metadata: Fields, manifest: Fields, settings: Settings) -> tuple[str, ...]:
    """`default`, and what is chosen. Raises `UserError` for what the lock does not have."""
    optional = {
        normal(name) for name in manifest.table("project").table("optional-dependencies").values
    }
    locked = [normal(name) for name in metadata.texts("groups")]
    if not locked:
        locked = ["default", *optional, *development_groups(manifest)]
    for wanted, known, error in (
        (settings.extras, [one for one in locked if one in optional], errors.extras_unknown),
        (settings.groups, [one for one in locked if one not in optional], errors.groups_unknown),
    ):
        missing = [name for name in wanted if normal(name) not in known]
        if missing:
            raise error(missing, sorted(set(known) - {"default"}), LOCK)
    return ("default", *(normal(name) for name in (*settings.groups, *settings.extras)))


def _select(
    metadata: Fields, manifest: Fields, packages: Sequence[Package], groups: Sequence[str]
) -> Iterator[tuple[Package, str]]:
    """What belongs to `groups`, each with its marker."""
    if "inherit_metadata" in metadata.texts("strategy"):
        for package in packages:
            if not package.groups or set(groups) & set(package.groups):
                yield package, package.marker
        return
    project = manifest.table("project")
    optional = project.table("optional-dependencies")
    lines = pdm_graph.group_requirements(
        groups,
        project.texts("dependencies"),
        {normal(name): optional.texts(name) for name in optional.values},
        development_groups(manifest),
        project.optional_text("name") or "",
    )
    nodes = [
        pdm_graph.Node(
            name=one.name, version=one.version, extras=one.extras, path=one.path, needs=one.needs
        )
        for one in packages
    ]
    found = pdm_graph.markers(nodes, lines)
    for position, package in enumerate(packages):
        if position in found:
            yield package, found[position]


def _is_distribution(manifest: Fields) -> bool:
    """Whether the project itself is installed, as PDM decides it."""
    settings = manifest.table("tool").table("pdm")
    if not manifest.table("project").optional_text("name"):
        return False
    if "package-type" in settings.values:
        return settings.text("package-type") == "library"
    return settings.flag("distribution", default=True)


def _line(root: Path, package: Package, marker: str) -> str:
    condition = f" ; {marker}" if marker else ""
    hashes = "".join(f" --hash={one}" for one in package.hashes)
    subdirectory = f"#subdirectory={package.subdirectory}" if package.subdirectory else ""
    if package.vcs:
        revision = f"@{package.revision}" if package.revision else ""
        url = f"{package.vcs}+{package.url.removeprefix(f'{package.vcs}+')}{revision}"
        return f"{package.name} @ {url}{subdirectory}{condition}"
    if package.path and package.editable:
        return f"-e {os.path.normpath(root / package.path / package.subdirectory)}{condition}"
    if package.path:
        uri = Path(os.path.normpath(root / package.path)).as_uri()
        return f"{package.name} @ {uri}{subdirectory}{condition}{hashes}"
    if package.url:
        return f"{package.name} @ {package.url}{subdirectory}{condition}{hashes}"
    return f"{package.name}=={package.version}{condition}{hashes}"


def _is_links(source: Fields) -> bool:
    return source.optional_text("type") == "find_links"


def _index(source: Fields) -> Index:
    """PDM calls the default index `pypi`, wherever it lies."""
    name, url = source.text("name"), source.text("url")
    user, password = source.optional_text("username"), source.optional_text("password")
    if user:
        scheme, _, rest = url.partition("://")
        given = ":".join(_userinfo(part) for part in (user, password) if part)
        url = f"{scheme}://{given}@{rest}"
    verified = source.flag("verify_ssl", default=True)
    return Index(name=name, url=url, default=name == "pypi", verified=verified)


def _userinfo(text: str) -> str:
    return text if "${" in text else quote(text, safe="")


def _digest(wanted: Sequence[tuple[Package, str]], options: Sequence[str]) -> str:
    rows = sorted(
        (one.name, one.version, marker, one.path, one.url, one.revision, one.editable, one.hashes)
        for one, marker in wanted
    )
    return hashlib.sha256(without_credentials(json.dumps([*rows, *options])).encode()).hexdigest()


def _local_inputs(files: AppFiles, packages: Sequence[Package]) -> Iterator[tuple[str, str]]:
    for package in packages:
        if package.path:
            if not files.holds(package.path):
                raise errors.lock_path_missing(LOCK, package.name, package.path)
            label = f"{package.path} (editable)" if package.editable else package.path
            yield label, digest_local_project(files.root, package.path, editable=package.editable)


def _shown(package: Package) -> str:
    if package.url:
        return f"{package.name} @ {without_credentials(package.url)}"
    return f"{package.name}=={package.version}"
