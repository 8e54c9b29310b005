"""Old and new platforms: every Platform API of the real lifecycle, and what some do not give."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lifecycle.test_build import passed, reused

import builder
import oci_layout
import package
import registry
from cnb.toml import read_toml
from local_platform import APP_IMAGE, BUILDPACK_ID, RUN_IMAGE, Workspace, create


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry: layouts are unknown before Platform API 0.12."""
    with registry.registry(tmp_path_factory.mktemp("registry"), print) as address:
        yield address


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The smallest app that has a process."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "main.py").write_text("print('hello')\n")
    (folder / "Procfile").write_text("web: python main.py first second\n")
    return folder


def test_matrix_is_whole() -> None:
    """The table holds every API that the lifecycle says it supports."""
    assert tuple(f"0.{number}" for number in range(7, 16)) == builder.PLATFORM_APIS


@pytest.mark.parametrize("api", builder.PLATFORM_APIS)
def test_platform_api(space: Workspace, app: Path, images: str, api: str) -> None:
    """A build, and a rebuild that reuses the runtime and the packages by their metadata; the process
    as this platform's launcher takes it."""
    name = f"{APP_IMAGE}-{api}"
    registry.push(images, oci_layout.image_path(space.layout, RUN_IMAGE), RUN_IMAGE)
    target = ["-run-image", f"{images}/{RUN_IMAGE}", f"{images}/{name}"]
    first = passed(create(space, app, target=target, api=api))
    assert "Python buildpack done" in first.log
    layers = registry.read(images, name)["layers"]
    second = passed(create(space, app, target=target, api=api))
    assert reused(second) == ["python", "venv"]
    assert registry.read(images, name)["layers"] == layers
    labels = registry.read_config(images, name)["config"]["Labels"]
    (process,) = json.loads(labels["io.buildpacks.build.metadata"])["processes"]
    assert process["type"] == "web"
    command = process["command"] if isinstance(process["command"], list) else [process["command"]]
    words = [*command, *process.get("args", [])]
    assert words[-4:] == ["python", "main.py", "first", "second"]


@pytest.mark.parametrize("api", ["0.10", "0.11", "0.12"])
def test_buildpack_api(space: Workspace, app: Path, api: str) -> None:
    """What the buildpack reads and writes is right for each API from its own one on."""
    assert read_toml(package.ROOT / "buildpack.toml")["api"] == "0.10"
    declare_api(space, api)
    passed(create(space, app))
    assert reused(passed(create(space, app))) == ["python", "venv"]


def declare_api(space: Workspace, api: str) -> None:
    """From here on the platform's copy of the buildpack says that it implements `api`."""
    link = space.root / "buildpacks" / BUILDPACK_ID / package.version()
    made = space.root / "other-api"
    shutil.copytree(link.resolve(), made, symlinks=True, copy_function=os.link)
    table = (made / "buildpack.toml").read_text()
    (made / "buildpack.toml").unlink()
    (made / "buildpack.toml").write_text(table.replace('api = "0.10"', f'api = "{api}"'))
    link.unlink()
    link.symlink_to(made)


def test_lifecycle_that_does_not_know_the_api(space: Workspace, app: Path) -> None:
    """A lifecycle that is too old for a buildpack says so before anything is run."""
    declare_api(space, "0.99")
    build = create(space, app)
    assert build.code != 0
    assert "0.99" in build.log and "Python buildpack" not in build.log


def run_buildpack(
    buildpack: Path, app: Path, layers: Path, platform: Path, target: dict[str, str]
) -> dict[str, Any]:
    """Detect and build with positional arguments only; the TOML files of the layers."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(layers.parent), **target}
    plan = layers.parent / "plan.toml"
    done = subprocess.run(
        [buildpack / "bin/detect", platform, plan],
        cwd=app, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    requires = read_toml(plan)["requires"]
    plan.write_text("".join(f'[[entries]]\nname = "{entry["name"]}"\n' for entry in requires))
    done = subprocess.run(
        [buildpack / "bin/build", layers, platform, plan],
        cwd=app, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: read_toml(path) for path in layers.glob("*.toml")}


def test_positional_arguments_and_no_target(buildpack: Path, app: Path, tmp_path: Path) -> None:
    """A platform that names directories by position, and says nothing of the target: the machine's
    own architecture and distribution are taken."""
    made: list[dict[str, Any]] = []
    facts = os.uname().machine
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(facts, facts)
    for target in ({}, {"CNB_TARGET_OS": "linux", "CNB_TARGET_ARCH": arch}):
        folder = tmp_path / f"run-{len(made)}"
        layers, platform = folder / "layers", folder / "platform"
        layers.mkdir(parents=True)
        (platform / "env").mkdir(parents=True)
        found = run_buildpack(buildpack, app, layers, platform, target)
        assert found["python.toml"]["metadata"]["key"]["arch"] == arch
        made.append({name: table.get("types") for name, table in found.items()})
    assert made[0] == made[1]
    assert {"python.toml", "venv.toml", "launch.toml"} <= made[0].keys()
