"""A new version of the buildpack rebuilds nothing, unless it makes layers in another way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_wheel

import package
from local_platform import BUILDPACK_ID, Build, Workspace, create
from python_buildpack.plan import INSTALL_RECIPE, TRIM_RECIPE

TRIM = ("plan.py", f"TRIM_RECIPE = {TRIM_RECIPE}", "TRIM_RECIPE = 99")
INSTALL = ("plan.py", f"INSTALL_RECIPE = {INSTALL_RECIPE}", "INSTALL_RECIPE = 99")
# How a version's sources differ from ours -> the layers that are made anew, and why.
VERSIONS: tuple[tuple[str, list[tuple[str, str, str]], list[str], str], ...] = (
    ("7.0.0", [], [], "Reusing packages from the previous image"),
    ("7.0.1", [TRIM], ["python"], f"how the runtime is trimmed changed: {TRIM_RECIPE} -> 99"),
    (
        *("7.0.2", [TRIM, INSTALL], ["venv"]),
        f"how packages are installed changed: {INSTALL_RECIPE} -> 99",
    ),
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SimpleIndex]:
    """An index with a tiny package."""
    with SimpleIndex() as made:
        made.add(write_wheel(Distribution(name="alpha"), tmp_path / "wheels"))
        yield made


def use_package(
    space: Workspace, buildpack: Path, version: str, edits: list[tuple[str, str, str]]
) -> None:
    """Have the platform use the package in another version from now on, with changed sources."""
    target = space.root / f"package-{version}"
    target.mkdir()
    for path in buildpack.iterdir():
        if path.name in ("src", "bin"):
            # Packaged byte code is never compared with its source.
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.name != "buildpack.toml":
            (target / path.name).symlink_to(path)
    settings = (buildpack / "buildpack.toml").read_text()
    own = f'version = "{package.version()}"'
    assert settings.count(own) == 1
    (target / "buildpack.toml").write_text(settings.replace(own, f'version = "{version}"'))
    for name, old, new in edits:
        source = target / "src" / "python_buildpack" / name
        assert source.read_text().count(old) == 1
        source.write_text(source.read_text().replace(old, new))
    (space.root / "buildpacks" / BUILDPACK_ID / version).symlink_to(target)
    group = f'[[order.group]]\nid = "pycnb/python"\nversion = "{version}"\n'
    (space.root / "order.toml").write_text(f"[[order]]\n{group}")


def made(space: Workspace) -> list[str]:
    """The layers that were made: the exporter says "Reusing" of equal bytes, too."""
    return [name for name in ("python", "venv") if (space.buildpack_layers / name).is_dir()]


def passed(build: Build) -> Build:
    """`build`, which must have passed."""
    assert build.code == 0, build.log
    return build


def test_new_versions_of_the_buildpack(
    space: Workspace, index: SimpleIndex, buildpack: Path, tmp_path: Path
) -> None:
    """The same release list and inputs: only another recipe makes a layer anew, and that one alone.

    Nothing is asked of the index for a layer that is reused.
    """
    app = tmp_path / "app"
    app.mkdir()
    (app / "requirements.txt").write_text("alpha\n")
    settings = {"PIP_INDEX_URL": index.url}
    passed(create(space, app, settings))
    assert made(space) == ["python", "venv"]
    for version, edits, expected, reason in VERSIONS:
        use_package(space, buildpack, version, edits)
        asked = len(index.requests)
        build = passed(create(space, app, settings))
        assert f"pycnb/python {version}" in build.log
        assert made(space) == expected, build.log
        assert reason in build.log, build.log
        assert (len(index.requests) > asked) == ("venv" in expected)
