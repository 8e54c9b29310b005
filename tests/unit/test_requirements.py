"""Requirement files: what is reached, what is declared, what only pip understands."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_buildpack.app.files import AppFiles
from python_buildpack.errors import UserError
from python_buildpack.managers.requirement_files import (
    Requirements,
    logical_lines,
    read_requirements,
)


def read(app: Path, **files: str) -> Requirements:
    """Write `files` (a `_` stands for `/`) and read requirements.txt."""
    for name, text in files.items():
        path = app / (name.replace("__", "/") + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_requirements(AppFiles(app), ("requirements.txt",))


def test_nested_files_are_reached(tmp_path: Path) -> None:
    """`-r` and `-c` are followed, relative to the file that names them."""
    found = read(
        tmp_path,
        requirements="-r base/one.txt\nflask\n",
        base__one="-c two.txt\nclick\n",
        base__two="click==8\n",
    )
    assert [file.name for file in found.files] == [
        "requirements.txt",
        "base/one.txt",
        "base/two.txt",
    ]


def test_a_cycle_ends(tmp_path: Path) -> None:
    """Files that name each other are read once."""
    assert len(read(tmp_path, requirements="-r a.txt\n", a="-r requirements.txt\n").files) == 2


def test_a_missing_file_says_who_names_it(tmp_path: Path) -> None:
    """The error shows the line."""
    with pytest.raises(UserError) as caught:
        read(tmp_path, requirements="-r gone.txt\n")
    assert caught.value.id == "requirements-file-missing"
    assert "requirements.txt: -r gone.txt" in caught.value.body


@pytest.mark.parametrize(
    ("line", "pip_only"),
    [
        ("flask", ()),
        ("--index-url https://x.example/simple", ()),
        ("-i https://x.example/simple", ()),
        ("--only-binary :all:", ()),
        ("--prefer-binary", ("--prefer-binary",)),
        ("--use-feature=fast-deps", ("--use-feature",)),
        ("--pre", ("--pre",)),
        ("flask --global-option=x", ("--global-option",)),
        ("flask==1 --hash=sha256:00", ()),
        ("-e git+https://x.example/y.git#egg=y", ("-e with a URL",)),
        ("-r https://x.example/r.txt", ("-r with a URL",)),
    ],
)
def test_what_uv_lacks_is_named(tmp_path: Path, line: str, pip_only: tuple[str, ...]) -> None:
    """Such files go to pip."""
    assert read(tmp_path, requirements=line + "\n").pip_only == pip_only


def test_credentials_do_not_change_the_digest(tmp_path: Path) -> None:
    """Rotating a token reinstalls nothing."""
    first = read(tmp_path, requirements="-i https://a:b@x.example/simple\n").files[0]
    second = read(tmp_path, requirements="-i https://c:d@x.example/simple\n").files[0]
    assert first == second
    assert "a:b" not in "".join(first.lines)


def test_comments_do_not_change_the_digest(tmp_path: Path) -> None:
    """Only what counts is hashed."""
    first = read(tmp_path, requirements="flask # web\n").files[0]
    second = read(tmp_path, requirements="# hello\nflask\r\n").files[0]
    assert first.sha256 == second.sha256


def test_local_projects_are_told_from_names(tmp_path: Path) -> None:
    """Paths are inputs of the key; names and URLs are not."""
    found = read(
        tmp_path,
        requirements="./lib\n-e .\nflask>=3\npkg @ https://x.example/a.whl\nq @ file:./wheels/q.whl\n",
    )
    assert found.local_projects == ("lib", "wheels/q.whl")
    assert found.editables == (".",)


def test_continuations_are_joined() -> None:
    """As pip joins them."""
    assert logical_lines("flask==1 \\\n  --hash=sha256:1\n# c\n\nx#y\n") == [
        "flask==1   --hash=sha256:1",
        "x#y",
    ]


def test_utf16_is_read_and_garbage_is_an_error(tmp_path: Path) -> None:
    """PowerShell writes UTF-16; anything else names the line."""
    path = tmp_path / "requirements.txt"
    path.write_bytes("flask\n".encode("utf-16"))
    assert read_requirements(AppFiles(tmp_path), ("requirements.txt",)).files[0].lines == ("flask",)
    path.write_bytes(b"flask\n\xff\xfa\n")
    with pytest.raises(UserError) as caught:
        read_requirements(AppFiles(tmp_path), ("requirements.txt",))
    assert "line 2" in caught.value.title


@pytest.mark.timeout(300)
@pytest.mark.parametrize("piece", [" ", "/", "[", "a\\\n", "# ", "-", "a;", "a @ ", " --hash="])
def test_long_lines(tmp_path: Path, piece: str) -> None:
    """A file with a line of 200 kB is read in a moment: its square would take hours."""
    line = piece * (200_000 // len(piece))
    (tmp_path / "requirements.txt").write_text(f"flask{line};x\n./a{line}[b\n{line}")
    read_requirements(AppFiles(tmp_path), ["requirements.txt"])
