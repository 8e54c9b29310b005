"""What every process is given at launch. Pure."""

from __future__ import annotations

from cnb.layers import EnvFile
from python_buildpack.launch import servers


def launch_environment(venv_dir: str, app_dir: str, gunicorn: str) -> tuple[EnvFile, ...]:
    """Defaults for every process: what the user sets wins.

    `gunicorn` is its version where it is installed, else empty.
    """
    # Workers' heartbeat files need a place that is writable in a read-only container.
    options = "--access-logfile - --worker-tmp-dir /dev/shm"
    if servers.has_control_socket(gunicorn):
        # The home directory is read-only, too.
        options += " --no-control-socket"
    defaults = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "LANG": "C.UTF-8",
        "VIRTUAL_ENV": venv_dir,
        "PORT": "8080",
        "GUNICORN_CMD_ARGS": options,
        "FORWARDED_ALLOW_IPS": "*",
    }
    files = [
        EnvFile(name=name, value=value, action="default", scope="launch")
        for name, value in defaults.items()
    ]
    files.append(
        EnvFile(name="PYTHONPATH", value=app_dir, action="append", delim=":", scope="launch")
    )
    return tuple(files)
