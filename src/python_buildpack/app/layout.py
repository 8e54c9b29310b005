"""Where the app lies in what was uploaded, and what lies there that should not."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from python_buildpack import errors
from python_buildpack.launch.procfile import ProcfileEntry
from python_buildpack.presence import is_dir, is_file


def project_root(app_dir: Path, project_dir: str) -> Path:
    """The directory that holds the app: `app_dir`, or BP_PYTHON_PROJECT_DIR in it.

    Raises `UserError` for a path that leads out of `app_dir`, by itself or through a link, and for
    a directory that does not exist.
    """
    normal = os.path.normpath(project_dir)
    if normal == ".":
        return app_dir
    if Path(normal).is_absolute() or Path(normal).parts[0] == "..":
        raise errors.path_leaves_app("BP_PYTHON_PROJECT_DIR", project_dir)
    root = app_dir / normal
    if not is_dir(root):
        raise errors.project_dir_missing(project_dir)
    if not root.resolve().is_relative_to(app_dir.resolve()):
        raise errors.path_leaves_app("BP_PYTHON_PROJECT_DIR", project_dir)
    return root


def committed_environments(root: Path) -> tuple[str, ...]:
    """The directories in `root` that are virtual environments, or hold installed packages."""
    try:
        with os.scandir(root) as entries:
            folders = sorted(entry.name for entry in entries if is_dir(entry.path))
    except OSError:
        return ()
    return tuple(
        name
        for name in folders
        if name in ("site-packages", "__pypackages__") or is_file(root / name / "pyvenv.cfg")
    )


def committed_warnings(folders: Sequence[str]) -> tuple[str, ...]:
    """One for each committed environment."""
    return tuple(
        f"{folder}/ holds installed packages and was committed. It is not used: remove it "
        f"(git rm -r --cached {folder}) and add it to .gitignore."
        for folder in folders
    )


def refuse_committed_programs(folders: Sequence[str], processes: Sequence[ProcfileEntry]) -> None:
    """Raises `UserError` for a process whose program is in a committed environment.

    Its interpreter is that of the machine on which it was made: it cannot start in the image.
    """
    for process in processes:
        for folder in folders:
            found = re.search(
                rf"(?:^|[\s;&|(/\"'])({re.escape(folder)}/bin/([\w.+-]+))", process.command
            )
            if found:
                raise errors.committed_program(process.line, found[1], found[2], folder)
