"""The app's files and settings -> what Python they ask for. Each request says where it stands."""

from __future__ import annotations

import codecs
import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.detection import misspelt_version_file
from python_buildpack.managers.script import own_metadata
from python_buildpack.managers.uv_workspace import lock_above
from python_buildpack.runtime.releases import DEFAULT_MINOR
from python_buildpack.runtime.version_syntax import (
    Request,
    Source,
    from_poetrys,
    is_poetrys,
    parse_poetry,
    parse_range,
    parse_request,
)
from python_buildpack.runtime.versions import Requests, VersionWarning
from python_buildpack.settings import Settings

SETTING = "BP_CPYTHON_VERSION"
VERSION_FILE = ".python-version"
RUNTIME_FILE = "runtime.txt"
PIPFILE_LOCK = "Pipfile.lock"
_PROJECT_KEY = "[project] requires-python"
_POETRY_BACKENDS = ("poetry.core.masonry.api", "poetry.masonry.api")
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,4}(?:\.[0-9]{1,4})?t?")
# Of a line that holds nothing else; and within other words.
_HELD = re.compile(rf"(?:(?:[cC]?[pP]ython|pypy|v)[-@=]*)?{_VERSION.pattern}")
_MEANT = re.compile(rf"(?<![0-9.])(?=[23]\.){_VERSION.pattern}")
_LINES = re.compile(r"\r\n|\n|\r")


def read_version_requests(files: AppFiles, settings: Settings, manager: str) -> Requests:
    """Everything that names a Python version, in the order of precedence.

    A lock counts where `manager` (a package manager's name) is the one that installs it. Of
    BP_CPYTHON_VERSION, runtime.txt and .python-version the first is read alone. Raises `UserError`
    for what cannot be read or understood.
    """
    warnings = list(_misspelt(files, settings))
    asked: Request | None = None
    if settings.python_version:
        asked = _setting(settings.python_version)
    elif RUNTIME_FILE in files.names:
        asked = _version_file(files, RUNTIME_FILE)
        warnings.append(_deprecated(asked.text, VERSION_FILE in files.names))
    elif VERSION_FILE in files.names:
        asked = _version_file(files, VERSION_FILE)
    required = list(_required(files, settings, manager))
    warnings += [
        _poetrys(one) for one in required if one.source.key == _PROJECT_KEY and is_poetrys(one.text)
    ]
    if manager == "pipenv" and PIPFILE_LOCK in files.names and (locked := _pipfile_lock(files)):
        required.insert(0, locked)
        if asked is None:
            asked = required.pop(0)
    return Requests(asked=asked, required=tuple(required), warnings=tuple(warnings))


def _setting(value: str) -> Request:
    source = Source(name=SETTING, fix=f"set {SETTING}={{wanted}}")
    if any(map(_is_invisible, value)):
        raise errors.python_version_invalid(SETTING, value, source.fixed(_guess(value)))
    return parse_request(value, source)


def _version_file(files: AppFiles, name: str) -> Request:
    """The one version that the file holds; blank lines and comments do not count."""
    fix = f"echo '{{wanted}}' > {VERSION_FILE}"
    if name == RUNTIME_FILE:
        fix += f" && git rm {RUNTIME_FILE}"
    found: list[tuple[int, str, str]] = []
    text = _decoded(files.data(name), name, fix)
    for number, line in enumerate(_LINES.split(text), start=1):
        wanted = line.partition("#")[0].strip()
        if name == RUNTIME_FILE:
            wanted = wanted.removeprefix("python-")
        words = wanted.split()
        if len(words) > 1 and all(_VERSION.fullmatch(word) for word in words):
            found += [(number, line, word) for word in words]
        elif wanted:
            found.append((number, line, wanted))
    if not found:
        fixed = fix.replace("{wanted}", DEFAULT_MINOR)
        raise errors.version_file_empty(name, _excerpt(text), fixed)
    if len(found) > 1:
        lines = list(dict.fromkeys((number, line) for number, line, _ in found))
        held = [wanted for _, _, wanted in found if _HELD.fullmatch(wanted)]
        fixed = fix.replace("{wanted}", _guess("\n".join((*held, *(line for _, line in lines)))))
        if len(held) > 1:
            raise errors.version_file_several(name, lines, fixed)
        raise errors.version_file_holds_more(name, lines, fixed)
    number, line, wanted = found[0]
    return parse_request(wanted, Source(name=name, fix=fix, line=number), shown=line)


