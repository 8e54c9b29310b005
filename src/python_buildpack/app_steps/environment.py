"""The environment of the steps that run the app during the build. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from python_buildpack.forbidden import FORBIDDEN

_DEFAULTS = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


def app_environment(
    environ: Mapping[str, str],
    root: str,
    programs: Sequence[str],
    extra: Mapping[str, str],
) -> dict[str, str]:
    """What the app would see at launch, as far as that is known at build.

    `programs` go first on PATH. The user's own values win over `extra`.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name not in FORBIDDEN and not name.startswith("CNB_")
    }
    return {
        **_DEFAULTS,
        **extra,
        **kept,
        "PATH": ":".join((*programs, kept.get("PATH", "/usr/local/bin:/usr/bin:/bin"))),
        "PYTHONPATH": ":".join(part for part in (kept.get("PYTHONPATH"), root) if part),
        # Byte code that carries times would be stale in the image, and differ in every build.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
