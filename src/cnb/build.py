"""What `bin/build` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnb.bindings import Binding, read_bindings
from cnb.buildpack_plan import PlanEntry, read_buildpack_plan
from cnb.store import read_store
from cnb.target import Target, read_target
from cnb.toml import read_toml


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """Directories, plan, target, bindings and store; the environment as it was at the start.

    `buildpack_version` is what buildpack.toml says, empty where there is none.
    """

    app_dir: Path
    layers_dir: Path
    buildpack_dir: Path
    platform_dir: Path
    plan: tuple[PlanEntry, ...]
    target: Target
    environ: Mapping[str, str]
    bindings: tuple[Binding, ...]
    store: Mapping[str, Any]
    buildpack_version: str = ""


def read_build_context(argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> BuildContext:
    """`argv` holds the positional arguments (layers, platform, plan) of older platforms.

    Raises `ValueError` where one is given in neither way, and `UnreadableBinding`.
    """
    given = [*argv, "", "", ""]
    layers_dir = environ.get("CNB_LAYERS_DIR") or given[0]
    platform_dir = environ.get("CNB_PLATFORM_DIR") or given[1]
    plan_path = environ.get("CNB_BP_PLAN_PATH") or given[2]
    if not (layers_dir and platform_dir and plan_path):
        raise ValueError(
            "CNB_LAYERS_DIR, CNB_PLATFORM_DIR and CNB_BP_PLAN_PATH, or three arguments, must be given"
        )
    buildpack_dir = Path(environ.get("CNB_BUILDPACK_DIR", "."))
    return BuildContext(
        app_dir=cwd,
        layers_dir=Path(layers_dir),
        buildpack_dir=buildpack_dir,
        platform_dir=Path(platform_dir),
        plan=read_buildpack_plan(Path(plan_path)),
        target=read_target(environ),
        environ=dict(environ),
        bindings=read_bindings(Path(platform_dir), environ),
        store=read_store(Path(layers_dir)),
        buildpack_version=_version(buildpack_dir / "buildpack.toml"),
    )


def _version(path: Path) -> str:
    if not path.is_file():
        return ""
    buildpack = read_toml(path).get("buildpack")
    return str(buildpack.get("version", "")) if isinstance(buildpack, dict) else ""
