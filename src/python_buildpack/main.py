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
from cnb.bindings import UnreadableBinding
from cnb.build import BuildContext, read_build_context
from cnb.layers import UnreadableLayer, read_layer_metadata
from python_buildpack import errors, layers
from python_buildpack.app_steps.hooks import POST_COMPILE, PRE_COMPILE, find_hook
from python_buildpack.app_steps.prepare_app import prepare_app, run_pre_compile
from python_buildpack.describe.image import describe, summarize
from python_buildpack.describe.report import build_report
from python_buildpack.execute import provide_packages, provide_pip_cache, provide_python
from python_buildpack.forbidden import refuse_forbidden
from python_buildpack.log import Log, wants_colour
from python_buildpack.packages.credentials import secrets, with_netrc, write_certificates
from python_buildpack.packages.package_sources import read_package_sources
from python_buildpack.packages.tools import find_tools
from python_buildpack.plan import Restored, make_plan
from python_buildpack.project import read_project
from python_buildpack.run import Terminated, end_on_sigterm
from python_buildpack.runtime.releases import builtin_list, load_list
from python_buildpack.runtime.versions import Target
from python_buildpack.settings import (
    Settings,
    given_settings,
    misspelt_settings,
    read_settings,
)
from python_buildpack.workshop import WorkDirectory, Workshop, work_directory

_NAMES_SHOWN = 50  # files of the app's root, at debug level


def build(argv: list[str], environ: Mapping[str, str]) -> int:
    """Run build: exit code 0, or 1 with an error that the user can mend."""
    log = Log(
        debug=environ.get("BP_LOG_LEVEL", "").strip().lower() == "debug",
        colour=wants_colour(environ),
    )
    # Directories get the same mode everywhere: other users must be able to read the image.
    os.umask(0o022)
    end_on_sigterm()
    outcome = Outcome()
    error: errors.UserError | None = None
    try:
        context = read_build_context(argv, environ, Path.cwd())
        outcome.buildpack = context.buildpack_version
        _build(context, log, outcome)
    except errors.UserError as found:
        error = found
    except UnreadableBinding as found:
        error = errors.binding_unreadable(found.name, found.key, f"{found.why}.")
    except OSError as found:
        full = found.errno in (errno.ENOSPC, errno.EDQUOT)
        error = errors.disk_full("building the app") if full else _internal(found)
    except (Terminated, KeyboardInterrupt):
        error = errors.stopped()
    except UnicodeEncodeError as found:
        # Python keeps the bytes of names that are not UTF-8 as surrogates.
        ours = found.reason != "surrogates not allowed"
        error = _internal(found) if ours else errors.name_not_utf8(_quoted(found))
    except Exception as found:
        error = _internal(found)
    if error is not None:
        from python_buildpack.describe.termination_message import leave_termination_message

        log.error(error)
        leave_termination_message(log.clean(f"{error.title}\n{error.body}\n[{error.id}]\n"))
    path = environ.get("BP_BUILD_REPORT_PATH", "").strip()
    if path:
        from python_buildpack.describe.report_file import write_report

        write_report(Path(path), outcome.report(log, error), log)
    if error is not None:
        return exit_codes.ERROR
    log.heading(f"Python buildpack done in {outcome.seconds:.2f} s")
    return exit_codes.PASS


def _quoted(found: UnicodeEncodeError) -> str:
    """The string of a TOML file in which it is."""
    before, after = found.object[: found.start], found.object[found.start :]
    return f"{before.rpartition(chr(34))[2]}{after.partition(chr(34))[0]}"[-200:]


def _internal(found: Exception) -> errors.UserError:
    import traceback

    return errors.internal(f"{type(found).__name__}: {found}", traceback.format_exc())


class Outcome:
    """What is known of this build so far, for its report."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._began = datetime.datetime.now(datetime.timezone.utc)
        self.buildpack = ""
        self.python_from = ""
        self.image: Mapping[str, Any] | None = None
        self.layers: dict[str, tuple[str, ...]] = {}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def report(self, log: Log, error: errors.UserError | None) -> dict[str, Any]:
        """The file's contents."""
        return build_report(
            self.image,
            buildpack=self.buildpack,
            started=self._began.isoformat(timespec="seconds"),
            seconds=self.seconds,
            python_from=self.python_from,
            steps=log.steps,
            layers=self.layers,
            warnings=log.warnings,
            error={"id": error.id, "title": error.title, "body": error.body} if error else None,
        )


