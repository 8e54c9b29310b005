"""bin/detect and bin/build by themselves: exit codes, imports, and what surrounds them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.lifecycle.conftest import EXAMPLES

from cnb.toml import read_toml


def run(
    command: Sequence[str | Path], cwd: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a program with this environment and no other."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def interpreter(buildpack: Path) -> Path:
    """The package's own Python."""
    (found,) = (buildpack / "runtime" / "cpython" / "bin").glob("python3.*")
    return found


def imported(python: Path, arguments: Sequence[str | Path], cwd: Path, plan: Path) -> list[str]:
    """The modules that a run imports, in order."""
    done = run(
        [python, "-I", "-X", "importtime", *arguments], cwd, {"CNB_BUILD_PLAN_PATH": str(plan)}
    )
    assert done.returncode == 0, done.stderr
    return re.findall(r"import time:\s+\d+ \|\s+\d+ \|\s+(\S+)", done.stderr)


def test_detect_imports_next_to_nothing(buildpack: Path, tmp_path: Path) -> None:
    """Exactly these modules, beyond what the interpreter itself imports at its start."""
    python, plan = interpreter(buildpack), tmp_path / "plan.toml"
    bare = imported(python, ["-c", ""], tmp_path, plan)
    program = buildpack / "src" / "python_buildpack" / "__main__.py"
    found = imported(python, [program, "detect"], EXAMPLES / "flask", plan)
    assert sorted(set(found) - set(bare)) == [
        "__future__",
        "cnb",
        "cnb.build_plan",
        "cnb.detect",
        "cnb.exit_codes",
        "cnb.toml_string",
        "python_buildpack",
        "python_buildpack.detection",
    ]


@pytest.mark.parametrize("by_arguments", [False, True])
def test_detect_passes_and_writes_a_plan(
    buildpack: Path, tmp_path: Path, by_arguments: bool
) -> None:
    """Exit code 0; the plan lies where the variable, or an older platform's argument, says."""
    plan = tmp_path / "plan.toml"
    arguments = [str(tmp_path), str(plan)] if by_arguments else []
    environ = {} if by_arguments else {"CNB_BUILD_PLAN_PATH": str(plan)}
    done = run([buildpack / "bin" / "detect", *arguments], EXAMPLES / "flask", environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [entry["name"] for entry in read_toml(plan)["provides"]] == ["python", "venv"]
    assert read_toml(plan)["requires"][0] == {"name": "python", "metadata": {"launch": True}}


def test_detect_fails_with_its_own_code(buildpack: Path, tmp_path: Path) -> None:
    """100: no Python app; what was looked for and what is there is said; no plan is written."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "index.html").write_text("")
    plan = tmp_path / "plan.toml"
    done = run([buildpack / "bin" / "detect"], app, {"CNB_BUILD_PLAN_PATH": str(plan)})
    assert done.returncode == 100
    assert "requirements.txt" in done.stdout and "index.html" in done.stdout
    assert not plan.exists()


def test_detect_says_how_to_pass(buildpack: Path, tmp_path: Path) -> None:
    """A script alone is no app, and a Procfile by another name is none; a setting makes it one."""
    for name in ("count.py", "procfile"):
        (tmp_path / name).write_text("")
    environ = {"CNB_BUILD_PLAN_PATH": str(tmp_path / "plan.toml")}
    done = run([buildpack / "bin" / "detect"], tmp_path, environ)
    assert done.returncode == 100
    assert "To build count.py: echo 'web: python count.py' > Procfile" in done.stdout
    assert "procfile is not read: its name must be Procfile." in done.stdout
    # As a file of the platform's environment holds it.
    for setting in ({"BP_PYTHON_SCRIPT": "count.py\n"}, {"BP_PIP_REQUIREMENT": "base/live.txt"}):
        done = run([buildpack / "bin" / "detect"], tmp_path, {**environ, **setting})
        assert done.returncode == 0


def test_detect_without_a_plan_is_an_error(buildpack: Path) -> None:
    """Neither 0 nor 100: the platform is broken."""
    done = run([buildpack / "bin" / "detect"], EXAMPLES / "flask", {})
    assert done.returncode not in (0, 100)
    assert "CNB_BUILD_PLAN_PATH" in done.stderr


def test_detect_leaves_the_app_alone(buildpack: Path, tmp_path: Path) -> None:
    """It works in a directory that nobody can write, and with a hostile environment."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text("")
    (app / "os.py").write_text("raise SystemExit(3)")
    before = sorted(app.rglob("*"))
    environ = {
        "CNB_BUILD_PLAN_PATH": str(tmp_path / "plan.toml"),
        "PYTHONHOME": "/invalid",
        "PYTHONPATH": str(app),
        "PYTHONSTARTUP": "/invalid",
        "LANG": "C",
    }
    done = run([buildpack / "bin" / "detect"], app, environ)
    assert done.returncode == 0, done.stderr
    assert sorted(app.rglob("*")) == before


def test_build_without_directories_is_an_error(buildpack: Path) -> None:
    """What is missing is named."""
    done = run([buildpack / "bin" / "build"], EXAMPLES / "flask", {})
    assert done.returncode == 1
    assert "CNB_LAYERS_DIR" in done.stdout


def test_modes_do_not_depend_on_the_umask(buildpack: Path, tmp_path: Path) -> None:
    """Whatever the builder's umask is, every user can read the image."""
    for name in ("layers", "platform"):
        (tmp_path / name).mkdir()
    (tmp_path / "plan.toml").write_text("")
    environ = {
        "CNB_BUILDPACK_DIR": str(buildpack),
        "CNB_LAYERS_DIR": str(tmp_path / "layers"),
        "CNB_PLATFORM_DIR": str(tmp_path / "platform"),
        "CNB_BP_PLAN_PATH": str(tmp_path / "plan.toml"),
        "HOME": str(tmp_path),
    }
    command = ["sh", "-c", f"umask 077; exec {buildpack}/bin/build"]
    done = run(command, EXAMPLES / "flask", {**environ, "PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stdout + done.stderr
    modes = {
        path.stat().st_mode & 0o777
        for path in (tmp_path / "layers").glob("*/**/*")
        if not path.is_symlink() and "pip-cache" not in path.parts
    }
    assert modes == {0o755, 0o644}
