"""Who uses time zones where none are known to be: the standard library brings no database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

DATABASE = Path("/usr/share/zoneinfo")
_PACKAGES = {"django": "Django", "apscheduler": "APScheduler", "tzlocal": "tzlocal"}
_IMPORT = rb"(?m)^[ \t]*(?:from|import)[ \t]+(?:backports\.)?zoneinfo\b"


def user_of_time_zones(
    packages: Mapping[str, str], modules: Iterable[str], database: Path = DATABASE
) -> str | None:
    """What needs a database, where neither the packages nor the build image have one."""
    if "tzdata" in packages or (database / "UTC").exists():
        return None
    for name, shown in _PACKAGES.items():
        if name in packages:
            return shown
    for module in modules:
        try:
            if re.search(_IMPORT, Path(module).read_bytes()):
                return Path(module).name
        except OSError:
            continue
    return None
