"""uv: pyproject.toml and uv.lock."""

from __future__ import annotations

from collections.abc import Collection

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration
from python_buildpack.managers.uv_workspace import LOCK
from python_buildpack.settings import Settings

NAME = "uv"
ADD_PACKAGE = (
    'Add this line to [project] dependencies in pyproject.toml, and run uv lock: "{package}",'
)
# Of uv's settings in a manifest, those that concern how packages are built …
BUILDING = (
    *("no-binary", "no-binary-package", "no-build", "no-build-package"),
    *("no-build-isolation", "no-build-isolation-package"),
    *("config-settings", "config-settings-package"),
    *("extra-build-dependencies", "extra-build-variables"),
)
# … and those that concern which are chosen: a lock was made by them.
CHOOSING = (
    *("constraint-dependencies", "override-dependencies", "build-constraint-dependencies"),
    *("exclude-newer", "exclude-newer-package", "prerelease", "resolution", "dependency-metadata"),
)
SETTINGS = ("BP_PYTHON_GROUPS", "BP_PYTHON_EXTRAS", "BP_UV_PACKAGE")


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The lock, which lies above the app where that is a member of a workspace."""
    del settings
    return tuple(name for name in names if name == LOCK or name.endswith(f"../{LOCK}"))


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for files that cannot be understood, and for what the lock lacks.

    Whether the lock fits the manifests is for uv to say, before it installs anything.
    """
    from python_buildpack.managers import uv_reader

    return uv_reader.read(files, settings)
