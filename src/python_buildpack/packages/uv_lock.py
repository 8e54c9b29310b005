"""Has uv check uv.lock, and write what of it is to be installed as a pylock.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from python_buildpack import errors, hints
from python_buildpack.log import Log
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.packages.uv_variables import without_resolution
from python_buildpack.run import run

# A lock that fits needs no resolution: one that fails tells of a stale lock, too.
_STALE = re.compile(
    r"needs to be updated|Unable to find lockfile|No solution found when resolving dependencies"
)
_OLD_UV = re.compile(r"Required uv version [^\n]*|unsupported (?:schema )?version[^\n]*")


def _made_from(install_set: InstallSet) -> tuple[str, str]:
    """What declares the requirements, and the command that locks them."""
    if install_set.uv_export and install_set.uv_export[0] == "--script":
        script = install_set.uv_export[1]
        return script, f"uv lock --script {script}"
    return "pyproject.toml", "uv lock"


def export(
    uv: Path,
    install_set: InstallSet,
    python: Path,
    app_dir: Path,
    output: Path,
    environ: Mapping[str, str],
    log: Log,
) -> None:
    """Write `output`. It needs the network only for what the lock itself has no metadata of.

    Raises `UserError` for a lock that does not fit the manifests, and for what uv cannot read.
    """
    command = [
        str(uv), "export", "--locked", "--format", "pylock.toml", "--output-file", str(output),
        "--quiet", "--no-header", "--no-annotate", "--no-default-groups", "--no-progress",
        "--no-python-downloads", "--python", str(python), "--color", "never",
        *(install_set.uv_export or ()),
    ]  # fmt: skip
    kept = without_resolution(environ)  # the lock is checked as its author made it
    # A uv.toml of the user's or the machine's, which no option leaves out without the app's own
    # settings: an empty one stands before them.
    nothing = output.parent / "uv" / "uv.toml"
    nothing.parent.mkdir(exist_ok=True)
    nothing.touch()
    kept.update(dict.fromkeys(("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"), str(output.parent)))
    text = ""
    # Without a network first: a lock that fits needs none, and of one that does not uv says so
    # without trying to resolve anew.
    for options in (["--offline"], []):
        code, text = run([*command, *options], environ=kept, cwd=app_dir, log=log, show=False)
        if code == 0:
            return
        if _STALE.search(text):
            raise errors.lock_stale(install_set.lock, *_made_from(install_set))
    if not log.is_debug:  # there it stands already
        log.info(text)
    if old := _OLD_UV.search(text):
        raise errors.uv_lock_unusable(install_set.lock, f"{old[0]}.")
    raise errors.uv_lock_unusable(install_set.lock, log.clean(hints.diagnose(text, code).text))
