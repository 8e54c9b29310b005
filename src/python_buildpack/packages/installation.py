"""What an installation is given, and what its installer is told of it, be it uv or pip."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnb.toml import write_toml
from python_buildpack.describe.summary import plural
from python_buildpack.fetch import ca_bundle
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.managers.local_projects import runs_in_place
from python_buildpack.packages.index_access import Access
from python_buildpack.packages.pylock_selection import as_pylock, requirement_lines
from python_buildpack.run import child_environment

# One set of certificates for uv, pip and what a package's build may fetch.
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_SOURCE_DATE = 315532801  # the lifecycle's own mtime, 1980-01-01T00:00:01Z


@dataclass(frozen=True, kw_only=True)
class Install:
    """What an installation is given.

    `app_dir` lies in `top_dir`, which was uploaded.
    `built_dir` is where wheels that earlier builds built are, if they fit.
    `offline` is the access to wheels at hand alone, where there are some; `vendored`: the app
    brings them, and an index is asked only for what they lack. `locked` are the packages of the
    lock that apply, where it is one that is installed as it is. `versions` are those to choose
    where the requirements leave a choice; without `byte_code` nothing is byte-compiled. `kept` is
    where downloads are kept for the next build, if they are.
    """

    venv: Path
    python: Path
    python_version: str
    app_dir: Path
    top_dir: Path
    built_dir: Path
    work_dir: Path
    install_set: InstallSet
    access: Access
    offline: Access | None
    vendored: bool
    installer: str
    may_fall_back: bool
    require_all_hashes: bool
    environ: Mapping[str, str]
    locked: tuple[Mapping[str, Any], ...] | None = None
    byte_code: bool = True
    kept: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def uv_cache(self) -> Path:
        """Where uv unpacks: on the layers' device, so that it links and does not copy, but no layer
        itself."""
        return self.venv.parent / ".uv-cache"


def requirement_files(install: Install) -> list[str]:
    """The app's own files, and one of ours that holds everything else."""
    install_set = install.install_set
    if install.locked is not None and not install.access.by_name:
        path = install.work_dir / "pylock.toml"
        write_toml(path, as_pylock(install.locked))
        return [str(path)]
    # uv gets those of the pinned lines that are for an index again, with the index.
    lines = [
        *requirement_lines(install.locked or ()),
        *install_set.lines,
        *(line for pinned in install_set.pinned.values() for line in pinned),
        *(_project(install, e) for e in install_set.editables),
    ]
    if not lines and install_set.files:
        return list(install_set.files)
    path = install.work_dir / "requirements.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*install_set.files, str(path)]


def shown(install: Install) -> str:
    """What is installed, in the terms of the app: our own files are named by what they hold."""
    install_set = install.install_set
    lines = len(install_set.lines) + sum(len(found) for found in install_set.pinned.values())
    return " ".join(
        [
            *(f"-r {name}" for name in install_set.files),
            *([f"-r {install_set.lock}"] if install_set.lock else []),
            *([f"({plural(lines, 'requirement')})"] if lines else []),
            *(_option(install, name) + name for name in install_set.editables),
        ]
    )


def _project(install: Install, project: str) -> str:
    """`-e libs/a[extra]` with an absolute path: installers differ in what others are based on."""
    path, bracket, extras = project.partition("[")
    place = os.path.normpath(install.app_dir / path)
    return f"{_option(install, project)}{place}{bracket}{extras}"


def _option(install: Install, project: str) -> str:
    return "-e " if runs_in_place(install.app_dir / project.partition("[")[0]) else ""


def shared_options(install: Install) -> list[str]:
    """The options that uv and pip both understand."""
    options = ["--no-deps"] if install.install_set.locked else []
    if install.versions and not (install.install_set.locked or install.install_set.require_hashes):
        path = install.work_dir / "versions.txt"
        path.write_text("".join(f"{name}=={one}\n" for name, one in install.versions.items()))
        options += ["--constraint", str(path)]
    return options


def tool_environment(install: Install, environ: Mapping[str, str]) -> dict[str, str]:
    """Of a process of uv or pip that is given `environ`."""
    bundle = ca_bundle(environ)
    trusted = dict.fromkeys(_CA_VARIABLES, bundle) if isinstance(bundle, str) else {}
    return child_environment(
        {**trusted, **environ},
        {
            "VIRTUAL_ENV": str(install.venv),
            "PATH": f"{install.venv}/bin:{install.environ.get('PATH', '/usr/bin:/bin')}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": str(_SOURCE_DATE),
            "TMPDIR": str(install.work_dir),
            "HOME": install.environ.get("HOME", str(install.work_dir)),
        },
    )
