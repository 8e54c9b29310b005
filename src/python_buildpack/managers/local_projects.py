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

_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_LINTERS = frozenset({"black", "coverage", "isort", "mypy", "pyright", "pytest", "ruff", "tox"})
# Requirements that a build reads from elsewhere; prose changes often, and is no requirement.
_NAMED = rb"[\w./-]+\.(?:txt|in)\b"
_PROSE = r"(?i)(^|/)(readme|licen[cs]e|change|history|news|authors|notice|copying)"
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
    backend_path: Sequence[str] = (),
    notices: tuple[str, ...] = (),
) -> Declaration:
    """The project in the app's root, installed editable, with `lines` beside it.

    Its code is no input, unless it is compiled; what its build reads is.
    """
    inputs: dict[str, str] = {}
    for name in _BUILD_FILES:
        if name == "pyproject.toml" and name in files.names:
            inputs[name] = digest_tables(files.toml(name))
        elif name in files.names:
            inputs[name] = hashlib.sha256(files.data(name)).hexdigest()
    inputs.update(
        (name, hashlib.sha256(files.data(name)).hexdigest()) for name in named_files(files.root)
    )
    for folder in backend_path:
        # The build's own code, in the app's tree (PEP 517).
        whole = os.path.normpath(folder) == "."
        if whole:
            backends = sorted(name for name in files.names if name.endswith(".py"))
            inputs.update((name, hashlib.sha256(files.data(name)).hexdigest()) for name in backends)
        elif files.holds(folder):
            inputs[folder] = digest_local_project(files.root, folder, editable=False)
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
        kept["tool"] = {name: value for name, value in tool.items() if name not in _LINTERS}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(without_credentials(text).encode()).hexdigest()


def digest_lines(lines: Sequence[str]) -> str:
    """Of requirement lines without credentials."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def named_files(root: Path) -> tuple[str, ...]:
    """Text files of the project that its build files name: requirements are often kept in one."""
    found: set[str] = set()
    for build_file in _BUILD_FILES:
        path = root / build_file
        if is_file(path):
            found.update(os.fsdecode(word) for word in re.findall(_NAMED, path.read_bytes()))
    return tuple(
        name
        for name in sorted(os.path.normpath(name) for name in found)
        if not name.startswith(("/", "..")) and not re.search(_PROSE, name) and is_file(root / name)
    )


def digest_local_project(app_dir: Path, project: str, *, editable: bool) -> str:
    """A digest of what building `project` depends on: its build files, or all of it.

    An editable project's code is not copied, so it is no input, unless it is compiled.
    """
    root = app_dir / project
    hasher = hashlib.sha256()
    if is_file(root):
        hasher.update(root.read_bytes())
        return hasher.hexdigest()
    if editable and not has_extensions(root):
        paths = [root / name for name in (*_BUILD_FILES, *named_files(root))]
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
    return hasher.hexdigest()


def _prune(folders: list[str]) -> bool:
    folders[:] = sorted(
        f for f in folders if f not in {".git", "__pycache__", "build"} and "egg-info" not in f
    )
    return False


def has_extensions(root: Path) -> bool:
    """Whether a project's build files speak of compiled modules."""
    texts = {name: _bytes(root / name) for name in _BUILD_FILES}
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
