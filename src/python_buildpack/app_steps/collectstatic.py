"""Django's static files, collected into the app's directory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from python_buildpack import errors
from python_buildpack.app_steps.collectstatic_causes import UNKNOWN_COMMAND, find_cause
from python_buildpack.app_steps.django_static import STATICFILES, DjangoProject
from python_buildpack.log import Log
from python_buildpack.run import run


def collect_static(
    project: DjangoProject, python: Path, app_dir: Path, environ: Mapping[str, str], log: Log
) -> None:
    """Run `collectstatic --noinput` beside manage.py. Raises `UserError` when it fails."""
    with log.step("Static files"):
        shown = os.path.relpath(project.directory / "manage.py", app_dir)
        log.info(f"$ python {shown} collectstatic --noinput")
        code, output = run(
            # With --traceback Django shows one for the failures that it foresees, too.
            [python, "manage.py", "collectstatic", "--noinput", "--traceback"],
            environ=environ,
            cwd=project.directory,
            log=log,
            how_far=lambda: "collectstatic is running",
        )
    unknown = code != 0 and UNKNOWN_COMMAND in output and "Traceback" not in output
    if unknown and "No Django settings specified" not in output:
        log.info(f"{STATICFILES} is not among the INSTALLED_APPS: nothing to collect.")
        return
    if code != 0:
        cause = find_cause(output, str(app_dir))
        raise errors.collectstatic_failed(cause.id, code, log.clean(cause.text))
    _warn_outside(output, app_dir, log)


def _warn_outside(output: str, app_dir: Path, log: Log) -> None:
    """Only what lies in the app's directory becomes part of the image."""
    for place in re.findall(r"static files? (?:copied|symlinked) to '([^'\n]+)'", output):
        if not Path(os.path.normpath(place)).is_relative_to(app_dir):
            log.warning(
                f"The static files went to {place}, which is not part of the image. Let "
                'STATIC_ROOT lie within the app: STATIC_ROOT = BASE_DIR / "staticfiles"'
            )
