"""Byte code: complete for what is imported, without test suites, the same bytes every time."""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import host_python
from python_buildpack.byte_code import compile_modules, compile_trees
from python_buildpack.compile_script import MOST_PROCESSES, UNCHECKED_HASH, Compiler

SUITE = {
    "pkg/tests/__init__.py": "",
    "pkg/tests/test_a.py": "a = 1\n",
    "pkg/tests/sub/b.py": "b = 1\n",
}
SUITE_FILES = {"pkg/tests/__init__", "pkg/tests/test_a", "pkg/tests/sub/b"}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """`folder` with these files in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def compiled(folder: Path) -> set[str]:
    """The modules that have byte code."""
    return {
        str((path.parent.parent / path.name.split(".")[0]).relative_to(folder))
        for path in folder.rglob("*.pyc")
    }


def compile_here(folder: Path, *, skip_tests: bool = False) -> set[str]:
    """Compile `folder` with this Python; the modules that have byte code."""
    code, output = compile_trees(Path(sys.executable), [folder], skip_tests=skip_tests)
    assert (code, output) == (0, "")
    return compiled(folder)


@pytest.mark.parametrize(
    ("imports", "suite"),
    [
        ({"pkg/a.py": ""}, False),
        ({"pkg/a.py": "tests = ['a']\nself.tests.append(1)\n"}, False),
        ({"pkg/a.py": "import pkg.testing\nfrom pkg import testing\n"}, False),
        ({"pkg/a.py": "import pkg.tests\n"}, True),
        ({"pkg/a.py": "def f():\n    import pkg.tests.test_a as x\n"}, True),
        ({"pkg/a.py": "from pkg import tests\n"}, True),
        ({"pkg/a.py": "from pkg.tests.test_a import a\n"}, True),
        ({"pkg/a.py": "from . import (\n    b,\n    tests,\n)\n"}, True),
        ({"pkg/a.py": "from .tests import test_a\n"}, True),
        ({"pkg/sub/a.py": "from ..tests.sub import b\n"}, True),
        ({"pkg/__init__.py": "from .tests import test_a\n"}, True),
        (
            {
                "other/a.py": "try:\n    from pkg.tests import test_a\nexcept ImportError:\n    pass\n"
            },
            True,
        ),
        ({"other/a.py": "from other.tests import x\n"}, False),
        # An imported suite may need another one.
        ({"a.py": "import more.tests", "more/tests/__init__.py": "import pkg.tests.test_a"}, True),
        ({"more/tests/__init__.py": "import pkg.tests.test_a"}, False),
    ],
)
def test_suites_are_compiled_where_something_imports_them(
    tmp_path: Path, imports: Mapping[str, str], suite: bool
) -> None:
    """Import statements outside of test suites decide, wherever they stand."""
    write(tmp_path, {"pkg/b.py": "", "pkg/testing.py": "", **SUITE, **imports})
    found = compile_here(tmp_path, skip_tests=True)
    assert SUITE_FILES & found == (SUITE_FILES if suite else set())
    modules = {name.removesuffix(".py") for name in imports if "tests" not in name}
    assert found >= {"pkg/b", "pkg/testing", *modules}


def test_everything_is_compiled_unless_told_otherwise(tmp_path: Path) -> None:
    """As the standard library is, from which the trim recipe has removed the tests."""
    write(tmp_path, SUITE)
    assert compile_here(tmp_path) == SUITE_FILES


def test_byte_code_is_unchecked_and_what_python_would_write(tmp_path: Path) -> None:
    """Python takes it, whatever the source's time is, and shows the final path."""
    write(tmp_path, {"a.py": "def f(): return f.__code__.co_filename\n"})
    code, _ = compile_trees(Path(sys.executable), [tmp_path], place=(str(tmp_path), "/final"))
    assert code == 0
    data = Path(importlib.util.cache_from_source(str(tmp_path / "a.py"))).read_bytes()
    assert data[:8] == importlib.util.MAGIC_NUMBER + bytes([1, 0, 0, 0])
    assert data[8:16] == importlib.util.source_hash((tmp_path / "a.py").read_bytes())
    assert b"/final/a.py" in data
    assert str(tmp_path).encode() not in data


def test_templates_are_left_alone(tmp_path: Path) -> None:
    """What is no valid Python, or no text, is not an error, and hides nothing beside it."""
    write(tmp_path, {"good.py": "", "bad.py": "def {{ name }}:\n", "deep.py": "(" * 5000})
    (tmp_path / "binary.py").write_bytes(b"\xff\0\xfe")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    assert compile_here(tmp_path) == {"good"}


# What made the bytes differ in older Pythons: sets of names, and names that other modules use too.
UNSTABLE = "".join(
    f"def f{n}(x):\n    '''name{n % 7}'''\n    return x in {{'name{n}', 'b', 'name{n % 5}'}}\n"
    for n in range(40)
)


def equal_sets(number: int, count: int) -> str:
    """A function and its module with the same set of a name, which is a variable's elsewhere."""
    return f"other{number} = 1\n" + "".join(
        f"def in_{name}(x):\n    return x in {{'{name}', 'strange'}}\n"
        f"has_{name} = {number} in {{'{name}', 'strange'}}\n"
        for name in (f"other{n}" for n in range(count) if n != number)
    )


