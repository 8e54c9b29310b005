"""The virtual environment: made, made reproducible, listed. `installer` fills it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from python_buildpack.redact import without_credentials


def create_venv(venv: Path, python: Path, python_version: str) -> None:
    """An empty environment whose interpreter is `python` (PEP 405), without pip."""
    if venv.exists():
        shutil.rmtree(venv)
    minor = ".".join(python_version.split(".")[:2])
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(python)
    for name in ("python3", f"python{minor}"):
        (venv / "bin" / name).symlink_to("python")
    (venv / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\nversion = {python_version}\n"
    )


def site_packages(venv: Path) -> Path:
    """The one `site-packages` of `venv`."""
    return next((venv / "lib").glob("python3*")) / "site-packages"


def tidy(venv: Path) -> None:
    """Remove what differs between equal installs, and credentials that a tool wrote down."""
    packages = site_packages(venv)
    for dist_info in sorted(packages.glob("*.dist-info")):
        removed = []
        for name in ("uv_cache.json", "REQUESTED"):
            if (dist_info / name).exists():
                (dist_info / name).unlink()
                removed.append(f"{dist_info.name}/{name}")
        direct_url = dist_info / "direct_url.json"
        if direct_url.is_file():
            data = json.loads(direct_url.read_text())
            data["url"] = without_credentials(data.get("url", ""))
            direct_url.write_text(json.dumps(data, sort_keys=True))
        record = dist_info / "RECORD"
        if record.is_file():
            _rewrite_record(record, removed, f"{dist_info.name}/direct_url.json")
    for path in (venv / ".lock", venv / "CACHEDIR.TAG", venv / ".gitignore"):
        path.unlink(missing_ok=True)


def _rewrite_record(record: Path, removed: Sequence[str], unhashed: str) -> None:
    rows = [
        [row[0], "", ""] if row[0] == unhashed else row
        for row in csv.reader(record.read_text().splitlines())
        if row and row[0] not in removed
    ]
    with record.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(rows))


def installed_packages(venv: Path) -> dict[str, str]:
    """Name (PEP 503) -> version of every installed distribution, sorted."""
    found: dict[str, str] = {}
    for metadata in site_packages(venv).glob("*.dist-info/METADATA"):
        name = version = ""
        with metadata.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.strip():
                    break
                if line.lower().startswith("name:"):
                    name = line.partition(":")[2].strip()
                elif line.lower().startswith("version:"):
                    version = line.partition(":")[2].strip()
        if name:
            found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return dict(sorted(found.items()))
