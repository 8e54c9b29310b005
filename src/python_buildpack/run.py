"""The only place that starts processes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from python_buildpack.log import Log

# Variables that would lead a tool, or the Python it runs, away from the layers.
FORBIDDEN = frozenset(
    [
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_USER",
        "PIP_PYTHON",
        "PIP_DRY_RUN",
        "PIP_IGNORE_INSTALLED",
        "PIP_REPORT",
        "PIP_REQUIRE_VIRTUALENV",
        "PYTHONHOME",
        "PYTHONPLATLIBDIR",
        "PYTHONUSERBASE",
        "PYTHONPYCACHEPREFIX",
        "PYTHONINSPECT",
        "PYTHONEXECUTABLE",
        "UV_PYTHON",
        "UV_PROJECT_ENVIRONMENT",
        "UV_SYSTEM_PYTHON",
        "UV_TARGET",
        "UV_PREFIX",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_PROJECT",
        "UV_WORKING_DIRECTORY",
        "UV_PYTHON_INSTALL_DIR",
        "UV_CACHE_DIR",
        "UV_LINK_MODE",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PIPENV_PIPFILE",
        "POETRY_VIRTUALENVS_PATH",
    ]
)


def child_environment(environ: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The build's environment, less what would mislead a tool, plus what the step needs."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in FORBIDDEN and not name.startswith(("PYTHON", "CNB_"))
    }
    return {**kept, **extra}


def capture(command: Sequence[str | Path], *, environ: Mapping[str, str]) -> tuple[int, str]:
    """Run `command` quietly; its exit code and output. Raises `OSError` when it does not start."""
    done = subprocess.run(
        [str(word) for word in command],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def run(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    log: Log,
    show: bool = True,
) -> tuple[int, str]:
    """Run `command`, its output shown indented as it comes; its exit code and output."""
    words = [str(word) for word in command]
    log.debug("running: " + " ".join(words))
    lines: list[str] = []
    with subprocess.Popen(
        words,
        env=dict(environ),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            clean = log.clean(line.rstrip("\n"))
            lines.append(clean)
            if show:
                log.info(clean)
    return process.returncode, "\n".join(lines)
