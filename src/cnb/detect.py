"""What `bin/detect` is given. Imports next to nothing: detect is paid in every build."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class DetectContext:
    """Directories as strings, the path of the build plan, the environment."""

    def __init__(
        self,
        app_dir: str,
        buildpack_dir: str,
        platform_dir: str,
        plan_path: str,
        environ: Mapping[str, str],
    ) -> None:
        self.app_dir = app_dir
        self.buildpack_dir = buildpack_dir
        self.platform_dir = platform_dir
        self.plan_path = plan_path
        self.environ = environ


def read_detect_context(
    argv: Sequence[str], environ: Mapping[str, str], cwd: str | os.PathLike[str]
) -> DetectContext:
    """`argv` holds the positional arguments (platform, plan) of platforms before API 0.8."""
    platform_dir = environ.get("CNB_PLATFORM_DIR") or (argv[0] if argv else "")
    plan_path = environ.get("CNB_BUILD_PLAN_PATH") or (argv[1] if len(argv) > 1 else "")
    if not plan_path:
        raise ValueError("neither CNB_BUILD_PLAN_PATH nor a second argument names the build plan")
    return DetectContext(
        os.fspath(cwd), environ.get("CNB_BUILDPACK_DIR", ""), platform_dir, plan_path, environ
    )
