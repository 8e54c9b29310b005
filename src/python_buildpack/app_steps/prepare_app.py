"""The steps that run the app's own code during the build, or compile it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from python_buildpack import errors
from python_buildpack.app_steps.app_modules import app_modules
from python_buildpack.app_steps.environment import app_environment
from python_buildpack.app_steps.hooks import POST_COMPILE, PRE_COMPILE, find_hook, run_hook
from python_buildpack.app_steps.nltk_data import VARIABLE, data_dir, provide_nltk_data
from python_buildpack.byte_code import compile_modules
from python_buildpack.describe.summary import plural
from python_buildpack.managers import how_to_add
from python_buildpack.packages.time_zones import user_of_time_zones
from python_buildpack.runtime.versions import minor_of
from python_buildpack.workshop import Workshop

_SHOWN = 3  # of files that are no Python

# What a build that changes nothing does not need is imported where it is used.
if TYPE_CHECKING:
    from python_buildpack.app_steps.django_static import DjangoProject


def run_pre_compile(shop: Workshop, hook: Path) -> None:
    """Before anything is installed, so that it can still change what will be."""
    import shutil

    from python_buildpack.lent_python import lent_interpreter

    if not shop.plan.python.reuse:
        # What was restored for another buildpack is not the Python that was decided.
        shutil.rmtree(shop.python_dir, ignore_errors=True)
    with lent_interpreter(shop):
        environ = app_environment(
            shop.context.environ, str(shop.project.root), (f"{shop.python_dir}/bin",), {}
        )
        run_hook(hook, PRE_COMPILE, shop.project.root, environ, shop.log)


def prepare_app(shop: Workshop, packages: Mapping[str, str]) -> None:
    """NLTK's data, static files, the last hook, byte code.

    Raises `UserError` for the first that fails.
    """
    nltk = provide_nltk_data(shop, packages)
    root = shop.project.root
    django = _django_to_collect(shop, packages)
    hook = find_hook(root, POST_COMPILE)
    modules = list(app_modules(shop.context.app_dir)) if shop.settings.compile_app else []
    _hint_at_time_zones(shop, packages, modules)
    runs_app = django is not None or hook is not None
    compiles = bool(modules) and not _compiles_itself(shop.plan.release.version)
    needs_python = runs_app or compiles or find_hook(root, PRE_COMPILE) is not None
    kept: set[Path] = set()
    with contextlib.ExitStack() as lent:
        if needs_python:
            from python_buildpack.app_steps.transient import lent_to_steps

            steps = lent_to_steps(shop, nltk, runs_app=runs_app)
            python, kept = lent.enter_context(steps)
        if runs_app:
            environ = _with_packages(shop, {VARIABLE: str(data_dir(shop))} if nltk else {})
            if django is not None:
                from python_buildpack.app_steps.collectstatic import collect_static

                collect_static(django, python, shop.context.app_dir, environ, shop.log)
            if hook is not None:
                run_hook(hook, POST_COMPILE, root, environ, shop.log)
                modules = list(app_modules(shop.context.app_dir)) if modules else []
        if modules:
            _compile(shop, modules, python if compiles else Path(sys.executable))
    if shop.settings.keep_downloads:
        kept |= {shop.kept_archive, shop.kept_installer}
    _forget_others(shop, kept)


def _hint_at_time_zones(shop: Workshop, packages: Mapping[str, str], modules: list[str]) -> None:
    user = user_of_time_zones(packages, modules)
    if user is not None:
        how = how_to_add(shop.project.packages.manager, shop.settings).format(package="tzdata")
        shop.log.warning(
            f"{user} uses time zones, which neither the packages nor the build image bring. Where "
            f"the run image lacks /usr/share/zoneinfo too, ZoneInfo finds none.\n{how}"
        )


def _django_to_collect(shop: Workshop, packages: Mapping[str, str]) -> DjangoProject | None:
    if "django" not in packages:
        return None
    from python_buildpack.app.django_project import SETTINGS_VARIABLE
    from python_buildpack.app.sources import AppSources
    from python_buildpack.app_steps.django_static import find_django_project

    settings_module = shop.context.environ.get(SETTINGS_VARIABLE, "")
    project = find_django_project(AppSources(shop.project.root), settings_module)
    if project is None or project.staticfiles is False:
        return None
    if not shop.settings.collect_static:
        shop.log.info("Static files are not collected: DISABLE_COLLECTSTATIC is set.")
        return None
    return project


def _with_packages(shop: Workshop, extra: Mapping[str, str]) -> dict[str, str]:
    return app_environment(
        shop.context.environ,
        str(shop.project.root),
        (f"{shop.venv_dir}/bin", f"{shop.python_dir}/bin"),
        {"VIRTUAL_ENV": str(shop.venv_dir), **extra},
    )


def _compiles_itself(version: str) -> bool:
    """Whether the Python that runs the buildpack makes byte code for `version`.

    Where it does, it always does, lest byte code depends on which layers happen to be reused.
    """
    same = f"{sys.version_info[0]}.{sys.version_info[1]}."
    return version.startswith(same) and sys.version_info.releaselevel == "final"


def _compile(shop: Workshop, modules: list[str], python: Path) -> None:
    """What is no Python is left as it is, and told: templates of code are often named like that."""
    # Sources that are replaced while the app runs must be looked at.
    checked = shop.settings.live_reload
    with shop.log.telling(lambda: f"{plural(len(modules), 'module')} of the app to compile"):
        code, output = compile_modules(python, modules, checked=checked)
    if code and "No space left" in output:
        raise errors.disk_full("byte-compiling the app")
    lines = sorted(output.splitlines())
    broken = [line.split("\0") for line in lines if line.count("\0") == 2]
    if broken:
        top = f"{shop.context.app_dir}/"
        shown = [f"{path.removeprefix(top)} line {line}: {what}" for path, line, what in broken]
        more = f"\nand {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        shop.log.warning(
            f"Not valid Python {minor_of(shop.plan.release.version)}:\n"
            + "\n".join(shown[:_SHOWN])
            + more
        )
    if code:
        problems = [line for line in lines if line.count("\0") != 2] or [f"exit code {code}"]
        shop.log.warning(
            "Modules of the app were left without byte code:\n" + "\n".join(problems[:_SHOWN])
        )


def _forget_others(shop: Workshop, kept: set[Path]) -> None:
    """What was kept for layers that are gone, or for steps that are no more."""
    if shop.kept_dir.is_dir():
        for path in shop.kept_dir.iterdir():
            if path in kept:
                continue
            if path.is_dir():
                import shutil

                shutil.rmtree(path)
            else:
                path.unlink()
