"""Projects in the app's own tree: what their installation depends on."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from python_buildpack.app.files import AppFiles
from python_buildpack.managers.declaration import Declaration, InstallSet
from python_buildpack.presence import is_file
from python_buildpack.redact import without_credentials

BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
LINTERS = frozenset({"black", "coverage", "isort", "mypy", "pyright", "pytest", "ruff", "tox"})
# A build may be told its version from without.
_GIVEN_VERSION = re.compile(
    r"\w+_PRETEND_(?:VERSION|METADATA)\w*|PBR_VERSION|PDM_BUILD_SCM_VERSION"
    r"|\w+_DYNAMIC_VERSIONING_BYPASS|VERSIONEER_OVERRIDE"
)
# What compiles modules: tables and arguments, in any build file; in pyproject.toml the requirements
# of the build; in setuptools' own files, which are code, what they import or require for it.
_DECLARED = rb"(?:ext|cffi)[-_]modules|rust[-_]extensions|tool\.setuptools-rust"
_BUILD_SYSTEM = rb"(?ms)^\s*\[\s*build-system\s*\](.*?)(?=^\s*\[|\Z)"
_COMPILERS = (
    rb"(?i)\b(?:cffi|cython|maturin|meson[-_]?python|mesonpy|nanobind|pybind11|py[-_]build[-_]cmake"
    rb"|scikit[-_]build(?:[-_]core)?|setuptools[-_]rust|sip|skbuild|hatch[-_](?:cython|mypyc))\b"
)
_AT_IMPORT = rb"(?i)\bmeson[-_]?py"
_COMPILING_CODE = rb"Extension\(|add_extension|cythonize|mypycify|\bskbuild\b"


def root_project(
    files: AppFiles,
    manager: str,
    *,
    extras: Sequence[str],
    lines: tuple[str, ...] = (),
    shown: Mapping[str, tuple[str, ...]] | None = None,
    notices: tuple[str, ...] = (),
) -> Declaration:
    """The project in the app's root, installed editable, with `lines` beside it.

    Its code is no input, unless it is compiled; what its build reads is.
    """
    from python_buildpack.managers.build_inputs import build_inputs  # most apps are no project

    inputs: dict[str, str] = {}
    manifest: Mapping[str, Any] = {}
    for name in BUILD_FILES:
        if name == "pyproject.toml" and name in files.names:
            manifest = files.toml(name)
            inputs[name] = digest_tables(manifest)
        elif name in files.names:
            inputs[name] = hashlib.sha256(files.data(name)).hexdigest()
    inputs |= build_inputs(files.root, manifest)
    if has_extensions(files.root):
        # Compiled modules are built when it is installed: all of its source counts.
        inputs["the project's source"] = digest_local_project(files.root, ".", editable=False)
    chosen = f"[{','.join(extras)}]" if extras else ""
    return Declaration(
        manager=manager,
        install=InstallSet(editables=(f".{chosen}",), built=(".",), lines=lines),
        inputs=inputs,
        shown=shown or {},
        notices=notices,
    )


def digest_tables(table: Mapping[str, Any]) -> str:
    """Of the tables that an installation depends on; those of linters and the like change often."""
    tool = table.get("tool")
    kept = {name: value for name, value in table.items() if name != "tool"}
    if isinstance(tool, dict):
        kept["tool"] = {name: value for name, value in tool.items() if name not in LINTERS}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(without_credentials(text).encode()).hexdigest()


def digest_lines(lines: Sequence[str]) -> str:
    """Of requirement lines without credentials."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def given_versions(environ: Mapping[str, str]) -> dict[str, str]:
    """Variable -> digest of those that say the version of what is built."""
    return {
        name: digest_lines([value])
        for name, value in sorted(environ.items())
        if _GIVEN_VERSION.fullmatch(name)
    }


def digest_local_project(app_dir: Path, project: str, *, editable: bool) -> str:
    """A digest of what building `project` depends on: its build files, or all of it.

    An editable project's code is not copied, so it is no input, unless it is compiled.
    """
    root = app_dir / project
    hasher = hashlib.sha256()
    if is_file(root):
        hasher.update(root.read_bytes())
        return hasher.hexdigest()
    named: Mapping[str, str] = {}
    if editable and not has_extensions(root):
        from python_buildpack.managers.build_inputs import build_inputs, read_manifest

        paths = [root / name for name in BUILD_FILES]
        named = build_inputs(root, read_manifest(root))
    else:
        paths = sorted(
            Path(folder) / name
            for folder, folders, names in os.walk(root)
            for name in names
            if not _prune(folders) and not name.endswith(".pyc")
        )
    for path in paths:
        if is_file(path):
            hasher.update(os.fsencode(str(path.relative_to(root))) + b"\0")
            hasher.update(hashlib.sha256(path.read_bytes()).digest())
    for name, digest in named.items():
        hasher.update(os.fsencode(name) + b"\0" + bytes.fromhex(digest))
    return hasher.hexdigest()


def _prune(folders: list[str]) -> bool:
    folders[:] = sorted(
        f for f in folders if f not in {".git", "__pycache__", "build"} and "egg-info" not in f
    )
    return False


def has_extensions(root: Path) -> bool:
    """Whether a project's build files speak of compiled modules."""
    texts = {name: _bytes(root / name) for name in BUILD_FILES}
    return (
        any(re.search(_DECLARED, text) for text in texts.values())
        or any(re.search(_COMPILING_CODE, texts[name]) for name in ("setup.py", "setup.cfg"))
        or _is_built_by(_COMPILERS, texts["pyproject.toml"])
    )


def runs_in_place(root: Path) -> bool:
    """Whether a project that is installed editable needs no compiler when it runs."""
    return not _is_built_by(_AT_IMPORT, _bytes(root / "pyproject.toml"))


def _is_built_by(names: bytes, manifest: bytes) -> bool:
    found = re.search(_BUILD_SYSTEM, manifest)
    return found is not None and re.search(names, found[1]) is not None


def file_url_path(url: str) -> str:
    """The path in a `file:` URL, with or without `//`; a path stays what it is, but for `%xx`."""
    return unquote(url.removeprefix("file://").removeprefix("file:"))


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if is_file(path) else b""
