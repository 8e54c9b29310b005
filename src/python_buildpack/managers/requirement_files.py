"""Requirement files as pip reads them: which files are reached, and what they declare."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.managers.local_projects import digest_lines, file_url_path
from python_buildpack.managers.names import pep503_name
from python_buildpack.presence import exists
from python_buildpack.redact import names_a_secret, without_credentials, without_secrets

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
_LONGEST_OPTION = 10_000
# Written so that a line of any length takes time in proportion to it.
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# pip's rule: no other characters.
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_PATH = re.compile(r"\.{1,2}(?:/|$)|[^\s@/]*/")
_ARCHIVES = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz")


@dataclass(frozen=True, kw_only=True)
class RequirementFile:
    """One reached file: its path relative to the app, a digest and the lines that count.

    `variables` is a digest of the lines with variables, of what these stand for; '' without any.
    """

    name: str
    sha256: str
    variables: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """All that the named requirement files declare, nested ones included.

    `find_links` are the directories and files among those places.
    `urls` are lines with URLs or variables, as they are written: the only ones with credentials.
    """

    roots: tuple[str, ...]
    files: tuple[RequirementFile, ...]
    editables: tuple[str, ...]
    local_projects: tuple[str, ...]
    find_links: tuple[str, ...]
    pip_only: tuple[str, ...]
    has_hashes: bool
    own_index: bool
    urls: tuple[str, ...] = field(repr=False)


def logical_lines(text: str) -> list[str]:
    """Lines with continuations joined and comments removed, as pip does; empty ones dropped."""
    joined: list[str] = []
    pending = ""
    for line in text.splitlines():
        is_comment = line.lstrip().startswith("#")
        if is_comment:
            # A comment line ends a continuation.
            line = " " + line
        if line.endswith("\\") and not is_comment:
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
    # No option's value is longer, and shlex's time grows with the square.
    line = line[:_LONGEST_OPTION]
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


class _Reader:
    """Collects what the files declare, one file after the other."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        # uv's rule: the app's root has a name of its own.
        self._environ = {"PROJECT_ROOT": str(root), **environ}
        self.files: dict[str, RequirementFile] = {}
        self.editables: list[str] = []
        self.local_projects: list[str] = []
        self.absolute: list[tuple[str, str, str]] = []
        self.find_links: list[str] = []
        self.pip_only: list[str] = []
        self.has_hashes = False
        self.own_index = False
        self.urls: list[str] = []

    def read(self, name: str, data: bytes) -> list[tuple[str, str]]:
        """Take one file in; the files that it names, each with the naming line."""
        lines = logical_lines(_decode(data, name))
        shown = tuple(without_credentials(line) for line in lines)
        self.files[name] = RequirementFile(
            name=name,
            sha256=digest_lines(shown),
            variables=self._digest_of_variables(shown),
            lines=shown,
        )
        named: list[tuple[str, str]] = []
        for line in lines:
            if "://" in line or "${" in line:
                self.urls.append(line)
            meant = self._expanded(line)
            self.has_hashes = self.has_hashes or " --hash" in meant
            if meant.startswith("-"):
                self._read_links(meant, name)
                named += [
                    (reached, f"{name}: {line}") for reached in self._read_option(meant, name)
                ]
            else:
                path = self._read_requirement(meant)
                # One with a marker may be for other machines.
                if path.startswith("/") and "file:" in line and ";" not in line:
                    self.absolute.append((name, line, "/" + path.lstrip("/")))
        return named

    def _expanded(self, line: str, *, public: bool = False) -> str:
        """With the values of its variables; where it is `public`, not of those that are secret."""

        def value(match: re.Match[str]) -> str:
            found = "" if public and names_a_secret(match[1]) else self._environ.get(match[1], "")
            # Bytes that are no UTF-8 are in no name that could be stored.
            return found.encode(errors="ignore").decode() or match[0]

        return _VARIABLE.sub(value, line)

    def _digest_of_variables(self, lines: Sequence[str]) -> str:
        """Of lines without credentials: another password changes nothing; '' where none counts."""
        named = [line for line in lines if "${" in line]
        meant = [without_secrets(self._expanded(line, public=True)) for line in named]
        written = [without_secrets(line) for line in named]
        return digest_lines(meant) if meant != written else ""

    def _read_requirement(self, line: str) -> str:
        """The path that it names; '' where it names none."""
        options = [word.partition("=")[0] for word in line.split() if word.startswith("--")]
        self.pip_only += [option for option in options if option not in UV_OPTIONS]
        path = _local_path(line.split(" --")[0])
        if path is not None:
            self.local_projects.append(path)
        return path or ""

    def _read_links(self, line: str, name: str) -> None:
        """pip takes a place from the file's folder if it is there, else from the app's root."""
        if "-f" not in line:
            return
        words = _words(line)
        for word, following in zip(words, (*words[1:], ""), strict=True):
            option = re.match(r"(?:--find-links(?:=|$)|-f=?)", word)
            if option is None:
                continue
            place = word[option.end() :] or following
            if place.startswith("file:"):
                place = file_url_path(place)
            if place and "://" not in place:
                beside = os.path.join(os.path.dirname(name), place)  # noqa: PTH118, PTH120
                found = beside if exists(self._root / beside) else place
                self.find_links.append(os.path.normpath(found))

    def _read_option(self, line: str, name: str) -> list[str]:
        option, value = _option(line)
        if option in ("-r", "--requirement", "-c", "--constraint"):
            if "://" not in value:
                reached = os.path.join(os.path.dirname(name), value)  # noqa: PTH118, PTH120
                return [os.path.normpath(reached)]
            self.pip_only.append(f"{option} with a URL")
        elif option in ("-e", "--editable"):
            path = _local_path(value, editable=True)
            if path is None:
                self.pip_only.append("-e with a URL")
            else:
                self.editables.append(path)
        elif option in ("-i", "--index-url", "--no-index"):
            self.own_index = True
        elif option not in UV_OPTIONS:
            self.pip_only.append(option)
        return []


