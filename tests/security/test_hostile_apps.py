"""Apps that hold what no app should: a build, or a clear error, with bounded memory."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.managers.conftest import Builder, write_files

MOST_MEMORY = 2_000_000_000


def odd_names(app: Path) -> None:
    """New lines, bytes that are no text, loops of links, a pipe, a socket's worth of entries."""
    for name in (b"new\nline.py", b"not-\xff-text.py", b"-r", b"a b\t.txt", b"\x1b[31m.py"):
        (Path(os.fsdecode(os.path.join(os.fsencode(app), name)))).write_text("")  # noqa: PTH118
    (app / "loop").symlink_to("loop")
    (app / "around").symlink_to(".")
    (app / "gone.py").symlink_to("nowhere")
    os.mkfifo(app / "pipe.py")
    os.mkfifo(app / "main.py")
    (app / "many").mkdir()
    for number in range(10_000):
        (app / "many" / f"{number}.py").touch()
    write_files(app, {"requirements.txt": "", "Procfile": "web: true\n"})


def no_sign(app: Path) -> None:
    """A pipe where a Procfile should be."""
    os.mkfifo(app / "Procfile")


def pipe_of_requirements(app: Path) -> None:
    """A pipe where requirements should be, named by a file."""
    os.mkfifo(app / "more.txt")
    write_files(app, {"requirements.txt": "-r more.txt\n"})


def large_requirements(app: Path) -> None:
    """50 MB of comments."""
    write_files(app, {"requirements.txt": ("# " + "x" * 97 + "\n") * 500_000})


def long_requirement(app: Path) -> None:
    """50 MB in one line."""
    write_files(app, {"requirements.txt": "# " + "x" * 50_000_000})


def too_large(app: Path) -> None:
    """More than is read."""
    with (app / "requirements.txt").open("wb") as file:
        file.truncate(65 * 1024 * 1024)


def deep_requirements(app: Path) -> None:
    """A thousand files, each naming the next."""
    write_files(app, {"requirements.txt": "-r r0.txt\n"})
    write_files(app, {f"r{n}.txt": f"-r r{n + 1}.txt\n" for n in range(1000)})


def circular_requirements(app: Path) -> None:
    """Files that name each other."""
    write_files(app, {"requirements.txt": "-r a.txt\n", "a.txt": "-r requirements.txt\n"})


def many_keys(app: Path) -> None:
    """A manifest with a million keys of which none is the buildpack's."""
    text = "[tool.x]\n" + "".join(f"k{n}=1\n" for n in range(1_000_000))
    write_files(app, {"pyproject.toml": text})


def deep_manifest(app: Path) -> None:
    """Arrays in arrays, deeper than any parser goes."""
    write_files(app, {"pyproject.toml": "a = " + "[" * 100_000})


CASES: dict[Callable[[Path], None], str] = {
    odd_names: "",
    no_sign: "",
    pipe_of_requirements: "file-unreadable",
    large_requirements: "",
    long_requirement: "",
    too_large: "file-unreadable",
    deep_requirements: "requirements-too-deep",
    circular_requirements: "",
    many_keys: "",
    deep_manifest: "file-unreadable",
}


@pytest.mark.parametrize("make", CASES, ids=[case.__name__ for case in CASES])
def test_hostile_app(build: Builder, app: Path, make: Callable[[Path], None]) -> None:
    """It ends, and says how."""
    make(app)
    built = build(app)
    assert "Traceback" not in built.log, built.log
    expected = CASES[make]
    if expected:
        assert built.code == 1, built.log
        assert f"[{expected}]" in built.log, built.log
    else:
        assert built.code == 0, built.log
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MOST_MEMORY
