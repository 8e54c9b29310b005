"""The fixtures of tests/managers: a packaged buildpack, and the real lifecycle."""

from __future__ import annotations

from tests.managers.conftest import (
    app,
    binaries,
    build,
    buildpack,
    index,
    shelter,
    space,
    workplace,
)

__all__ = ["app", "binaries", "build", "buildpack", "index", "shelter", "space", "workplace"]
