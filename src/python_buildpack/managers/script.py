"""A script that declares its own dependencies (PEP 723): BP_PYTHON_SCRIPT, or one of the Procfile's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from typing import Any

from python_buildpack import errors
from python_buildpack.app.files import AppFiles, parse_toml
from python_buildpack.managers.declaration import Declaration, Index, InstallSet
from python_buildpack.managers.local_projects import digest_tables
from python_buildpack.managers.uv import BUILDING, CHOOSING
from python_buildpack.presence import is_file
from python_buildpack.redact import without_credentials
from python_buildpack.settings import Settings

NAME = "script"
ADD_PACKAGE = 'Add this line to the dependencies in the script\'s metadata: "{package}",'
SETTINGS = ("BP_PYTHON_SCRIPT",)
_WORD = rb"[\w./-]+\.py\b"


def found(names: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The script, or a Procfile that may name one."""
    if settings.script:
        return (settings.script,)
    return tuple(name for name in ("Procfile",) if name in names)


def read(files: AppFiles, settings: Settings) -> Declaration:
    """Raises `UserError` for a script that is missing or whose metadata is malformed."""
    own = own_metadata(files, settings)
    if own is not None:
        return _declaration(files, *own)
    if settings.script:
        raise errors.script_without_metadata(settings.script)
    return Declaration(
        manager="none",
        install=None,
        notices=("No file declares packages: only Python is installed",),
    )


def own_metadata(files: AppFiles, settings: Settings) -> tuple[str, dict[str, Any]] | None:
    """The script and its metadata; None where no script has any. Raises as `read`."""
    if settings.script:
        name = posixpath.normpath(settings.script)
        if name.startswith(("/", "..")):
            raise errors.path_leaves_app("BP_PYTHON_SCRIPT", settings.script)
        metadata = script_metadata(files.data(name), name)
        return None if metadata is None else (name, metadata)
    for name in procfile_scripts(files) if "Procfile" in files.names else ():
        metadata = script_metadata(files.data(name), name)
        if metadata is not None:
            return name, metadata
    return None


def procfile_scripts(files: AppFiles) -> list[str]:
    """The scripts in the app that the Procfile's commands name."""
    words = dict.fromkeys(re.findall(_WORD, files.data("Procfile")))
    names = [posixpath.normpath(word.decode(errors="replace")) for word in words]
    return [
        name for name in names if not name.startswith(("/", "..")) and is_file(files.root / name)
    ]


def script_metadata(data: bytes, name: str) -> dict[str, Any] | None:
    """The table of the block `# /// script`; None where there is none.

    Raises `UserError` for two blocks, one without an end, and one that is not TOML.
    """
    lines = data.decode("utf-8", "replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line.rstrip() == "# /// script"]
    if not starts:
        return None
    content: list[str] = []
    end: int | None = None
    # The block ends at the last `# ///` of the comment.
    for line in lines[starts[0] + 1 :]:
        if line != "#" and not line.startswith("# "):
            break
        if line.rstrip() == "# ///":
            end = len(content)
        content.append(line[2:])
    where = f"{name} line {starts[0] + 1}"
    if end is None:
        raise errors.script_metadata_invalid(where, "The block has no end: a line `# ///`.")
    if [start for start in starts if start > starts[0] + end]:
        raise errors.script_metadata_invalid(where, "There are two such blocks.")
    try:
        return parse_toml("\n".join(content[:end]))
    except (ValueError, RecursionError) as error:
        raise errors.script_metadata_invalid(where, f"It is not valid TOML: {error}.") from None


def _declaration(files: AppFiles, name: str, metadata: dict[str, Any]) -> Declaration:
    dependencies = metadata.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
        raise errors.script_metadata_invalid(name, "`dependencies` is not a list of strings.")
    tool = metadata.get("tool")
    table = tool.get("uv") if isinstance(tool, dict) else None
    uv = table if isinstance(table, dict) else {}
    inputs = {name: digest_tables(metadata)}
    if is_file(files.root / f"{name}.lock"):
        from python_buildpack.managers import uv_reader  # most scripts have no lock

        install, locked, shown = uv_reader.read_script(files, name, uv)
        return Declaration(manager=NAME, install=install, inputs={**inputs, **locked}, shown=shown)
    if uv.get("sources"):
        raise errors.script_metadata_invalid(
            name,
            "[tool.uv.sources] is not supported: without it other packages of the same names "
            f"would be installed. Write such a dependency as `name @ URL`, or run `uv lock --script "
            f"{name}` and commit {name}.lock.",
        )
    used = (*BUILDING, *CHOOSING)
    others = sorted(set(uv) - {*used, "index", "sources"})
    return Declaration(
        manager=NAME,
        install=InstallSet(
            lines=tuple(dependencies),
            indexes=_indexes(uv),
            uv_settings={key: uv[key] for key in used if key in uv},
        ),
        inputs=inputs,
        warnings=(f"Without effect: {', '.join(others)} in [tool.uv] of {name}",) if others else (),
        shown={name: tuple(without_credentials(line) for line in dependencies)},
    )


def _indexes(uv: Mapping[str, Any]) -> tuple[Index, ...]:
    found = uv.get("index")
    return tuple(
        Index(
            name=str(index.get("name", "")),
            url=str(index["url"]),
            default=index.get("default") is True,
        )
        for index in (found if isinstance(found, list) else ())
        if isinstance(index, dict) and "url" in index
    )
