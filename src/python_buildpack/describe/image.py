"""What was built: processes, labels and build.toml, written once, at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnb.launch import Label, Slice, write_build_toml, write_launch_toml
from python_buildpack import layers
from python_buildpack.describe.report import Image, LayerFacts, as_label, cleaned, image_report
from python_buildpack.describe.summary import about_size, summary
from python_buildpack.launch.processes import LaunchInputs, needs_facts, plan_launch
from python_buildpack.launch.server_commands import served_module
from python_buildpack.managers import how_to_add
from python_buildpack.presence import exists
from python_buildpack.workshop import Workshop

_PROVIDED = frozenset({"python", "venv"})


def describe(
    shop: Workshop, packages: Mapping[str, str], facts: Mapping[str, LayerFacts]
) -> dict[str, Any]:
    """Write launch.toml and build.toml; tell the user what will start. The label's report."""
    launch = plan_launch(_launch_inputs(shop, packages))
    for warning in launch.warnings:
        shop.log.warning(warning)
    for notice in launch.notices:
        shop.log.info(notice)
    lines = {entry.type: entry.line for entry in shop.project.procfile or ()}
    for process in launch.processes:
        default = " (default)" if process.default else ""
        line = f" (Procfile line {lines[process.type]})" if process.type in lines else ""
        shown, started = launch.shown[process.type], " ".join((*process.command, *process.args))
        shop.log.info(f"{process.type}{default}: {shown}{line}")
        if started != shown:
            shop.log.debug(started)
    plan, layers_dir = shop.plan, shop.context.layers_dir
    report = image_report(
        Image(
            buildpack=shop.context.buildpack_version,
            python=plan.release.name,
            asked=plan.asked,
            manager=plan.venv_key.manager,
            installer_reason=plan.installer_reason,
            packages=packages,
            facts=facts,
            processes=launch.processes,
        )
    )
    label = as_label(cleaned(report, shop.log.clean))
    labels = (
        Label(key="io.pycnb.python.version", value=plan.release.version),
        Label(key="io.pycnb.python.package-manager", value=plan.venv_key.manager),
        Label(key="io.pycnb.python.buildpack-version", value=shop.context.buildpack_version),
        Label(key="io.pycnb.python.report", value=label),
    )
    write_launch_toml(layers_dir, launch.processes, labels, _slices(shop.context.app_dir))
    unmet = {entry.name for entry in shop.context.plan} - _PROVIDED
    write_build_toml(layers_dir, sorted(unmet))
    return report


def _slices(app_dir: Path) -> tuple[Slice, ...]:
    """A clone's `.git` names times and commits: in a layer of its own, it leaves the app's alone."""
    return (Slice(paths=(".git",)),) if exists(app_dir / ".git") else ()


def _launch_inputs(shop: Workshop, packages: Mapping[str, str]) -> LaunchInputs:
    project, settings = shop.project, shop.settings
    facts = None
    if needs_facts(project.procfile, settings.live_reload):
        from python_buildpack.app.django_project import SETTINGS_VARIABLE
        from python_buildpack.app.facts import read_app_facts
        from python_buildpack.app.files import AppFiles

        facts = read_app_facts(
            AppFiles(project.root, shop.context.app_dir),
            shop.context.environ.get(SETTINGS_VARIABLE, ""),
            packages,
        )
    return LaunchInputs(
        procfile=project.procfile,
        facts=facts,
        packages=packages,
        venv_dir=str(shop.venv_dir),
        root=str(project.root),
        app_dir=str(shop.context.app_dir),
        script=settings.script,
        members=settings.uv_packages,
        live_reload=settings.live_reload,
        absent=frozenset(_absent(shop)),
        how_to_add=how_to_add(project.packages.manager, settings),
    )


def _absent(shop: Workshop) -> Iterator[str]:
    """The scripts and modules that the Procfile names and that are not there."""
    for entry in shop.project.procfile or ():
        words = entry.command.split()
        for word in words:
            # Not of options, assignments and what is known at launch only.
            names = word.endswith(".py") and word[0] != "-" and "=" not in word and "$" not in word
            if names and not exists(shop.project.root / word):
                yield word
        module = served_module(words)
        if module and not _may_be_there(shop, module):
            yield module


def _may_be_there(shop: Workshop, module: str) -> bool:
    """Whether a module can be imported when the app starts, or that cannot be told."""
    roots = {shop.project.root, shop.context.app_dir}
    place, top = module.replace(".", "/"), module.split(".")[0]
    if any(exists(root / place) or any(root.glob(f"{place}.*")) for root in roots):
        return True
    if exists(shop.project.root / "gunicorn.conf.py") or top in sys.stdlib_module_names:
        return True
    if not exists(shop.venv_dir / "bin"):
        return True  # reused: its packages are not at hand
    from python_buildpack.packages.venv import site_packages  # most builds reuse them

    site = site_packages(shop.venv_dir)
    # Path files lead to projects elsewhere.
    return exists(site / top) or any(site.glob(f"{top}.*")) or any(site.glob("*.pth"))


def summarize(
    shop: Workshop,
    packages: Mapping[str, str],
    facts: Mapping[str, LayerFacts],
    report: Mapping[str, Any],
) -> None:
    """The closing table."""
    plan = shop.plan
    shop.log.info(
        summary(
            f"{plan.release.name} ({plan.origin})",
            packages,
            plan.venv_key.manager,
            facts,
            {layers.PYTHON: plan.python.reuse, layers.VENV: plan.venv.reuse},
            [one["type"] for one in report["processes"]],
        )
    )
    if advice := about_size(packages, facts[layers.VENV]):
        shop.log.info(advice)
