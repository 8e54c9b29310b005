"""What a project's build reads beside its build files, as far as these name it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from python_buildpack.app.files import MAX_BYTES, parse_toml
from python_buildpack.managers.local_projects import BUILD_FILES, LINTERS, digest_local_project
from python_buildpack.presence import exists, is_file

# What backends run without being told its name.
_HOOKS = ("hatch_build.py", "pdm_build.py")
# Prose changes often, and is no requirement; of locks only what is chosen counts.
_NO_INPUT = (
    r"(?i)(^|/)(readme|licen[cs]e|change|history|news|authors|notice|copying)|\.(md|rst|lock)$"
)
_REQUIREMENTS = rb"[\w./-]+\.(?:txt|in)\b"
_WORD = r"[\w./+-]{1,200}"
# A path in setup.py may be in parts: `join(here, "shop", "deps.json")`, `here / "shop" / "deps.json"`.
_QUOTED = re.compile(rf"""([\s,/]{{0,40}})["']({_WORD})["']""")
_IMPORT = re.compile(r"(?m)^[ \t]*(?:from[ \t]+([\w.]+)|import[ \t]+([\w., \t]+))")
_SETTINGS = re.compile(r"(?ms)^\[\s*(?:metadata|options)[^\]]*\](.*?)(?=^\[|\Z)")
# What goes into a wheel: an editable project's does not.
_CONTENTS = frozenset(
    [
        *("include", "includes", "only-include", "exclude", "excludes"),
        *("package-data", "exclude-package-data", "source-includes", "source-excludes"),
    ]
)
# Where the tables of backends name code of theirs; elsewhere a module may be the app's main one.
_BACKENDS = frozenset({"hatch", "pdm", "poetry", "setuptools"})
_CODE = frozenset({"path", "file", "script", "build"})
_REEXPORTS = 3


def build_inputs(root: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Name -> digest of the files in `root`, its build files left out.

    `manifest` is what its pyproject.toml holds.
    """
    texts = {name: _bytes(root / name) for name in BUILD_FILES}
    found = {os.fsdecode(w) for text in texts.values() for w in re.findall(_REQUIREMENTS, text)}
    setup = texts["setup.py"].decode(errors="replace")
    found |= {*_HOOKS, *_quoted_paths(setup), *_named(manifest)}
    for match in _IMPORT.finditer(setup):
        for module in (match[1] or match[2]).split(","):
            found |= set(_modules(root, module.split()[0])) if module.split() else set()
    apart = dict([*_versions(root, manifest), *_backends(root, manifest)])
    for section in _SETTINGS.findall(texts["setup.cfg"].decode(errors="replace")):
        found |= set(re.findall(_WORD, section))
        for attribute in re.findall(r"attr:\s*([\w.]+)", section):
            apart |= _version(root, attribute)
    paths = filter(re.compile(_WORD).fullmatch, found)  # most texts are none, such as `flask>=3`
    names = sorted({os.path.normpath(path) for path in paths} - set(BUILD_FILES))
    return {name: _digest(root / name) for name in names if _counts(root, name)} | apart


def _named(manifest: Mapping[str, Any]) -> Iterator[str]:
    for keys, text in _strings(manifest):
        of_backend = keys[1:2] and keys[1] in _BACKENDS and keys[-1] in _CODE
        if not text.endswith(".py") or (of_backend and "version" not in keys):
            yield text


def _backends(root: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The build's own code, in the project's tree (PEP 517)."""
    folders = at(manifest, "build-system", "backend-path")
    for folder in folders if isinstance(folders, list) else ():
        place = os.path.normpath(str(folder))
        if place == ".":
            yield from ((one.name, _digest(one)) for one in sorted(root.glob("*.py")))
        elif not place.startswith(("/", "..")) and exists(root / place):
            yield place, digest_local_project(root, place, editable=False)


def _versions(root: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of versions in the code: where a literal is plain, what is around it may change."""
    for backend in ("hatch", "pdm"):
        table = at(manifest, "tool", backend, "version")
        file = os.path.normpath(str(at(table, "path")))
        if not file.endswith(".py") or not _counts(root, file):
            continue
        if "pattern" in table or "expression" in table:
            yield file, _digest(root / file)
        else:
            yield _own_or_whole(root, file, "(?:__version__|VERSION|version)")
    attribute = at(manifest, "tool", "setuptools", "dynamic", "version", "attr")
    getter = at(manifest, "tool", "pdm", "version", "getter")
    names = [str(attribute), str(getter).replace(":", ".")]
    dynamic = at(manifest, "project", "dynamic")
    if (
        isinstance(dynamic, list)
        and "version" in dynamic
        and str(at(manifest, "build-system", "build-backend")).startswith("flit")
    ):
        module = at(manifest, "tool", "flit", "module", "name")
        module = module or re.sub(r"[-.]+", "_", str(at(manifest, "project", "name")))
        names.append(f"{module}.__version__")
    for name in names:
        yield from _version(root, name).items()


def at(table: object, *keys: str) -> Any:
    """What is at the end of `keys`; None where that is absent."""
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _strings(value: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each text, keys of tables included, with the keys that lead to it."""
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            if key not in _CONTENTS and not (keys == ("tool",) and key in LINTERS):
                yield keys, key
                yield from _strings(child, (*keys, key))
    elif isinstance(value, list):
        for child in value:
            yield from _strings(child, keys)


def _quoted_paths(code: str) -> Iterator[str]:
    parts: list[str] = []
    end = -1
    for match in _QUOTED.finditer(code):
        follows = match.start() == end and ("," in match[1] or "/" in match[1])
        parts = [*parts[-3:], match[2]] if follows else [match[2]]
        end = match.end()
        yield from ("/".join(parts[first:]) for first in range(len(parts)))


def _version(root: Path, attribute: str, more: int = _REEXPORTS) -> dict[str, str]:
    """Of the file with `module.name`; of those too from which it has the name."""
    module, _, name = attribute.rpartition(".")
    files = [file for base in ("", "src/") for file in _modules(root, module, base)[-1:]]
    if not files or not name:
        return {}
    label, digest = _own_or_whole(root, files[0], re.escape(name))
    found = {label: digest}
    code = _bytes(root / files[0]).decode(errors="replace")
    imported = re.search(
        rf"(?m)^from[ \t]+(\.*)([\w.]*)[ \t]+import\b[^\n]*?(?:\b(\w+)[ \t]+as[ \t]+|\b){re.escape(name)}\b",
        code,
    )
    if imported and more:
        package = module.split(".") if files[0].endswith("__init__.py") else module.split(".")[:-1]
        above = package[: len(package) - len(imported[1]) + 1] if imported[1] else []
        place = ".".join([*above, *filter(None, [imported[2]]), imported[3] or name])
        found |= _version(root, place, more - 1)
    return found


def _own_or_whole(root: Path, file: str, name: str) -> tuple[str, str]:
    """The literal that is assigned to `name`; all of the file where that is not so plain."""
    code = _bytes(root / file).decode(errors="replace")
    literals = re.findall(
        rf"(?m)^{name}\b[^=\n]*=[ \t]*([\"'][^\"'\n\\]*[\"'])[ \t]*(?:#.*)?$", code
    )
    assigned = re.findall(rf"(?m)^[ \t]*{name}\b[^=\n]*=(?!=)", code)
    if len(literals) == len(assigned) == 1:
        return f"{file} (version)", hashlib.sha256(literals[0].encode()).hexdigest()
    return file, _digest(root / file)


def _modules(root: Path, dotted: str, base: str = "") -> list[str]:
    """The files of a module and of the packages that it lies in, as far as they are below `base`."""
    parts = dotted.split(".") if re.fullmatch(r"\w+(?:\.\w+)*", dotted) else []
    places = [base + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    names = [[f"{place}/__init__.py", f"{place}.py"] for place in places]
    return [name for pair in names for name in pair if is_file(root / name)]


def _counts(root: Path, name: str) -> bool:
    outside = name.startswith(("/", ".."))
    return not outside and is_file(f"{root}/{name}") and not re.search(_NO_INPUT, name)


def _digest(path: Path) -> str:
    return hashlib.sha256(_bytes(path)).hexdigest()


def _bytes(path: Path) -> bytes:
    """Nothing of what cannot be read, or is too large to say how to build."""
    try:
        return path.read_bytes() if is_file(path) and path.stat().st_size <= MAX_BYTES else b""
    except OSError:
        return b""


def read_manifest(root: Path) -> Mapping[str, Any]:
    """What pyproject.toml holds; nothing where it is absent or malformed: the build says so."""
    try:
        return parse_toml(_bytes(root / "pyproject.toml").decode())
    except (ValueError, RecursionError):
        return {}
