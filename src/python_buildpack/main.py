"""Build: the table of contents, and the only place that catches users' errors."""

from __future__ import annotations

import dataclasses
import datetime
import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnb import exit_codes
from cnb.build import BuildContext, read_build_context
from cnb.layers import UnreadableLayer, read_layer_metadata
from python_buildpack import errors, layers
from python_buildpack.describe import describe
from python_buildpack.execute import (
    Workshop,
    provide_packages,
    provide_pip_cache,
    provide_python,
    work_directory,
)
from python_buildpack.forbidden import refuse_forbidden
from python_buildpack.hooks import POST_COMPILE, PRE_COMPILE, find_hook
from python_buildpack.index_access import secrets, with_netrc, write_certificates
from python_buildpack.log import Log
from python_buildpack.package_sources import read_package_sources
from python_buildpack.plan import Restored, make_plan
from python_buildpack.prepare_app import prepare_app, run_pre_compile
from python_buildpack.project import read_project
from python_buildpack.releases import ReleaseList, builtin_list, load_list
from python_buildpack.run import Terminated, end_on_sigterm
from python_buildpack.runtime import TRIM_RECIPE
from python_buildpack.settings import Settings, read_settings
from python_buildpack.termination_message import leave_termination_message
from python_buildpack.tools import find_tools
from python_buildpack.versions import Target


def build(argv: list[str], environ: Mapping[str, str]) -> int:
    """Run build: exit code 0, or 1 with an error that the user can mend."""
    log = Log(debug=environ.get("BP_LOG_LEVEL", "").strip().lower() == "debug")
    # Directories get the same mode everywhere: other users must be able to read the image.
    os.umask(0o022)
    end_on_sigterm()
    try:
        _build(read_build_context(argv, environ, Path.cwd()), log)
    except errors.UserError as error:
        return _failed(error, log)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _failed(errors.disk_full("building the app"), log)
    except (Terminated, KeyboardInterrupt):
        return _failed(errors.stopped(), log)
    return exit_codes.PASS


def _failed(error: errors.UserError, log: Log) -> int:
    log.error(error)
    leave_termination_message(log.clean(f"{error.title}\n{error.body}\n[{error.id}]\n"))
    return exit_codes.ERROR


def _build(context: BuildContext, log: Log) -> None:
    started = time.monotonic()
    settings = read_settings(context.environ)
    refuse_forbidden(context.environ)
    with work_directory() as work_dir:
        shop = _read_and_decide(context, settings, work_dir, log)
        hook = find_hook(shop.project.root, PRE_COMPILE)
        if hook is not None:
            run_pre_compile(shop, hook)
            # It may have written what the app declares.
            shop = _read_and_decide(context, settings, work_dir, log)
        log.heading(f"Python {shop.plan.release.name} (from {shop.plan.origin})")
        for warning in shop.plan.warnings:
            log.warning(warning)
        provide_python(shop)
        log.heading("Packages")
        packages = provide_packages(shop)
        prepare_app(shop, packages)
        provide_pip_cache(shop)
    log.heading("Launch")
    describe(shop, packages)
    log.heading(f"Python buildpack done in {time.monotonic() - started:.2f} s")


def _read_and_decide(
    context: BuildContext, settings: Settings, work_dir: Path, log: Log
) -> Workshop:
    project = read_project(context.app_dir, settings)
    find_hook(project.root, POST_COMPILE)  # an error of its own is known before anything is done
    sources = read_package_sources(
        context.environ, context.bindings, prefer_uv=project.packages.manager == "uv"
    )
    log.hide(secrets(sources, ()))
    tools = find_tools(context.buildpack_dir, context.environ)
    trusting = write_certificates(sources, context.environ, work_dir)
    context = dataclasses.replace(context, environ=trusting)
    plan = make_plan(
        project,
        settings,
        releases(settings, with_netrc(trusting, sources, work_dir), log),
        restored(context.layers_dir),
        context.plan,
        sources,
        target=version_target(context),
        today=datetime.datetime.now(datetime.timezone.utc).date(),
        trim_recipe=TRIM_RECIPE,
        uv_version=tools.uv_version,
        layers_dir=str(context.layers_dir),
    )
    return Workshop(
        context=context,
        settings=settings,
        project=project,
        sources=sources,
        plan=plan,
        tools=tools,
        work_dir=work_dir,
        log=log,
    )


def releases(settings: Settings, environ: Mapping[str, str], log: Log) -> ReleaseList:
    """The built-in list, or the one that `BP_PYTHON_RELEASES` names."""
    if settings.releases:
        return load_list(settings.releases, log, environ)
    return builtin_list()


def version_target(context: BuildContext) -> Target:
    """Where the app is to run, as far as Python versions depend on it."""
    target = context.target
    return Target(
        arch=target.arch,
        distribution=f"{target.distro_name} {target.distro_version}",
        stack=context.environ.get("CNB_STACK_ID", ""),
    )


def restored(layers_dir: Path) -> Restored:
    """What the lifecycle gave back; unreadable metadata counts as none."""
    found: dict[str, dict[str, Any] | None] = {}
    for name in (layers.PYTHON, layers.VENV):
        try:
            found[name] = read_layer_metadata(layers_dir, name)
        except UnreadableLayer:
            found[name] = {}
    return Restored(
        python=found[layers.PYTHON],
        venv=found[layers.VENV],
        python_present=(layers_dir / layers.PYTHON / "bin").is_dir(),
        venv_present=(layers_dir / layers.VENV / "bin").is_dir(),
    )