def _build(context: BuildContext, log: Log, outcome: Outcome) -> None:
    _tell_circumstances(context, log)
    settings = read_settings(context.environ)
    for name, right in misspelt_settings(context.environ).items():
        log.warning(f"{name} is no setting of this buildpack: did you mean {right}?")
    refuse_forbidden(context.environ)
    with work_directory() as work:
        shop = _read_and_decide(context, settings, work, log)
        hook = find_hook(shop.project.root, PRE_COMPILE)
        if hook is not None:
            run_pre_compile(shop, hook)
            # It may have written what the app declares.
            shop = _read_and_decide(context, settings, work, log)
        _tell_decisions(shop)
        plan = shop.plan
        outcome.python_from = plan.origin
        outcome.layers = {
            layers.PYTHON: plan.python.reasons,
            layers.VENV: (*plan.venv.reasons, *plan.changed_lines),
        }
        with log.step("Python", f"{plan.release.name} ({plan.origin})"):
            for warning in plan.warnings:
                log.warning(warning)
            python = provide_python(shop)
        with log.step("Packages"):
            packages, venv = provide_packages(shop)
        prepare_app(shop, packages)
        provide_pip_cache(shop)
    facts = {layers.PYTHON: python, layers.VENV: venv}
    with log.step("Launch"):
        outcome.image = describe(shop, packages, facts)
    log.heading("Summary")
    summarize(shop, packages, facts, outcome.image)


def _tell_circumstances(context: BuildContext, log: Log) -> None:
    """For whoever has only the log: where the build runs and what it is given."""
    target, bindings = context.target, context.bindings
    if not log.is_debug:
        return
    names = sorted(path.name for path in context.app_dir.iterdir())
    log.debug(
        f"buildpack {context.buildpack_version} in {context.buildpack_dir}, layers in "
        f"{context.layers_dir}, app in {context.app_dir}\n"
        f"target {target.arch} {target.distribution}; service bindings: "
        f"{', '.join(f'{one.name} ({one.type})' for one in bindings) or 'none'}; asked for in the "
        f"build plan: {', '.join(_wishes(context)) or 'nothing'}\n"
        f"settings given: {', '.join(given_settings(context.environ)) or 'none'}\n"
        f"variables: {' '.join(sorted(context.environ))}\n"
        f"files: {' '.join(names[:_NAMES_SHOWN])}{' ...' if len(names) > _NAMES_SHOWN else ''}"
    )


def _wishes(context: BuildContext) -> list[str]:
    """Ours and those of other buildpacks: the platform does not tell them apart."""
    return sorted(
        entry.name + "".join(f" {name}={value!r}" for name, value in entry.metadata.items())
        for entry in context.plan
    )


def _tell_decisions(shop: Workshop) -> None:
    """What follows from it."""
    plan, log = shop.plan, shop.log
    key = plan.venv_key
    log.debug(
        f"Python {plan.release.name} ({plan.origin}), archive {plan.release.url.partition('?')[0]}\n"
        f"packages: {key.manager}, {plan.installer} ({plan.installer_reason})\n"
        f"inputs: {', '.join(key.inputs) or 'none'}; options: {' '.join(key.options) or 'none'}\n"
        f"python layer: {'; '.join(plan.python.reasons) or 'reused'}\n"
        f"venv layer: {'; '.join((*plan.venv.reasons, *plan.changed_lines)) or 'reused'}"
    )


def _read_and_decide(
    context: BuildContext, settings: Settings, work: WorkDirectory, log: Log
) -> Workshop:
    project = read_project(context.app_dir, settings)
    find_hook(project.root, POST_COMPILE)  # an error of its own is known before anything is done
    sources = read_package_sources(
        context.environ,
        context.bindings,
        project.root,
        prefer_uv=project.packages.manager == "uv",
    )
    log.hide(secrets(sources, ()))
    tools = find_tools(context.buildpack_dir, context.environ)
    trusting = write_certificates(sources, context.environ, work.path)
    context = dataclasses.replace(context, environ=trusting)
    earlier = restored(context.layers_dir)
    releases = (
        load_list(settings.releases, log, with_netrc(trusting, sources, work.path()))
        if settings.releases
        else builtin_list()
    )
    plan = make_plan(
        project,
        settings,
        releases,
        earlier,
        context.plan,
        sources,
        target=version_target(context),
        today=datetime.datetime.now(datetime.timezone.utc).date(),
        uv_version=tools.uv_version,
        layers_dir=str(context.layers_dir),
    )
    return Workshop(
        context=context,
        settings=settings,
        project=project,
        sources=sources,
        plan=plan,
        restored=earlier,
        tools=tools,
        work=work,
        log=log,
    )


def version_target(context: BuildContext) -> Target:
    """Where the app is to run, as far as Python versions depend on it."""
    return Target(
        arch=context.target.arch,
        distribution=context.target.distribution,
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
