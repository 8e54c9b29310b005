"""Project, releases and restored keys -> what will be done, and why. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnb.buildpack_plan import PlanEntry, wishes
from python_buildpack import errors, layers
from python_buildpack.layers import Decision, PythonKey, VenvKey
from python_buildpack.managers.declaration import Declaration
from python_buildpack.packages.package_sources import PackageSources
from python_buildpack.project import Project
from python_buildpack.redact import without_tokens
from python_buildpack.runtime import versions
from python_buildpack.runtime.releases import Release, ReleaseList
from python_buildpack.settings import Settings

TRIM_RECIPE = 3  # raise it when the bytes of an unpacked runtime change
INSTALL_RECIPE = 7  # raise it when the bytes of installed packages, or what is beside them, change
_LINES_KEPT = 500


@dataclass(frozen=True, kw_only=True)
class Restored:
    """The `[metadata]` of the layers of the last build; None where there is none."""

    python: Mapping[str, Any] | None
    venv: Mapping[str, Any] | None
    python_present: bool = False
    venv_present: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done. `at_build`: another buildpack needs the layers during the build.

    `asked` is `origin` where somebody asks for the version: it stays the same in later builds.
    `distribution` is what is compiled now is for, as `debian 12`.
    """

    release: Release
    origin: str
    asked: str
    at_build: bool
    distribution: str
    python_key: PythonKey
    python: Decision
    venv_key: VenvKey
    venv: Decision
    installer: str
    installer_reason: str
    shown: Mapping[str, tuple[str, ...]]
    changed_lines: tuple[str, ...]
    warnings: tuple[str, ...]


def make_plan(
    project: Project,
    settings: Settings,
    releases: ReleaseList,
    restored: Restored,
    entries: Sequence[PlanEntry],
    sources: PackageSources,
    *,
    target: versions.Target,
    today: datetime.date,
    uv_version: str | None,
    layers_dir: str,
) -> Plan:
    """Raises `UserError` for a version that cannot be had and for contradictions."""
    resolution = versions.resolve(
        project.versions,
        releases,
        target=target,
        today=today,
        previous=_previous_version(restored.python),
        plan=wishes(entries, layers.PYTHON).versions,
    )
    release = resolution.release
    at_build = any(wishes(entries, name).build for name in (layers.PYTHON, layers.VENV))
    python_key = PythonKey(
        version=release.name,
        archive_sha256=release.sha256,
        trim_recipe=TRIM_RECIPE,
        arch=target.arch,
        glibc=release.glibc,
        location=layers_dir,
    )
    installer, reason = choose_installer(project, settings, sources, uv_version)
    packages = project.packages
    venv_key = VenvKey(
        python=release.name,
        python_sha256=release.sha256,
        manager=packages.manager,
        installer=installer if packages.install else "none",
        recipe=INSTALL_RECIPE,
        inputs={**packages.inputs, **project.local_wheels.inputs, **sources.inputs},
        options=(
            *sources.key,
            *(f"find-links {without_tokens(place)}" for place in settings.find_links),
            *(("BP_REQUIRE_HASHES",) if settings.require_hashes else ()),
        ),
        groups=settings.groups,
        extras=settings.extras,
        refresh=settings.refresh,
        location=f"{layers_dir}:{project.root}",
    )
    python = _needed_at_build(
        _with_sbom(layers.compare(python_key, restored.python), restored.python, settings.sbom),
        at_build,
        restored.python_present,
    )
    fits = _for_distribution(
        layers.compare(venv_key, restored.venv), restored.venv, target.distribution
    )
    venv = _needed_at_build(
        _with_sbom(fits, restored.venv, settings.sbom),
        at_build,
        restored.venv_present,
    )
    shown = {name: lines[:_LINES_KEPT] for name, lines in packages.shown.items()}
    old_shown = restored.venv.get("requirements") if restored.venv else None
    return Plan(
        release=release,
        origin=resolution.origin,
        asked=resolution.asked,
        at_build=at_build,
        distribution=target.distribution,
        python_key=python_key,
        python=python,
        venv_key=venv_key,
        venv=venv,
        installer=installer,
        installer_reason=reason,
        shown=shown,
        changed_lines=() if venv.reuse else tuple(layers.changed_lines(old_shown, shown)),
        warnings=(
            *(warning.text for warning in resolution.warnings),
            *project.warnings,
            *sources.warnings,
            *_without_effect(packages, installer, reason, sources),
        ),
    )


def choose_installer(
    project: Project,
    settings: Settings,
    sources: PackageSources,
    uv_version: str | None,
) -> tuple[str, str]:
    """`uv <version>` or `pip`, and why. Raises `UserError` where uv is needed and is not to be."""
    install = project.packages.install
    if install is not None and install.uv_only:
        if settings.installer == "pip":
            raise errors.sources_need_uv(install.uv_only)
        if uv_version is None:
            raise errors.uv_needed(install.uv_only)
        return f"uv {uv_version}", f"pip knows nothing of {install.uv_only}"
    if install is not None and install.locked and uv_version is not None:
        return f"uv {uv_version}", "the lock is complete: there is nothing to resolve"
    if settings.installer == "pip":
        return "pip", "BP_PIP_INSTALLER=pip"
    if uv_version is None:
        return "pip", "uv is not at hand"
    uv = f"uv {uv_version}"
    if settings.installer == "uv":
        return uv, "BP_PIP_INSTALLER=uv"
    if install is not None and install.pip_only:
        return "pip", f"uv lacks {', '.join(install.pip_only)}"
    if install is not None and install.uv_settings:
        return uv, "the app has settings of uv's own"
    if sources.untranslated:
        return "pip", f"pip is configured with {', '.join(sources.untranslated)}"
    return uv, "the same packages as by pip, faster"


def _without_effect(
    packages: Declaration, installer: str, reason: str, sources: PackageSources
) -> tuple[str, ...]:
    """A warning of configuration that is the other tool's alone. A lock leaves nothing to choose."""
    if packages.install is None or packages.install.locked:
        return ()
    tool = "pip" if installer == "pip" else "uv"
    own = tuple(f"{name} of [tool.uv]" for name in packages.install.uv_settings)
    lost = (*sources.uv_choices, *own) if tool == "pip" else sources.untranslated
    if not lost:
        return ()
    whose = "" if tool == "pip" else "pip's "
    return (f"Without effect: {whose}{', '.join(lost)}. {tool} installs ({reason})",)


def _for_distribution(
    decision: Decision, restored: Mapping[str, Any] | None, distribution: str
) -> Decision:
    """What was compiled is linked to the libraries of its build image. Wheels fit many of them."""
    earlier = (restored or {}).get("compiled-on", distribution)
    if not decision.reuse or earlier == distribution:
        return decision
    return Decision(reasons=(f"packages were compiled on {earlier}, and this is {distribution}",))


def _with_sbom(decision: Decision, restored: Mapping[str, Any] | None, wanted: bool) -> Decision:
    """A layer that is reused cannot be described any more: it has its SBOM, or is made anew."""
    if decision.reuse and wanted and not (restored or {}).get("sbom"):
        return Decision(reasons=("the earlier build made no SBOM of it",))
    return decision


def _needed_at_build(decision: Decision, at_build: bool, present: bool) -> Decision:
    if decision.reuse and at_build and not present:
        return Decision(reasons=("another buildpack needs it during the build",))
    return decision


def _previous_version(restored: Mapping[str, Any] | None) -> str | None:
    key = restored.get("key") if restored else None
    version = key.get("version") if isinstance(key, Mapping) else None
    return version if isinstance(version, str) else None