@pytest.mark.parametrize("python", [sys.executable, host_python.find_host_python()])
@pytest.mark.parametrize("cores", [1, 2])
def test_bytes_do_not_depend_on_order_or_cores(tmp_path: Path, cores: int, python: str) -> None:
    """One process that compiles all of them gives what one process for each module gives."""
    files = {f"m{n}.py": UNSTABLE + f"g = {n}\n" + equal_sets(n, 6) for n in range(6)}
    together = write(tmp_path / "together", files)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:cores])
    try:
        compile_trees(Path(python), [together], place=(str(together), "/x"))
    finally:
        os.sched_setaffinity(0, allowed)
    for name, text in files.items():
        alone = write(tmp_path / "alone", {name: text})
        compile_trees(Path(python), [alone], place=(str(alone), "/x"))
        (path,) = alone.rglob("*.pyc")
        assert (together / "__pycache__" / path.name).read_bytes() == path.read_bytes()
        shutil.rmtree(alone)


def test_every_core_works(tmp_path: Path) -> None:
    """There is one process for each core."""
    write(tmp_path, {f"m{n}.py": UNSTABLE for n in range(2 * MOST_PROCESSES)})
    script = tmp_path / "count.py"
    script.write_text(
        "import os, sys\nfrom python_buildpack import compile_script\n"
        "made = []\nfork = os.fork\n"
        "def counted():\n    child = fork()\n    made.append(child)\n    return child\n"
        "os.fork = counted\ncompile_script.main(sys.argv[1:])\nprint(len(made))\n"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    done = subprocess.run(
        [sys.executable, script, tmp_path],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


def test_an_app_is_never_left_half_compiled(tmp_path: Path) -> None:
    """What cannot be read or written hides nothing beside it, and nothing is written through a link."""
    app = write(tmp_path / "app", {"a.py": "", "b/b.py": "", "b/__pycache__": "", "c/c.py": ""})
    precious = tmp_path / "precious"
    precious.write_text("data")
    link = Path(importlib.util.cache_from_source(str(app / "c" / "c.py")))
    link.parent.mkdir()
    link.symlink_to(precious)
    os.mkfifo(app / "pipe.py")
    modules = [str(app / name) for name in ("b/b.py", "pipe.py", "gone.py", "a.py", "c/c.py")]
    code, output = compile_modules(Path(sys.executable), modules, checked=False)
    assert (code, compiled(app)) == (1, {"a", "c/c"})
    assert "b/__pycache__" in output
    assert precious.read_text() == "data"
    assert not link.is_symlink()


def test_what_is_no_python_is_told(tmp_path: Path) -> None:
    """Its path, line and what is wrong."""
    write(tmp_path, {"good.py": "", "bad.py": "a = 1\nb = (\n", "nul.py": "\0"})
    modules = [str(tmp_path / name) for name in ("good.py", "bad.py", "nul.py")]
    code, output = compile_modules(Path(sys.executable), modules, checked=False)
    told = {tuple(line.split("\0")[:2]) for line in output.splitlines()}
    assert (code, (str(tmp_path / "bad.py"), "2") in told) == (0, True)
    assert all(line.count("\0") == 2 for line in output.splitlines())


@pytest.mark.parametrize(("checked", "mark"), [(True, 3), (False, 1)])
def test_an_app_may_be_held_to_its_sources(tmp_path: Path, checked: bool, mark: int) -> None:
    """As live reload needs it (PEP 552)."""
    write(tmp_path, {"a.py": ""})
    modules = [str(tmp_path / "a.py")]
    code, output = compile_modules(Path(sys.executable), modules, checked=checked)
    assert (code, output) == (0, "")
    (made,) = (tmp_path / "__pycache__").iterdir()
    assert made.read_bytes()[4:8] == bytes([mark, 0, 0, 0])


def test_a_module_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Half of the byte code is never taken for all of it."""
    write(tmp_path, {"a.py": ""})
    (tmp_path / "__pycache__").write_text("no directory")
    code, output = compile_trees(Path(sys.executable), [tmp_path])
    assert code == 1
    assert "FileExistsError" in output or "NotADirectoryError" in output


def test_a_module_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    """Where the file ends early, as on a full disk, Python finds none: it would take it for whole."""
    app = write(tmp_path, {"a.py": "", "long.py": "".join(f"f{n} = [{n}]\n" for n in range(1000))})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        code, output = compile_modules(
            Path(sys.executable), [str(app / "long.py"), str(app / "a.py")], checked=False
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, compiled(app), "File too large" in output) == (1, {"a"}, True)
    assert len(list(app.rglob("__pycache__/*"))) == 1


def test_each_module_is_compiled_once(tmp_path: Path) -> None:
    """The processes share what is left to do: no two may write the same file."""
    for number in range(4000):
        (tmp_path / f"{number}.py").touch()
    names = [str(path) for path in tmp_path.iterdir()]
    done = os.open(tmp_path / "done", os.O_CREAT | os.O_APPEND | os.O_RDWR)

    class Noting(Compiler):
        def compile_module(self, path: str) -> None:
            os.write(done, os.fsencode(path) + b"\n")

    Noting([], "", "", UNCHECKED_HASH, tells=False).compile_all(list(names))
    assert sorted((tmp_path / "done").read_text().splitlines()) == sorted(names)
    os.close(done)
