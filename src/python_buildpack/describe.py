"""What was built: processes, labels and build.toml, written once, at the end."""

from __future__ import annotations

from collections.abc import Mapping

from cnb.launch import Label, write_build_toml, write_launch_toml
from python_buildpack.app_facts import read_app_facts
from python_buildpack.execute import Workshop
from python_buildpack.launch import plan_launch

_PROVIDED = frozenset({"python", "venv"})


def describe(shop: Workshop, packages: Mapping[str, str]) -> None:
    """Write launch.toml and build.toml; tell the user what will start."""
    facts = read_app_facts(shop.project.root)
    root = shop.project.root
    launch = plan_launch(
        shop.project.procfile,
        facts,
        packages,
        str(shop.venv_dir),
        working_dir=None if root == shop.context.app_dir else str(root),
    )
    for warning in launch.warnings:
        shop.log.warning(warning)
    for notice in launch.notices:
        shop.log.info(notice)
    for process in launch.processes:
        default = " (default)" if process.default else ""
        words = " ".join((*process.command, *process.args))
        shop.log.info(f"{process.type}{default}: {words}")
    layers_dir = shop.context.layers_dir
    labels = (
        Label(key="io.pycnb.python.version", value=shop.plan.release.version),
        Label(key="io.pycnb.python.package-manager", value=shop.plan.venv_key.manager),
    )
    write_launch_toml(layers_dir, launch.processes, labels)
    unmet = {entry.name for entry in shop.context.plan} - _PROVIDED
    write_build_toml(layers_dir, sorted(unmet))
