"""pip installs what uv cannot, or what it is asked to."""

from __future__ import annotations

from python_buildpack import errors
from python_buildpack.log import Log
from python_buildpack.packages.installation import (
    Install,
    requirement_files,
    shared_options,
    shown,
    tool_environment,
)
from python_buildpack.packages.kept_wheels import forget_secrets
from python_buildpack.packages.tools import PIP_CACHE, Tools, pip_command
from python_buildpack.run import run


def install_by_pip(install: Install, tools: Tools, log: Log, *, show: bool) -> tuple[int, str]:
    """pip's exit code and output. Raises `UserError` for what pip would not take from its index."""
    _refuse_pins_without_hash(install)
    venv_python = install.venv / "bin" / "python"
    kept = install.kept
    caching = ["--no-cache-dir"] if kept is None else ["--cache-dir", str(kept / PIP_CACHE)]
    log.info(f"$ pip install {shown(install)}")
    command = [
        *pip_command(tools, install.python_version, venv_python), "install", "--no-compile",
        "--disable-pip-version-check", "--no-input", "--no-warn-script-location",
        "--progress-bar", "off", *caching, "--src", str(install.venv / "src"),
        "--report", str(install.work_dir / "report.json"),
        *shared_options(install),
        *(option for name in requirement_files(install) for option in ("-r", name)),
    ]  # fmt: skip
    environ = {
        **tool_environment(install, install.access.pip_environment),
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    try:
        return run(
            command,
            environ=environ,
            cwd=install.app_dir,
            log=log,
            show=show,
            how_far=lambda: "pip is running",
        )
    finally:
        if kept is not None:
            forget_secrets(kept / PIP_CACHE, log)


def _refuse_pins_without_hash(install: Install) -> None:
    """pip takes a package from whichever index has it: a hash alone holds it to the right one."""
    for index in install.access.pinned:
        for line in install.install_set.pinned.get(index, ()):
            if " --hash=" not in line:
                raise errors.pin_needs_uv(line.partition("=")[0], index)
