"""What detect and build are given: by variables, and by arguments on older platforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnb.build import read_build_context
from cnb.buildpack_plan import PlanEntry, read_buildpack_plan, wishes
from cnb.detect import read_detect_context


def test_detect_by_variables(tmp_path: Path) -> None:
    """The variables say where everything lies; the working directory is the app."""
    environ = {
        "CNB_BUILD_PLAN_PATH": "/plan.toml",
        "CNB_PLATFORM_DIR": "/platform",
        "CNB_BUILDPACK_DIR": "/buildpack",
    }
    context = read_detect_context([], environ, tmp_path)
    assert context.app_dir == str(tmp_path)
    assert context.plan_path == "/plan.toml"
    assert context.platform_dir == "/platform"
    assert context.buildpack_dir == "/buildpack"


def test_detect_by_arguments() -> None:
    """Older platforms pass the platform directory and the plan."""
    context = read_detect_context(["/platform", "/plan.toml"], {}, "/app")
    assert (context.platform_dir, context.plan_path) == ("/platform", "/plan.toml")


def test_detect_variables_win_over_arguments() -> None:
    """Platforms that give both mean the same; the variables are the newer way."""
    context = read_detect_context(["/p", "/q"], {"CNB_BUILD_PLAN_PATH": "/plan.toml"}, "/app")
    assert context.plan_path == "/plan.toml"


@pytest.mark.parametrize("argv", [[], ["/platform"]])
def test_detect_needs_a_plan_to_write(argv: list[str]) -> None:
    """A platform that names no plan is broken."""
    with pytest.raises(ValueError, match="CNB_BUILD_PLAN_PATH"):
        read_detect_context(argv, {}, "/app")


def build_directories(root: Path) -> dict[str, str]:
    """A platform's directories with a plan; their variables."""
    for name in ("layers", "platform"):
        (root / name).mkdir()
    (root / "plan.toml").write_text('[[entries]]\nname = "python"\n')
    (root / "layers" / "store.toml").write_text("[metadata]\nkept = 1\n")
    return {
        "CNB_LAYERS_DIR": str(root / "layers"),
        "CNB_PLATFORM_DIR": str(root / "platform"),
        "CNB_BP_PLAN_PATH": str(root / "plan.toml"),
    }


def test_build_by_variables(tmp_path: Path) -> None:
    """Directories, plan, store and target in one read."""
    environ = {
        **build_directories(tmp_path),
        "CNB_BUILDPACK_DIR": "/buildpack",
        "CNB_TARGET_ARCH": "arm64",
    }
    context = read_build_context([], environ, tmp_path)
    assert context.app_dir == tmp_path
    assert context.layers_dir == tmp_path / "layers"
    assert context.platform_dir == tmp_path / "platform"
    assert context.buildpack_dir == Path("/buildpack")
    assert context.plan == (PlanEntry(name="python", metadata={}),)
    assert context.store == {"kept": 1}
    assert context.target.arch == "arm64"
    assert context.bindings == ()


def test_build_by_arguments(tmp_path: Path) -> None:
    """Older platforms pass layers, platform and plan."""
    argv = list(build_directories(tmp_path).values())
    context = read_build_context(argv, {}, tmp_path)
    assert context.layers_dir == tmp_path / "layers"
    assert context.platform_dir == tmp_path / "platform"
    assert [entry.name for entry in context.plan] == ["python"]


def test_build_environment_is_a_copy(tmp_path: Path) -> None:
    """What happens to the process's environment later changes nothing."""
    environ = build_directories(tmp_path)
    context = read_build_context([], environ, tmp_path)
    environ["LATER"] = "1"
    assert "LATER" not in context.environ


@pytest.mark.parametrize("missing", ["CNB_LAYERS_DIR", "CNB_PLATFORM_DIR", "CNB_BP_PLAN_PATH"])
def test_build_needs_all_three(tmp_path: Path, missing: str) -> None:
    """Without the platform directory the app's own `bindings` would be read as services."""
    environ = build_directories(tmp_path)
    del environ[missing]
    with pytest.raises(ValueError, match=missing):
        read_build_context([], environ, tmp_path)


def test_buildpack_plan_keeps_order_and_metadata(tmp_path: Path) -> None:
    """Several entries may share a name."""
    path = tmp_path / "plan.toml"
    path.write_text(
        '[[entries]]\nname = "python"\n[entries.metadata]\nbuild = true\nversion = "3.12"\n'
        '[[entries]]\nname = "venv"\n'
        '[[entries]]\nname = "python"\n[entries.metadata]\nlaunch = true\n'
    )
    entries = read_buildpack_plan(path)
    assert [entry.name for entry in entries] == ["python", "venv", "python"]
    assert entries[0].metadata == {"build": True, "version": "3.12"}


def test_an_absent_buildpack_plan_is_empty(tmp_path: Path) -> None:
    """Nothing is asked for."""
    assert read_buildpack_plan(tmp_path / "plan.toml") == ()


def test_wishes_of_one_name_are_merged() -> None:
    """Any entry's build or launch counts; versions keep their order, each once."""
    entries = (
        PlanEntry(name="python", metadata={"build": True, "version": "3.12"}),
        PlanEntry(name="venv", metadata={"launch": True}),
        PlanEntry(name="python", metadata={"launch": False, "version": ">=3.11"}),
        PlanEntry(name="python", metadata={"build": False, "version": "3.12"}),
    )
    python = wishes(entries, "python")
    assert (python.build, python.launch) == (True, False)
    assert python.versions == ("3.12", ">=3.11")
    assert wishes(entries, "venv").launch
    assert wishes(entries, "node").versions == ()
