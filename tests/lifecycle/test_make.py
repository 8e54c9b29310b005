"""What the Makefile's smaller targets do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import runtime_archive
from package_runtimes import PackageError, from_host

ROOT = Path(__file__).resolve().parent.parent.parent


def make(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make; both streams as one."""
    return subprocess.run(
        ["make", f"PYTHON={sys.executable}", *words],
        cwd=cwd,
        env={**os.environ, "MAKEFLAGS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_linked_environment_is_left_alone(tmp_path: Path) -> None:
    """A .venv that is a link belongs to others as well: nothing in it is removed or renewed."""
    clone, shared = tmp_path / "clone", tmp_path / "shared"
    (clone / "requirements").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", clone)
    shared.mkdir()
    (shared / ".done").write_text("")
    os.utime(shared / ".done", (1, 1))
    (clone / "requirements/dev.txt").write_text("newer\n")
    (clone / ".venv").symlink_to(shared)
    done = make("venv", cwd=clone)
    assert done.returncode == 0
    assert ".venv is a link: left as it is" in done.stdout
    assert [path.name for path in shared.iterdir()] == [".done"]
    assert (shared / ".done").stat().st_mtime == 1


def test_runtime_archive_of_a_stripped_python(buildpack: Path, tmp_path: Path) -> None:
    """A CPython that was packed before can be packed again, and runs from anywhere."""
    (python,) = (buildpack / "runtime/cpython/bin").glob("python3.*")
    done = make("runtime-archive", f"PYTHON={python}", f"OUT={tmp_path}")
    assert done.returncode == 0, done.stdout
    (release,) = json.loads((tmp_path / "releases.json").read_text())["releases"]
    (tmp_path / "else").mkdir()
    subprocess.run(["tar", "-C", tmp_path / "else", "-xf", tmp_path / release["url"]], check=True)
    program = tmp_path / "else/python/bin" / python.name
    show = "import platform, ssl, sqlite3; print(platform.python_version())"
    ran = subprocess.run([program, "-c", show], env={}, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == release["version"]


def test_stripped_python_without_its_libraries(buildpack: Path, tmp_path: Path) -> None:
    """What cannot be made to find its libraries is an error that says why."""
    (python,) = (buildpack / "runtime/cpython/bin").glob("python3.*")
    shutil.copy(python, tmp_path)
    with pytest.raises(runtime_archive.ArchiveError, match=r"table of sections.*libpython3\.so"):
        runtime_archive.check_relative_path(
            tmp_path / python.name, tmp_path, {"libpython3.so": tmp_path}
        )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("", ("cannot be started: No such file or directory", "PYTHON=/usr/bin/python3.13")),
        (
            "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n",
            ("exit code 127", "pyenv:"),
        ),
        ("#!/bin/sh\necho hello\n", ("does not answer as Python does",)),
    ],
    ids=["missing", "a shim without its Python", "another program"],
)
def test_runtime_archive_of_no_python(tmp_path: Path, script: str, words: tuple[str, ...]) -> None:
    """What is no interpreter is an error in words, with what to name instead."""
    program = tmp_path / "python3.13"
    if script:
        program.write_text(script)
        program.chmod(0o755)
    done = make("runtime-archive", f"PYTHON={program}", f"OUT={tmp_path}")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    with pytest.raises(PackageError) as caught:  # of RUNTIME=host
        from_host(runtime_archive.this_arch(), str(program), (), tmp_path)
    for word in words:
        assert word in done.stdout, done.stdout
        assert word in str(caught.value)
