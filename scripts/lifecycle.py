"""Build the real CNB lifecycle and launcher, with the links that give each phase its name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from go_tools import GoToolError, ensure_tools, module_version

MODULE = "github.com/buildpacks/lifecycle"
PHASES = (
    "analyzer",
    "builder",
    "creator",
    "detector",
    "exporter",
    "extender",
    "rebaser",
    "restorer",
)


def lifecycle_version() -> str:
    """The version of the lifecycle, without the `v`."""
    return module_version("lifecycle", MODULE)


def ensure_lifecycle(log: Callable[[str], None]) -> Path:
    """The directory that holds `lifecycle`, `launcher` and a link per phase; built if need be."""
    return ensure_tools(
        "lifecycle",
        MODULE,
        ("cmd/lifecycle", "cmd/launcher"),
        log,
        flags=lambda version: f"-X {MODULE}/cmd.Version={version}",
        links=dict.fromkeys(PHASES, "lifecycle"),
    )


def main() -> int:
    """Build it, and print where it is."""
    try:
        print(ensure_lifecycle(lambda line: print(line, file=sys.stderr, flush=True)))
    except GoToolError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
