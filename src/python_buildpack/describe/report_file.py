"""The build report's file: `BP_BUILD_REPORT_PATH`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from python_buildpack.describe.report import cleaned
from python_buildpack.log import Log


def write_report(path: Path, report: Mapping[str, Any], log: Log) -> None:
    """Write `report`, readable; a path that cannot be written is worth a warning, no failure."""
    text = json.dumps(cleaned(report, log.clean), indent=2, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Names of files that are not UTF-8: as JSON writes such characters.
        path.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        log.warning(f"The build report (BP_BUILD_REPORT_PATH) was not written to {path}: {error}")
