"""Whatever the files hold: a version, or an error with file and line. Never anything else."""

from __future__ import annotations

import datetime
import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_versions import LIST, Row, solve

from python_buildpack.errors import UserError
from python_buildpack.runtime.poetry_constraint import translate_poetry
from python_buildpack.runtime.releases import builtin_list
from python_buildpack.runtime.version_syntax import (
    Source,
    parse_poetry,
    parse_request,
)
from python_buildpack.runtime.versions import Requests, Target, resolve

# File -> the package manager that makes it count.
FILES = {
    ".python-version": "pip",
    "runtime.txt": "pip",
    "Pipfile.lock": "pipenv",
    "pyproject.toml": "pyproject",
    "uv.lock": "uv",
    "pylock.toml": "pylock",
    "pdm.lock": "pdm",
    "setup.cfg": "setup.py",
    "script.py": "script",
}
WRITTEN_IN = {
    "Pipfile.lock": '{{"_meta": {{"requires": {{"python_version": {value}}}}}}}',
    "pyproject.toml": "[project]\nrequires-python = {value}\n",
    "uv.lock": "version = 1\nrequires-python = {value}\n",
    "pylock.toml": "requires-python = {value}\n",
    "pdm.lock": "[metadata]\nrequires_python = {value}\n",
    "script.py": "# /// script\n# requires-python = {value}\n# ///\n",
}
# Pieces of which versions, ranges and mistakes are made.
PIECES = st.sampled_from(
    [
        *("3", "3.13", "3.12.8", "2.7", "3.99", ".", "*", "t", "rc1", "-", "x", "0", "9" * 20),
        *(">=", "<", "==", "~=", "!=", "===", "^", "~", ",", "||", "|", " ", "\t", "=", "v", "#"),
        *("python-", "pypy", "\n", "\r\n", '"', "'", "\\", "\0", "\ufeff", "\u200b", "é", "[", "]"),
    ]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join))


def outcome(name: str, content: bytes) -> UserError | str:
    """What comes of an app with this file."""
    row = Row(
        expected="",
        files={name: content},
        manager=FILES[name],
        settings={"BP_PYTHON_SCRIPT": name} if name == "script.py" else {},
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            return solve(row, Path(folder)).release.name
        except UserError as error:
            return error


def assert_useful(name: str, content: bytes) -> None:
    """A version on the list, or an error that names the file and the line, and says what to do."""
    found = outcome(name, content)
    if isinstance(found, str):
        assert found in {release.name for release in LIST.releases}
        return
    assert name in found.title
    assert re.search(r"\bline \d+", f"{found.title}\n{found.body}"), (found.title, found.body)
    assert found.body.strip()
    assert len(found.title) < 1000


@pytest.mark.parametrize("name", FILES)
@given(
    content=st.one_of(
        st.binary(max_size=200), TEXTS.map(lambda text: text.encode("utf-8", "replace"))
    )
)
@settings(max_examples=150)
def test_any_bytes(name: str, content: bytes) -> None:
    """Bytes and text as they come."""
    assert_useful(name, content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"])
@given(text=TEXTS)
@settings(max_examples=60)
def test_any_encoding(encoding: str, text: str) -> None:
    """A version file in another encoding."""
    assert_useful(".python-version", text.encode(encoding, "replace"))


@pytest.mark.parametrize("name", WRITTEN_IN)
@given(value=st.one_of(TEXTS, st.integers(), st.booleans(), st.lists(TEXTS, max_size=2)))
@settings(max_examples=150)
def test_any_value(name: str, value: object) -> None:
    """Well-formed files with any value where a version is expected."""
    literal = json.dumps(value)
    if name != "Pipfile.lock":
        # TOML has no escapes for halves of surrogate pairs, and wants this one character escaped.
        literal = re.sub(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}", "?", literal)
        literal = literal.replace("\x7f", "\\u007f")
    assert_useful(name, WRITTEN_IN[name].format(value=literal).encode())


@given(constraint=TEXTS)
@settings(max_examples=300)
def test_any_constraint_of_poetrys(constraint: str) -> None:
    """Either it is translated into ranges that packaging reads, or it is a user's error."""
    source = Source(name="pyproject.toml", line=1, fix="{wanted}")
    try:
        request = parse_poetry(constraint, source)
    except UserError as error:
        assert error.id == "python-range-invalid"
        return
    request.admits("3.13.0")
    assert translate_poetry(constraint)


@given(text=TEXTS, previous=st.one_of(st.none(), TEXTS), plan=st.lists(TEXTS, max_size=2))
@settings(max_examples=300)
def test_any_request_resolves_or_is_an_error(
    text: str, previous: str | None, plan: list[str]
) -> None:
    """The same against the built-in list, with any past and any build plan."""
    try:
        asked = parse_request(text, Source(name="x", fix="{wanted}")) if text else None
        found = resolve(
            Requests(asked=asked),
            builtin_list(),
            target=Target(arch="arm64"),
            today=datetime.date(2026, 6, 15),
            previous=previous,
            plan=plan,
        )
    except UserError as error:
        assert error.title and error.body
        return
    assert found.release.arch == "arm64"
    assert asked is None or asked.admits(found.release.version)


@given(
    first=st.integers(0, 4),
    second=st.integers(0, 20),
    third=st.integers(0, 20),
    version=st.tuples(st.integers(0, 5), st.integers(0, 21), st.integers(0, 22)),
)
def test_carets_and_tildes(
    first: int, second: int, third: int, version: tuple[int, int, int]
) -> None:
    """`^` keeps the first number that is not zero, `~` the first two."""
    source = Source(name="pyproject.toml", fix="{wanted}")
    base = (first, second, third)
    written = ".".join(map(str, base))
    kept = next((n for n, number in enumerate(base, 1) if number), 3)
    shown = ".".join(map(str, version))
    above = version >= base
    caret = parse_poetry(f"^{written}", source).admits(shown)
    assert caret == (above and version[:kept] == base[:kept])
    tilde = parse_poetry(f"~{written}", source).admits(shown)
    assert tilde == (above and version[:2] == base[:2])
