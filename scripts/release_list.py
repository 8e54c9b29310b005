"""Write the release list from the data of the package pbs-installer."""

from __future__ import annotations

import argparse
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parent.parent / "src" / "python_buildpack" / "data" / "releases.json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# The best first: smaller to fetch, and stripped already.
FLAVOURS = ("install_only_stripped", "install_only", "full")
OLDEST_MINOR = 8
GLIBC = "2.17"


def flavour(file_name: str) -> str | None:
    """The flavour of an archive for glibc, None for any other file."""
    if "unknown-linux-gnu" not in file_name:
        return None
    if "install_only_stripped" in file_name:
        return "install_only_stripped"
    if "install_only" in file_name:
        return "install_only"
    return "full" if file_name.endswith(".tar.zst") else None


def releases(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One archive for each version, architecture and kind of threads, the newest first."""
    best: dict[tuple[int, int, str, bool], tuple[int, dict[str, Any]]] = {}
    for entry in entries:
        version = entry["python_version"]
        if version["implementation"] != "cpython" or version["minor"] < OLDEST_MINOR:
            continue
        for file in entry["files"]:
            kind = flavour(file["filename"])
            arch = ARCHITECTURES.get(file["arch"])
            if kind is None or arch is None or not file["sha256"] or file["platform"] != "linux":
                continue
            found = re.search(r"(?:\+|-)(20\d{6})(?:T\d{4})?", file["filename"])
            free_threaded = version["freethreaded"]
            key = (version["minor"], version["micro"], arch, free_threaded)
            release = {
                "version": f"3.{version['minor']}.{version['micro']}",
                "arch": arch,
                "free_threaded": free_threaded,
                "flavour": kind,
                "build": found[1] if found else "",
                "glibc": GLIBC,
                "url": file["url"],
                "sha256": file["sha256"],
            }
            rank = FLAVOURS.index(kind)
            if key not in best or rank < best[key][0]:
                best[key] = (rank, release)
    return [best[key][1] for key in sorted(best, reverse=True)]


def render(entries: list[dict[str, Any]]) -> str:
    """The release list as text: one line for each release, so that changes are easy to read."""
    lines = ",\n".join(json.dumps(release) for release in releases(entries))
    return f'{{"format": 1, "releases": [\n{lines}\n]}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    source = resources.files("pbs_installer").joinpath("versions.json")
    out.write_text(render(json.loads(source.read_text(encoding="utf-8"))))
    print(f"Wrote {out}")


if __name__ == "__main__":
    main()
