"""What the tools' configuration names on this disk: its contents are inputs, as the app's own are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.requirement_files import read_requirements
from python_buildpack.packages.local_wheels import digest_place
from python_buildpack.presence import exists, is_file


def digest_configured(
    root: Path, environ: Mapping[str, str], files: Mapping[str, str], links: Iterable[str]
) -> dict[str, str]:
    """A name for the user -> a digest of the contents, none of which holds credentials.

    `files` maps an option to the requirement files that it names, separated by white space; `links`
    are places with wheels. What is not there is left to the tool, which says so.
    Raises `UserError` for files that cannot be read.
    """
    found: dict[str, str] = {}
    app = AppFiles(root)
    for option, named in files.items():
        there = [name for name in named.split() if is_file(root / name)]
        for file in read_requirements(app, there, environ).files:
            found[f"{file.name} (--{option})"] = file.sha256 + file.variables
    for place in links:
        if exists(root / place):
            found[f"{place} (--find-links)"] = digest_place(root / place)
    return found
