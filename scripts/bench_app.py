"""The apps that `make bench` builds, in every state that a case asks for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_platform import PlatformError

SOURCES = Path(__file__).resolve().parent.parent / "benchmarks" / "apps"
ADDED = "markdown==3.11.3"
# Poetry locks for all platforms at once.
OTHER_PLATFORMS = ("colorama", "tzdata")


@dataclass(frozen=True, kw_only=True)
class App:
    """An app of the benchmark. `locks`: with and without `ADDED`, the Poetry project's files."""

    name: str
    source: Path
    collects: bool
    locks: Mapping[bool, Path] = field(default_factory=dict)

    def write(self, folder: Path, *, plain: bool, code: int, added: bool) -> None:
        """Write the app: its code in version `code`, with or without the further requirement.

        The plain recipe knows requirements.txt alone.
        """
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.source, folder)
        requirements = folder / "requirements.txt"
        if added:
            requirements.write_text(f"{requirements.read_text()}{ADDED}\n")
        if self.locks and not plain:
            requirements.unlink()
            shutil.copytree(self.locks[added], folder, dirs_exist_ok=True)
        (folder / "version.py").write_text(f"VERSION = {code}\n")


def named(name: str, lock: Callable[[str], Path]) -> App:
    """`flask`, `django` or `django-poetry`; `lock(requirements)` makes a Poetry project."""
    if name != "django-poetry":
        return App(name=name, source=SOURCES / name, collects=name == "django")
    source = SOURCES / "django"
    pins = (source / "requirements.txt").read_text()
    locks = {False: lock(pins), True: lock(f"{pins}{ADDED}\n")}
    return App(name=name, source=source, collects=True, locks=locks)


def poetry_lock(poetry: Path, index: str, python: str, requirements: str, folder: Path) -> Path:
    """A Poetry project in `folder` that pins `requirements`, locked from `index`."""
    folder.mkdir(parents=True)
    minor = ".".join(python.split(".")[:2])
    following = f"{minor.split('.')[0]}.{int(minor.split('.')[1]) + 1}"
    pins = "".join(
        '{} = "{}"\n'.format(*line.split("==")) for line in requirements.splitlines() if line
    )
    (folder / "pyproject.toml").write_text(
        f"[tool.poetry]\npackage-mode = false\n\n"
        f'[[tool.poetry.source]]\nname = "bench"\nurl = "{index}"\npriority = "primary"\n\n'
        f'[tool.poetry.dependencies]\npython = ">={minor},<{following}"\n{pins}'
    )
    done = subprocess.run(
        [str(poetry), "lock", "--no-interaction"],
        cwd=folder,
        env={**os.environ, "POETRY_CACHE_DIR": str(folder.parent / "poetry-cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PlatformError(f"poetry lock failed:\n{done.stdout}{done.stderr}")
    return folder