def read_requirements(
    files: AppFiles, roots: Sequence[str], environ: Mapping[str, str]
) -> Requirements:
    """Read `roots` and every file that they reach by `-r` and `-c`.

    `environ` has the values of their variables, `${NAME}`.
    Raises `UserError` for a file that is missing, unreadable or nested too deeply, and for
    requirements that are files of another machine.
    """
    reader = _Reader(files.root, environ)
    queue = [(os.path.normpath(root), "BP_PIP_REQUIREMENT", 0) for root in roots]
    while queue:
        name, named_by, depth = queue.pop(0)
        if name in reader.files:
            continue
        if depth > _MAX_DEPTH:
            raise errors.requirements_too_deep(name)
        if not exists(files.root / name):
            raise errors.requirements_missing(name, without_credentials(named_by))
        queue += [
            (reached, line, depth + 1) for reached, line in reader.read(name, files.data(name))
        ]
    _refuse_foreign_files(files, reader.absolute)
    return Requirements(
        roots=tuple(roots),
        files=tuple(reader.files.values()),
        editables=tuple(reader.editables),
        local_projects=tuple(reader.local_projects),
        find_links=tuple(dict.fromkeys(reader.find_links)),
        pip_only=tuple(dict.fromkeys(reader.pip_only)),
        has_hashes=reader.has_hashes,
        own_index=reader.own_index,
        urls=tuple(reader.urls),
    )


def _refuse_foreign_files(files: AppFiles, named: Sequence[tuple[str, str, str]]) -> None:
    """Absolute paths that are neither of the app nor there: as conda's `pip freeze` writes them."""
    top = os.path.normpath(files.top)
    foreign = [
        (name, line)
        for name, line, path in named
        if "${" not in path and not exists(path) and not Path(path).is_relative_to(top)
    ]
    if not foreign:
        return
    shown = [
        f"{name} line {_line_of(line, files.data(name), name)}: {without_credentials(line)}"
        for name, line in foreign[:5]
    ]
    raise errors.requirements_of_another_machine(
        shown[0].partition(": ")[0], shown, str(len(foreign))
    )


def _line_of(line: str, data: bytes, name: str) -> int:
    """The line on which a logical line's URL of a file is."""
    url = line[line.index("file:") :].split()[0]
    numbered = enumerate(_decode(data, name).splitlines(), start=1)
    return next((number for number, raw in numbered if url in raw), 1)


def names_with_hash(lines: Iterable[str]) -> frozenset[str]:
    """The names (PEP 503) of the requirement lines that state a hash themselves."""
    named = (_NAME.match(line) for line in lines if "sha256=" in line or "--hash" in line)
    return frozenset(pep503_name(name[0]) for name in named if name)


def _local_path(requirement: str, *, editable: bool = False) -> str | None:
    """The path of a local project or archive, without its marker, fragment and extras; else None.

    pip resolves it against the app's root, not the file's folder.
    """
    name, at, target = requirement.partition("@")
    if not at or "/" in name or ":" in name or name == "git":
        target = requirement
    target = re.sub(r"#\w+=.*", "", target.partition(";")[0]).strip()
    target = re.sub(r"\[[^\[\]]*\]$", "", target).strip()
    if target.startswith("file:"):
        target = file_url_path(target)
    elif "://" in target or not (
        _PATH.match(target)
        or target.endswith(_ARCHIVES)
        or (editable and not target.startswith("git@"))
    ):
        return None
    return os.path.normpath(target)
