"""What the build's steps share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnb.build import BuildContext
from python_buildpack import layers
from python_buildpack.log import Log
from python_buildpack.managers.local_projects import given_versions
from python_buildpack.packages.package_sources import PackageSources
from python_buildpack.packages.tools import Tools
from python_buildpack.plan import Plan, Restored
from python_buildpack.project import Project
from python_buildpack.settings import Settings


class WorkDirectory:
    """A temporary directory, made when it is first asked for: most builds need none."""

    def __init__(self) -> None:
        self._path: Path | None = None

    def path(self) -> Path:
        if self._path is None:
            import tempfile

            self._path = Path(tempfile.mkdtemp(prefix="python-buildpack-"))
        return self._path

    def remove(self) -> None:
        if self._path is not None:
            import shutil

            shutil.rmtree(self._path, ignore_errors=True)


@contextlib.contextmanager
def work_directory() -> Iterator[WorkDirectory]:
    """It is gone afterwards, come what may."""
    work = WorkDirectory()
    try:
        yield work
    finally:
        try:
            work.remove()
        finally:  # SIGTERM may come while it is removed, too
            work.remove()


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """All that the steps share."""

    context: BuildContext
    settings: Settings
    project: Project
    sources: PackageSources
    plan: Plan
    restored: Restored
    tools: Tools
    work: WorkDirectory
    log: Log

    @property
    def work_dir(self) -> Path:
        return self.work.path()

    @property
    def python_dir(self) -> Path:
        return self.context.layers_dir / layers.PYTHON

    @property
    def venv_dir(self) -> Path:
        return self.context.layers_dir / layers.VENV

    @property
    def cache_dir(self) -> Path:
        return self.context.layers_dir / layers.PIP_CACHE

    @property
    def built_dir(self) -> Path:
        """Where wheels that were built here are kept."""
        return self.cache_dir / "built" / self._what_fits

    @property
    def kept_dir(self) -> Path:
        return self.cache_dir / "kept"

    @property
    def kept_archive(self) -> Path:
        """Where BP_KEEP_DOWNLOADS keeps the runtime's archive."""
        return self.kept_dir / self.plan.release.file_name

    @property
    def kept_installer(self) -> Path:
        """Where it keeps the installer's cache, with the wheels that were built in it."""
        return self.kept_dir / f"installer-{self._what_fits}"

    @property
    def _what_fits(self) -> str:
        """What is compiled fits one distribution, and a version may be given from without."""
        return layers.digest([self.plan.distribution, given_versions(self.settings.environ)])