def _decoded(data: bytes, name: str, fix: str) -> str:
    """The text of a version file. Raises `UserError` for any encoding but plain UTF-8."""
    encoding = _wide_encoding(data)
    if encoding is not None:
        text = data.decode(encoding, "replace").lstrip("\ufeff")
        shown = _excerpt(data.partition(b"\n")[0])
        raise errors.version_file_utf16(name, shown, fix.replace("{wanted}", _guess(text)))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        shown = _excerpt(data.split(b"\n")[number - 1])
        fixed = fix.replace("{wanted}", _guess(data.decode("ascii", "replace")))
        raise errors.version_file_not_utf8(name, number, shown, fixed) from None
    fixed = fix.replace("{wanted}", _guess(text))
    if text.startswith("\ufeff"):
        raise errors.version_file_bom(name, _excerpt(_LINES.split(text)[0]), fixed)
    for number, line in enumerate(_LINES.split(text), start=1):
        if any(map(_is_invisible, line.partition("#")[0].rstrip(" \t"))):
            raise errors.version_file_control_characters(name, number, _excerpt(line), fixed)
    return text


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32, by its mark or by the zeros between ASCII characters."""
    for mark, encoding in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return encoding
    head = data[:64]
    if len(head) >= 4 and not any(head[1::2]) and all(head[0::2]):
        return "utf-16-le"
    if len(head) >= 4 and not any(head[0::2]) and all(head[1::2]):
        return "utf-16-be"
    return None


def _is_invisible(character: str) -> bool:
    if character in "\t ":
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Cs", "Co")


def _guess(text: str) -> str:
    """The version that was probably meant."""
    found = _MEANT.search(text)
    return found[0] if found else DEFAULT_MINOR


def _excerpt(line: str | bytes) -> str:
    shown = line[:100]
    return repr(shown) if len(line) <= 100 else f"{shown!r} ..."


def _deprecated(version: str, has_version_file: bool) -> VersionWarning:
    text = (
        "runtime.txt is deprecated. Replace it: "
        f"echo '{version}' > {VERSION_FILE} && git rm {RUNTIME_FILE}"
    )
    if has_version_file:
        text += f"\nAs long as it is there, {VERSION_FILE} is not read."
    return VersionWarning(kind="runtime-txt-deprecated", text=text)


def _poetrys(request: Request) -> VersionWarning:
    same = from_poetrys(request.text)
    advice = request.source.fixed(same) if same else "write it with >=, < and commas"
    return VersionWarning(
        kind="poetrys-notation",
        text=f"{request.source}: {request.text} is Poetry's notation, which other tools refuse here. "
        f"For all of them: {advice}",
    )


def _misspelt(files: AppFiles, settings: Settings) -> Iterator[VersionWarning]:
    """An error, unless something else says which version: then it is a warning."""
    decided = settings.python_version or {VERSION_FILE, RUNTIME_FILE} & files.names
    for name in sorted(files.names):
        right = misspelt_version_file(name)
        if right is None:
            continue
        if not decided:
            raise errors.version_file_misspelt(name, right, _renamed(files, name, right))
        yield VersionWarning(
            kind="version-file-misspelt",
            text=f"{name} is not read: the file's name must be {right}. Remove it: "
            f"git rm {shlex.quote(name)}",
        )


def _renamed(files: AppFiles, name: str, right: str) -> str:
    quoted = shlex.quote(name)
    if right == VERSION_FILE:
        return f"git mv {quoted} {VERSION_FILE}"
    version = _guess(files.data(name).decode("utf-8", "replace"))
    return f"echo '{version}' > {VERSION_FILE} && git rm {quoted}"


def _pipfile_lock(files: AppFiles) -> Request | None:
    """What Pipenv locked for: python_full_version is more exact than python_version."""
    name = PIPFILE_LOCK
    requires = _table(_table(files.json(name).get("_meta")).get("requires"))
    for key in ("python_full_version", "python_version"):
        if key not in requires:
            continue
        source = Source(
            name=name,
            key=key,
            line=_line(files.text(name), rf'"{key}"\s*:'),
            fix='write into [requires] of Pipfile: python_version = "{wanted}", then run: pipenv lock',
        )
        text = _text(requires[key], source)
        return None if text.strip() in ("", "*") else parse_request(text, source)
    return None


def _required(files: AppFiles, settings: Settings, manager: str) -> Iterator[Request]:
    """The ranges that locks and the project declare."""
    if manager == "pylock" and (name := _pylock(files, settings)):
        fix = 'lock again for a range such as requires-python = "{wanted}"'
        yield from _range(files, name, "", "requires-python", fix)
    if manager == "uv":
        fix = 'write into [project] of pyproject.toml: requires-python = "{wanted}", then: uv lock'
        for name in ("uv.lock",) if "uv.lock" in files.names else lock_above(files):
            yield from _range(files, name, "", "requires-python", fix)
    if "pyproject.toml" in files.names:
        yield from _pyproject(files, manager)
    if manager == "pdm" and "pdm.lock" in files.names:
        yield from _pdm_lock(files)
    if "setup.cfg" in files.names and not _has_project(files):
        yield from _setup_cfg(files)
    if manager == "script" and (script := own_metadata(files, settings)):
        name, metadata = script
        if "requires-python" in metadata:
            value = metadata["requires-python"]
            source = Source(
                name=name,
                key="requires-python",
                line=_line(files.data(name).decode("utf-8", "replace"), r"^#\s*requires-python\b"),
                fix=f'write into the metadata of {name}: # requires-python = "{{wanted}}"',
                operator=">=",
            )
            yield parse_range(_text(value, source), source=source)


def _pylock(files: AppFiles, settings: Settings) -> str | None:
    """The lock that is used: the one that BP_PYLOCK names, else pylock.toml, else the only one."""
    if settings.pylock:
        named = (settings.pylock, f"pylock.{settings.pylock}.toml")
        return next((name for name in named if name in files.names), None)
    if "pylock.toml" in files.names:
        return "pylock.toml"
    found = [name for name in files.names if re.fullmatch(r"pylock\.[^.]+\.toml", name)]
    return found[0] if len(found) == 1 else None


def _has_project(files: AppFiles) -> bool:
    return "pyproject.toml" in files.names and "project" in files.toml("pyproject.toml")


def _pyproject(files: AppFiles, manager: str) -> Iterator[Request]:
    name = "pyproject.toml"
    fix = f'write into [project] of {name}: requires-python = "{{wanted}}"'
    backend = _at(files.toml(name), "build-system").get("build-backend")
    # Poetry takes its own notation there, too.
    by_poetry = manager == "poetry" or backend in _POETRY_BACKENDS
    yield from _range(files, name, "project", "requires-python", fix, poetry=by_poetry)
    poetry = "tool.poetry.dependencies"
    value = _at(files.toml(name), poetry).get("python")
    if isinstance(value, dict):
        value = value.get("version")
    if value is None:
        return
    source = Source(
        name=name,
        key=f"[{poetry}] python",
        line=_toml_line(files.text(name), poetry, "python"),
        fix=f'write into [{poetry}] of {name}: python = "{{wanted}}"',
        operator="^",
    )
    yield parse_poetry(_text(value, source), source)


def _pdm_lock(files: AppFiles) -> Iterator[Request]:
    """PDM writes one range, or one for each target that it locks for: any of them will do."""
    name = "pdm.lock"
    fix = 'write into [project] of pyproject.toml: requires-python = "{wanted}", then: pdm lock'
    metadata = _at(files.toml(name), "metadata")
    targets = metadata.get("targets")
    if "requires_python" in metadata or not isinstance(targets, list):
        yield from _range(files, name, "metadata", "requires_python", fix)
        return
    values = [target.get("requires_python") for target in targets if isinstance(target, dict)]
    if not values or None in values:
        return
    source = Source(
        name=name,
        key="[[metadata.targets]] requires_python",
        line=_toml_line(files.text(name), "metadata.targets", "requires_python"),
        fix=fix,
        operator=">=",
    )
    ranges = [one.strip() for value in values for one in _text(value, source).split("||")]
    yield parse_range(*ranges, source=source)


def _setup_cfg(files: AppFiles) -> Iterator[Request]:
    """`python_requires` of `[options]`. Other sections are others' business: nothing is checked."""
    name, section, number = "setup.cfg", "", 0
    lines = _LINES.split(files.data(name).decode("utf-8", "replace"))
    while number < len(lines):
        line = lines[number]
        number += 1
        if header := re.match(r"\[([^\]]+)\]", line):
            section = header[1].strip()
        option = re.match(r"python[_-]requires\s*[=:](.*)", line)
        if section != "options" or option is None:
            continue
        parts = [option[1]]
        for more in lines[number:]:
            if not re.match(r"\s+\S", more):
                break
            parts.append(more)
        text = " ".join(part.partition(" #")[0].strip() for part in parts).strip()
        source = Source(
            name=name,
            key="[options] python_requires",
            line=number,
            fix=f"write into [options] of {name}: python_requires = {{wanted}}",
            operator=">=",
        )
        if text:
            yield parse_range(text, source=source)
        return


