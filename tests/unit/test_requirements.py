"""Requirement files: what is reached, what is declared, what only pip understands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from python_buildpack.app.files import AppFiles
from python_buildpack.errors import UserError
from python_buildpack.managers import pip_reader
from python_buildpack.managers.requirement_files import (
    Requirements,
    logical_lines,
    read_requirements,
)
from python_buildpack.settings import read_settings


def read(app: Path, **files: str) -> Requirements:
    """Write `files` (a `_` stands for `/`) and read requirements.txt."""
    for name, text in files.items():
        path = app / (name.replace("__", "/") + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_requirements(AppFiles(app), ("requirements.txt",), {})


def write_file(path: Path, text: str) -> None:
    """With the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def inputs(app: Path, environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """What the packages' key holds of the app's files."""
    return pip_reader.read(AppFiles(app), read_settings(environ or {})).inputs


def assert_input(app: Path, path: Path) -> None:
    """What `path` holds is in the key."""
    write_file(path, "one")
    before = inputs(app)
    path.write_text("two")
    assert inputs(app) != before


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


def test_files_of_another_machine(tmp_path: Path) -> None:
    """What conda's `pip freeze` writes: each line, with its number, and the command that mends it."""
    freeze = (
        "# made by hand\ncertifi==2021.5\nkiwisolver @ file:///C:/ci/kiwisolver_16/work\n"
        "six @ file:///home/conda/feedstock/six_16/work # why\n"
        "numpy @ \\\n  file:///tmp/build/80754af9/numpy_16/work\n"
    )
    with pytest.raises(UserError) as caught:
        read(tmp_path, requirements="-r conda.txt\n", conda=freeze)
    assert "conda.txt line 3 names a file of another machine" in caught.value.title
    assert "(lines of this kind: 3)" in caught.value.title
    for words in (
        "conda.txt line 3: kiwisolver @ file:///C:/ci/kiwisolver_16/work\n",
        "conda.txt line 4: six @ file:///home/conda/feedstock/six_16/work\n",
        "conda.txt line 6: numpy @ ",
        "pip list --format=freeze > requirements.txt",
    ):
        assert words in caught.value.body


@pytest.mark.parametrize(
    "line",
    [
        "six @ file://{app}/wheels/six-1.0-py3-none-any.whl",
        "six @ file:///no/such/six ; sys_platform == 'win32'",
        "six @ file:///${{UNSET_HERE}}/six",
        "six @ file:wheels/six-1.0-py3-none-any.whl",
        "six @ file://{there}",
    ],
)
def test_files_that_may_be_there(tmp_path: Path, line: str) -> None:
    """What is below the app, on this machine, or perhaps of another platform is left to pip."""
    there = tmp_path / "there"
    there.mkdir()
    app = tmp_path / "app"
    app.mkdir()
    (app / "requirements.txt").write_text(line.format(app=app, there=there) + "\n")
    assert read_requirements(AppFiles(app), ["requirements.txt"], {}).files


def test_local_projects_are_told_from_names(tmp_path: Path) -> None:
    """Paths are inputs of the key; names and URLs are not."""
    found = read(
        tmp_path,
        requirements="./lib\n-e .\nflask>=3\npkg @ https://x.example/a.whl\nq @ file:./wheels/q.whl\n",
    )
    assert found.local_projects == ("lib", "wheels/q.whl")
    assert found.editables == (".",)


@pytest.mark.parametrize(
    "line",
    [
        *("libs/foo", "./libs/foo", "libs/foo[x]", "libs/foo ; python_version > '3'"),
        *("file:libs/foo", "file:libs/fo%6f", "foo@file:libs/foo", "foo[x]@file:libs/foo"),
        *("foo @ file:libs/foo#subdirectory=pkg", "foo @ ./libs/foo", "./libs/foo#egg=foo"),
        *("foo @ file:libs/foo ; python_version > '3'", "foo @ file:///{app}/libs/foo"),
    ],
)
def test_spellings_of_a_local_project(tmp_path: Path, line: str) -> None:
    """pip and uv take all of them: what is in the directory counts."""
    code = tmp_path / "libs" / "foo" / "foo.py"
    code.parent.mkdir(parents=True)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(line.replace("/{app}", str(tmp_path)) + "\n")
    assert_input(tmp_path, code)


@pytest.mark.parametrize(
    "line",
    [
        *("foo-1.0-py3-none-any.whl", "foo-1.0-py3-none-any.whl[x] --hash=sha256:00"),
        *("libs/foo-1.0-py3-none-any.whl ; python_version >= '3.9'", "foo-1.0.tar.gz"),
        *("foo @ file:libs/foo-1.0-py3-none-any.whl#sha256=00", "-r libs/more.txt"),
    ],
)
def test_spellings_of_a_local_archive(tmp_path: Path, line: str) -> None:
    """A new one by the same name is another one."""
    write_file(tmp_path / "libs" / "more.txt", "./libs/foo-1.0-py3-none-any.whl\n")
    write_file(tmp_path / "requirements.txt", f"{line}\n")
    folder = tmp_path if line.startswith("foo-") else tmp_path / "libs"
    name = "foo-1.0.tar.gz" if "tar" in line else "foo-1.0-py3-none-any.whl"
    assert_input(tmp_path, folder / name)


@pytest.mark.parametrize(
    "line",
    [
        "-e libs/foo",
        "-e file:libs/foo#egg=foo",
        "-e foo@file:libs/foo",
        "-e file:///{app}/libs/foo",
    ],
)
def test_spellings_of_an_editable_project(tmp_path: Path, line: str) -> None:
    """Its build files count."""
    write_file(tmp_path / "requirements.txt", line.replace("/{app}", str(tmp_path)) + "\n")
    write_file(tmp_path / "libs" / "foo" / "setup.py", "")
    assert read(tmp_path).pip_only == ()
    assert_input(tmp_path, tmp_path / "libs" / "foo" / "pyproject.toml")


@pytest.mark.parametrize(
    "line",
    [
        *("flask", "flask; '/' in platform_version", "a @ https://h.example/a.whl", "gone.whl"),
        *("git+https://u@h.example/r@v1", "a@git+ssh://git@h.example/r", "https://h.example/a.zip"),
        *("-e git@h.example:r/s.git#egg=s", "-e git+file:///srv/r#egg=r", "flask --hash=sha256:0/"),
    ],
)
def test_other_requirements_are_no_paths(tmp_path: Path, line: str) -> None:
    """Names and URLs; what is not there is the tool's to name."""
    write_file(tmp_path / "requirements.txt", f"{line}\n")
    assert set(inputs(tmp_path)) == {"requirements.txt"}


def test_variables_name_files(tmp_path: Path) -> None:
    """As pip reads them: capitals in braces. An error shows them as they are written."""
    write_file(tmp_path / "requirements.txt", "-r requirements/${APP_ENV}.txt\n-e ${lower}\n")
    write_file(tmp_path / "requirements" / "prod.txt", "${PROJECT_ROOT}/libs/${LIB}\n")
    write_file(tmp_path / "libs" / "foo" / "foo.py", "")
    found = inputs(tmp_path, {"APP_ENV": "prod", "LIB": "foo"})
    assert {"requirements/prod.txt", f"{tmp_path}/libs/foo"} <= set(found)
    for environ, missing in (({}, "${APP_ENV}"), ({"APP_ENV": "test"}, "test")):
        with pytest.raises(UserError) as caught:
            inputs(tmp_path, environ)
        assert caught.value.title == f"requirements/{missing}.txt does not exist"
        assert "requirements.txt: -r requirements/${APP_ENV}.txt" in caught.value.body


@pytest.mark.parametrize(
    ("line", "one", "two"),
    [
        ("flask==${V}", "3.0", "3.1"),
        ("-i https://${V}/simple", "a.example", "b.example"),
        ("-i https://${USER}:${PASSWORD}@${V}/simple", "a.example", "b.example"),
        ("-i ${V}", "https://u:p@a.example/simple", "https://u:p@b.example/simple"),
        ("a @ git+https://h.example/r@${V}", "0123456789abcdef0123", "fedcba98765432100123"),
        ("a @ https://h.example/a_name-${V}-py3-none-any.whl", "1.0", "2.0"),
        ("${V}", "flask", "click"),
        ("flask==${V}", "3.0\udcff", "3.1"),
    ],
)
def test_values_of_variables_count(tmp_path: Path, line: str, one: str, two: str) -> None:
    """A new value is another requirement, or another place."""
    write_file(tmp_path / "requirements.txt", f"{line}\n")
    first = inputs(tmp_path, {"V": one})
    assert set(first) == {"requirements.txt", "requirements.txt (${VARIABLES})"}
    second = inputs(tmp_path, {"V": two})
    assert {name for name in first if first[name] != second[name]} == {
        "requirements.txt (${VARIABLES})"
    }


@pytest.mark.parametrize(
    ("line", "one", "two"),
    [
        ("-i https://u:${V}@h.example/simple", "one", "t/w@o"),
        ("-i https://${V}@h.example/simple", "user:one", "user:two"),
        ("-i https://h.example/${V}/simple", "aB3dE6gH9jK2mN5p", "zZ3dE6gH9jK2mN5p"),
        ("-i https://h.example/${MY_TOKEN}/simple", "one", "two"),
        ("-i https://h.example/simple?token=${V}", "one", "two"),
        ("-i ${V}", "https://u:p@a.example/simple", "https://u:q@a.example/simple"),
        ("a @ git+https://${V}@h.example/r@v1", "one", "two"),
    ],
)
def test_values_of_secret_variables_do_not_count(
    tmp_path: Path, line: str, one: str, two: str
) -> None:
    """Rotating a password or a token reinstalls nothing, and no digest is made of it."""
    write_file(tmp_path / "requirements.txt", f"{line}\n")
    given = [inputs(tmp_path, {"V": value, "MY_TOKEN": value}) for value in (one, two)]
    assert given[0] == given[1]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        *(("--find-links ./wheels", "wheels"), ("--find-links=wheels/", "wheels")),
        *(("-f${WHEELS}", "wheels"), ("--no-index -f 'wheels'", "wheels")),
        *(("-f file://{app}/wheels", "wheels"), ("-r deep/more.txt", "deep/own")),
        ("-r deep/root.txt", "wheels"),
    ],
)
def test_places_with_wheels_are_inputs(tmp_path: Path, line: str, place: str) -> None:
    """Those on this disk, from the file's folder or else the app's root; a new wheel counts."""
    write_file(tmp_path / "requirements.txt", line.replace("{app}", str(tmp_path)) + "\nfoo\n")
    write_file(tmp_path / "deep" / "more.txt", "-f own\n")
    write_file(tmp_path / "deep" / "root.txt", "-f wheels\n-f https://h.example/links\n")
    wheel = tmp_path / place / "foo-1.0-py3-none-any.whl"
    write_file(wheel, "one")
    (wheel.parent / "gone.whl").symlink_to("nowhere")
    before = inputs(tmp_path, {"WHEELS": "wheels"})
    assert len([name for name in before if name.endswith(f"{place} (--find-links)")]) == 1
    wheel.with_name("foo-1.1-py3-none-any.whl").write_text("two")
    assert inputs(tmp_path, {"WHEELS": "wheels"}) != before


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
    assert read_requirements(AppFiles(tmp_path), ("requirements.txt",), {}).files[0].lines == (
        "flask",
    )
    path.write_bytes(b"flask\n\xff\xfa\n")
    with pytest.raises(UserError) as caught:
        read_requirements(AppFiles(tmp_path), ("requirements.txt",), {})
    assert "line 2" in caught.value.title


@pytest.mark.timeout(300)
@pytest.mark.parametrize("piece", [" ", "/", "[", "a\\\n", "# ", "-", "a;", "a @ ", " --hash="])
def test_long_lines(tmp_path: Path, piece: str) -> None:
    """A file with a line of 200 kB is read in a moment: its square would take hours."""
    line = piece * (200_000 // len(piece))
    (tmp_path / "requirements.txt").write_text(f"flask{line};x\n./a{line}[b\n{line}")
    read_requirements(AppFiles(tmp_path), ["requirements.txt"], {})
