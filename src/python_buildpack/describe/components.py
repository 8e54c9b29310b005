"""What an SBOM tells of a layer: its components and how they depend on each other. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from python_buildpack.describe.licences import Licence, declared_licence
from python_buildpack.packages.distribution import Distribution
from python_buildpack.redact import without_credentials
from python_buildpack.runtime.releases import Release


@dataclass(frozen=True, kw_only=True)
class Component:
    """One part. `file` is what it came from, with the digest `sha256`; both may be empty.

    `requires` names the components that it needs.
    """

    name: str
    version: str
    purl: str
    licence: Licence
    file: str = ""
    sha256: str = ""
    cpe: str = ""
    is_runtime: bool = False
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The parts of `layer`. `direct` names those that nothing else asked for.

    `digest` identifies this list and the key of its layer.
    """

    layer: str
    digest: str
    buildpack: str
    components: tuple[Component, ...]
    direct: tuple[str, ...]


def runtime_component(release: Release) -> Component:
    """CPython itself. Its licence covers everything since 2.0.1 (SPDX's own note)."""
    return Component(
        name="python",
        version=release.version,
        purl=f"pkg:generic/python@{release.version}",
        licence=Licence(expression="Python-2.0.1"),
        file=release.file_name,
        sha256=release.sha256,
        cpe=f"cpe:2.3:a:python:python:{release.version}:*:*:*:*:*:*:*",
        is_runtime=True,
    )


def package_components(
    distributions: Sequence[Distribution],
    artifacts: Mapping[str, Mapping[str, str]],
    environment: Mapping[str, str],
    asked: Iterable[str],
) -> tuple[Component, ...]:
    """One component for each installed distribution.

    `artifacts` has the file and sha256 of each that is known, `environment` the values of markers,
    `asked` the requirement lines of the app, which may ask for extras.
    """
    graph = dependencies(distributions, environment, asked)
    return tuple(
        Component(
            name=one.name,
            version=one.version,
            purl=package_url(one),
            licence=declared_licence(one.fields),
            file=artifacts.get(one.name, {}).get("file", ""),
            sha256=artifacts.get(one.name, {}).get("sha256", ""),
            requires=graph[one.name],
        )
        for one in distributions
    )


def package_url(one: Distribution) -> str:
    """The purl. What lies in the app itself is in no ecosystem, whatever it is called."""
    version = quote(one.version, safe="")
    origin = one.direct_url
    url = without_credentials(str(origin.get("url", "")))
    if "dir_info" in origin:
        return f"pkg:generic/{one.name}@{version}"
    qualifier = ""
    vcs: Any = origin.get("vcs_info")
    if isinstance(vcs, Mapping):
        place = f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', '')}"
        qualifier = f"?vcs_url={quote(place, safe=':/')}"
    elif url.startswith(("http://", "https://")):
        qualifier = f"?download_url={quote(url, safe=':/')}"
    return f"pkg:pypi/{one.name}@{version}{qualifier}"


def dependencies(
    distributions: Sequence[Distribution],
    environment: Mapping[str, str],
    asked: Iterable[str] = (),
) -> dict[str, tuple[str, ...]]:
    """Installed name -> the installed names that it requires here, its wanted extras included."""
    requirements = {one.name: list(_parsed(one.requires)) for one in distributions}
    extras: dict[str, set[str]] = {name: set() for name in requirements}
    graph: dict[str, set[str]] = {name: set() for name in requirements}
    for requirement in _parsed(asked):
        extras.get(canonicalize_name(requirement.name), set()).update(_names(requirement.extras))
    waiting = list(requirements)
    while waiting:
        name = waiting.pop()
        for requirement in requirements[name]:
            wanted = canonicalize_name(requirement.name)
            if wanted not in graph or not _applies(requirement, environment, extras[name]):
                continue
            graph[name].add(wanted)
            new = _names(requirement.extras) - extras[wanted]
            if new:
                extras[wanted] |= new
                waiting.append(wanted)
    return {name: tuple(sorted(found - {name})) for name, found in graph.items()}


def _parsed(lines: Iterable[str]) -> Iterable[Requirement]:
    for line in lines:
        try:
            # Lines of requirement files may have options behind the requirement.
            yield Requirement(re.split(r"\s(?:--|#)", line, maxsplit=1)[0])
        except InvalidRequirement:
            continue


def _names(extras: Iterable[str]) -> set[str]:
    return {canonicalize_name(extra) for extra in extras}


def _applies(
    requirement: Requirement, environment: Mapping[str, str], extras: Iterable[str]
) -> bool:
    marker = requirement.marker
    if marker is None:
        return True
    return any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras))


def direct_names(components: Sequence[Component], asked: Iterable[str]) -> tuple[str, ...]:
    """What the app asks for by name, and enough more that every component is reached."""
    graph = {one.name: one.requires for one in components}
    named = {str(canonicalize_name(requirement.name)) for requirement in _parsed(asked)}
    needed = {name for found in graph.values() for name in found}
    direct = named & set(graph) or {name for name in graph if name not in needed}
    reached = _reached(direct, graph)
    # Roots that no line names first, then whatever is left of circles.
    for name in sorted(graph, key=lambda one: (one in needed, one)):
        if name not in reached:
            direct.add(name)
            reached |= _reached({name}, graph)
    return tuple(sorted(direct))


def _reached(start: Iterable[str], graph: Mapping[str, tuple[str, ...]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    return reached