def _range(
    files: AppFiles, name: str, table: str, key: str, fix: str, *, poetry: bool = False
) -> Iterator[Request]:
    value = _at(files.toml(name), table).get(key)
    if value is None:
        return
    source = Source(
        name=name,
        key=f"[{table}] {key}" if table else key,
        line=_toml_line(files.text(name), table, key),
        fix=fix,
        operator=">=",
    )
    text = _text(value, source)
    if poetry and is_poetrys(text):
        yield parse_poetry(text, source)
    elif text.strip():
        yield parse_range(text, source=source)


def _text(value: object, source: Source) -> str:
    if isinstance(value, str):
        return value
    raise errors.python_version_not_text(str(source), str(value), source.fixed(_guess(str(value))))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _at(table: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for name in filter(None, path.split(".")):
        table = _table(table.get(name))
    return table


def _line(text: str, pattern: str) -> int | None:
    """The first line that `pattern` is in."""
    lines = enumerate(_LINES.split(text), start=1)
    return next((number for number, line in lines if re.search(pattern, line)), None)


def _toml_line(text: str, table: str, key: str) -> int | None:
    """The line of `key` below the header of `table`; where there is none, the first that has it."""
    current = ""
    for number, line in enumerate(_LINES.split(text), start=1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]+", line):
            current = header[1].replace('"', "")
        elif current == table and re.match(rf"\s*\"?{key}\"?\s*=", line):
            return number
    return _line(text, rf"\b{key}\b")
