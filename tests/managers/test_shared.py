"""The tests' own distributions and index serve pip's format to the buildpack."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.managers.conftest import (
    Builder,
    Built,
    assert_same_installation,
    checked_run,
    distributions,
    plain_environment,
    write_files,
)
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_sdist, write_source, write_wheel


def test_python_that_is_too_new(
    buildpack: Path,
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    app: Path,
    workplace: Path,
) -> None:
    """An upper bound of Requires-Python, which uv leaves out of account, counts as with pip."""
    index.add(
        write_wheel(Distribution(name="top", requires=["base"]), workplace / "wheels"),
        write_wheel(Distribution(name="base", version="1.0"), workplace / "wheels"),
        write_wheel(
            Distribution(name="base", version="2.0", requires_python=">=3.6,<3.9"),
            workplace / "wheels",
        ),
    )
    write_files(app, {"requirements.txt": "top\n"})
    built = build(app, PIP_INDEX_URL=index.url, UV_RESOLUTION="highest").passed()
    assert "uv takes base, which this Python is too new for; pip decides." in built.log
    assert "Without effect: UV_RESOLUTION. pip installs" in built.log
    facts = built.metadata("venv")["facts"]
    assert facts["installer"] == "pip"
    assert facts["installer_reason"] == "uv takes base, which this Python is too new for"
    assert distributions(built.venv) == {"top-1.0", "base-1.0"}
    tools_own = empty_venv(built)
    pip = max((buildpack / "pip").glob("pip-*.whl"))
    checked_run(
        [tools_own / "bin" / "python", f"{pip}/pip", "install", "-r", "requirements.txt"],
        env={**plain_environment(workplace / "home"), "PIP_INDEX_URL": index.url},
        cwd=app,
    )
    assert_same_installation(built.venv, tools_own)


def test_requirements_txt(
    buildpack: Path,
    build: Builder,
    empty_venv: Callable[[Built], Path],
    index: SimpleIndex,
    other_index: SimpleIndex,
    app: Path,
    workplace: Path,
) -> None:
    """Wheels, sdists, extras, markers, scripts and a private index: pip installs the same."""
    wheels = workplace / "wheels"
    top = Distribution(
        name="Top.Level",
        requires=["base>=1", 'win-only; sys_platform == "win32"'],
        extras={"more": ["from-source"]},
        scripts={"top": "top_level:main"},
    )
    index.add(
        write_wheel(top, wheels),
        write_wheel(Distribution(name="base", version="1.0"), wheels),
        write_wheel(Distribution(name="base", version="2.0", requires_python=">=4"), wheels),
        write_sdist(Distribution(name="from-source", scripts={"fs": "from_source:main"}), wheels),
    )
    other_index.add(write_wheel(Distribution(name="secret"), wheels))
    write_source(Distribution(name="local"), app / "libs" / "local")
    write_files(app, {"requirements.txt": "top-level[more]\nsecret\n-e libs/local\n"})
    indexes = {"PIP_INDEX_URL": index.url, "PIP_EXTRA_INDEX_URL": other_index.url_with_credentials}
    built = build(app, **indexes).passed()
    assert distributions(built.venv) == {
        "top_level-1.0", "base-1.0", "from_source-1.0", "secret-1.0", "local-1.0",
    }  # fmt: skip
    assert other_index.password not in built.log
    assert subprocess.check_output([built.venv / "bin" / "top"], text=True) == "1.0\n"

    tools_own = empty_venv(built)
    pip = max((buildpack / "pip").glob("pip-*.whl"))
    checked_run(
        [tools_own / "bin" / "python", f"{pip}/pip", "install", "-r", "requirements.txt"],
        env={**plain_environment(workplace / "home"), **indexes},
        cwd=app,
    )
    assert_same_installation(built.venv, tools_own)


def test_pip_is_not_compiled_at_each_start(buildpack: Path) -> None:
    """The package's own Python finds byte code in pip's wheel, which is where pip is run from."""
    python = next((buildpack / "runtime" / "cpython" / "bin").glob("python3.*[0-9]"))
    pip = max((buildpack / "pip").glob("pip-*.whl"))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import pip._internal.commands.install\n"
        "found = [m.__file__ for name, m in sys.modules.items() if name.split('.')[0] == 'pip']\n"
        "print(len(found) > 100, {file.rpartition('.')[2] for file in found})"
    )
    shown = checked_run([python, "-I", "-c", code, pip], env={})
    assert shown == "True {'pyc'}\n"
