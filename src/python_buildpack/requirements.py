"""Requirement files as pip reads them: which files are reached, and what they declare."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from python_buildpack import errors
from python_buildpack.redact import without_credentials

# Options that uv takes with pip's meaning; any other hands the file to pip.
UV_OPTIONS = frozenset(
    [
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-e",
        "--editable",
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "--no-index",
        "--no-binary",
        "--only-binary",
        "--hash",
    ]
)
_MAX_DEPTH = 50
_MAX_BYTES = 64 * 1024 * 1024
_COMMENT = re.compile(r"(^|\s+)#.*$")
_LOCAL = re.compile(r"^(\.{1,2}(/|$|\[)|/|file:|[^\s;@]*/[^\s;@]*$)")


@dataclass(frozen=True, kw_only=True)
class RequirementFile:
    """One reached file: its path relative to the app, a digest and the lines that count."""

    name: str
    sha256: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """All that the named requirement files declare, nested ones included."""

    roots: tuple[str, ...]
    files: tuple[RequirementFile, ...]
    editables: tuple[str, ...]
    local_projects: tuple[str, ...]
    pip_only: tuple[str, ...]
    has_hashes: bool


def logical_lines(text: str) -> list[str]:
    """Lines with continuations joined and comments removed, as pip does; empty ones dropped."""
    joined: list[str] = []
    pending = ""
    for line in text.splitlines():
        if _COMMENT.match(line):
            # A comment line ends a continuation.
            line = " " + line
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1]
            continue
        joined.append(pending + line)
        pending = ""
    if pending:
        joined.append(pending)
    cleaned = (_COMMENT.sub("", line).strip() for line in joined)
    return [line for line in cleaned if line]


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        for encoding, bom in (("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff")):
            if data.startswith(bom):
                try:
                    return data.decode(encoding)
                except UnicodeDecodeError:
                    break
        line = data[: error.start].count(b"\n") + 1
        raise errors.file_unreadable(f"{name} line {line}", "It is not UTF-8 text.") from None


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _option(line: str) -> tuple[str, str]:
    """The leading option of a line and its value ('' where there is none)."""
    for short in ("-r", "-c", "-e", "-i", "-f"):
        if line.startswith(short) and len(line) > 2 and not line.startswith("--"):
            value = line[2:].strip().removeprefix("=").strip()
            return short, (_words(value) or [""])[0]
    words = _words(line)
    name, equals, value = words[0].partition("=")
    if equals:
        return name, value
    return name, words[1] if len(words) > 1 else ""


def read_requirements(app_dir: Path, roots: Sequence[str]) -> Requirements:
    """Read `roots` and every file that they reach by `-r` and `-c`.

    Raises `UserError` for a file that is missing, unreadable or nested too deeply.
    """
    files: dict[str, RequirementFile] = {}
    editables: list[str] = []
    local: list[str] = []
    pip_only: list[str] = []
    has_hashes = False
    queue: list[tuple[str, str, int]] = [
        (os.path.normpath(root), "BP_PIP_REQUIREMENT", 0) for root in roots
    ]
    while queue:
        name, named_by, depth = queue.pop(0)
        if name in files:
            continue
        if depth > _MAX_DEPTH:
            raise errors.requirements_cycle_too_deep(name)
        path = app_dir / name
        if not path.is_file():
            raise errors.requirements_missing(name, named_by)
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise errors.file_unreadable(name, "It is larger than 64 MiB.")
            text = _decode(path.read_bytes(), name)
        except OSError as error:
            raise errors.file_unreadable(name, str(error)) from None
        lines = logical_lines(text)
        shown = tuple(without_credentials(line) for line in lines)
        digest = hashlib.sha256("\n".join(shown).encode()).hexdigest()
        files[name] = RequirementFile(name=name, sha256=digest, lines=shown)
        folder = os.path.dirname(name)  # noqa: PTH120
        for line in lines:
            has_hashes = has_hashes or " --hash" in line
            if not line.startswith("-"):
                requirement = line.split(" --")[0].strip()
                pip_only += [
                    word.partition("=")[0]
                    for word in line.split()
                    if word.startswith("--") and word.partition("=")[0] not in UV_OPTIONS
                ]
                target = requirement.partition(" @ ")[2].strip() or requirement
                if _LOCAL.match(target) and "://" not in target.replace("file://", ""):
                    local.append(_local_path(target, folder))
                continue
            option, value = _option(line)
            if option in ("-r", "--requirement", "-c", "--constraint"):
                if "://" in value:
                    pip_only.append(f"{option} with a URL")
                else:
                    reached = os.path.normpath(os.path.join(folder, value))  # noqa: PTH118
                    queue.append((reached, f"{name}: {line}", depth + 1))
            elif option in ("-e", "--editable"):
                if "://" in value or value.startswith("git@"):
                    pip_only.append("-e with a URL")
                else:
                    editables.append(_local_path(value, folder))
            elif option not in UV_OPTIONS:
                pip_only.append(option)
    return Requirements(
        roots=tuple(roots),
        files=tuple(files.values()),
        editables=tuple(editables),
        local_projects=tuple(local),
        pip_only=tuple(dict.fromkeys(pip_only)),
        has_hashes=has_hashes,
    )


def _local_path(target: str, folder: str) -> str:
    # pip resolves local paths against the directory it runs in (the app's root), not the file's.
    del folder
    path = re.sub(
        r"\[[^\]]*\]$",
        "",
        target.split(";")[0].strip().removeprefix("file://").removeprefix("file:"),
    )
    return os.path.normpath(path)


def digest_local_project(app_dir: Path, project: str, *, editable: bool) -> str:
    """A digest of what building `project` depends on: its build files, or all of it."""
    root = app_dir / project
    hasher = hashlib.sha256()
    if root.is_file():
        hasher.update(root.read_bytes())
        return hasher.hexdigest()
    if editable and not _has_extensions(root):
        names = [n for n in ("pyproject.toml", "setup.py", "setup.cfg") if (root / n).is_file()]
        paths = [root / name for name in names]
    else:
        paths = sorted(
            Path(folder) / name
            for folder, folders, names in os.walk(root)
            for name in names
            if not _prune(folders) and not name.endswith(".pyc")
        )
    for path in paths:
        if path.is_file():
            hasher.update(os.fsencode(str(path.relative_to(root))) + b"\0")
            hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


def _prune(folders: list[str]) -> bool:
    folders[:] = sorted(
        f for f in folders if f not in {".git", "__pycache__", "build"} and "egg-info" not in f
    )
    return False


def _has_extensions(root: Path) -> bool:
    for name in ("setup.py", "pyproject.toml"):
        path = root / name
        if path.is_file() and re.search(
            rb"ext_modules|Extension\(|cffi|Cython|maturin|mesonpy|scikit_build", path.read_bytes()
        ):
            return True
    return False
