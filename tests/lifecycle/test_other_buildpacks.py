"""Other buildpacks before and after this one, as docs/builder.md composes them.

Those after it may need Python, or a version of it, during the build.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lifecycle.conftest import BUILDER, Host
from tests.lifecycle.test_build import passed, reused
from tests.managers.wheel_factory import Distribution, write_source

import local_platform
import oci_layout
import package
from local_platform import APP_IMAGE, Workspace, create
from python_buildpack.runtime.releases import DEFAULT_MINOR

DETECT = """#!/bin/sh
[ -f asset.txt ] || exit 100
printf '[[requires]]\\nname = "python"\\n[requires.metadata]\\nbuild = true\\n' > "$CNB_BUILD_PLAN_PATH"
[ -f version.txt ] || exit 0
printf 'version = "%s"\\n' "$(cat version.txt)" >> "$CNB_BUILD_PLAN_PATH"
"""
BUILD = """#!/bin/sh
set -e
echo "asset: $(python -c 'import flask, sys; print(sys.prefix)') CPATH=$CPATH"
[ -f "${CPATH%%:*}/Python.h" ] && echo "asset: headers are there"
"""


# Stand-ins: a buildpack of system packages, one that builds assets, one that reads the Procfile.
DEBS = (
    "#!/bin/sh\n[ -f Aptfile ] || exit 100\n",
    """#!/bin/sh
set -e
layer=$CNB_LAYERS_DIR/packages
mkdir -p "$layer/bin" "$layer/lib" "$layer/include"
printf '#!/bin/sh\\necho from-a-package\\n' > "$layer/bin/tiny-config"
chmod +x "$layer/bin/tiny-config"
printf '[types]\\nlaunch = true\\nbuild = true\\ncache = true\\n' > "$layer.toml"
""",
)
NODE = (
    "#!/bin/sh\n[ -f package.json ] || exit 100\n",
    """#!/bin/sh
set -e
mkdir -p static
echo 'bundled' > static/bundle.js
""",
)
PROCFILE = (
    "#!/bin/sh\n[ -f Procfile ] || exit 100\n",
    """#!/bin/sh
cat > "$CNB_LAYERS_DIR/launch.toml" <<END
[[processes]]
type = "web"
command = ["sh", "-c", "$(sed -n 's/^web: //p' Procfile)"]
default = true
END
""",
)
# A project whose wheel cannot be built without the program of that package.
BACKEND = """\
import subprocess

import backend


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    word = subprocess.run(["tiny-config"], check=True, capture_output=True, text=True).stdout
    backend._sources = lambda: {"tiny.py": f"built = {word.strip()!r}\\n".encode()}
    return backend.build_wheel(wheel_directory)
"""


def write_buildpack(folder: Path, detect: str, build: str) -> Path:
    """A buildpack of two shell scripts; its folder's name is its id."""
    (folder / "bin").mkdir(parents=True)
    (folder / "buildpack.toml").write_text(
        f'api = "0.10"\n[buildpack]\nid = "{folder.name}"\nname = "Other"\nversion = "1.0.0"\n'
    )
    for program, text in (("detect", detect), ("build", build)):
        (folder / "bin" / program).write_text(text)
        (folder / "bin" / program).chmod(0o755)
    return folder


@pytest.fixture
def space(shelter: Path, buildpack: Path, binaries: Path) -> Iterator[Workspace]:
    """A workspace whose order holds others before and after; each joins if the app has its file."""
    with tempfile.TemporaryDirectory(prefix="w", dir=shelter) as name:
        root = Path(name)
        root.chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        yield local_platform.prepare(
            root / "p", buildpack, package.version(), binaries, user,
            others=[
                write_buildpack(root / "assets", DETECT, BUILD),
                write_buildpack(root / "procfile", *PROCFILE),
            ],
            before=[write_buildpack(root / "debs", *DEBS), write_buildpack(root / "node", *NODE)],
        )  # fmt: skip


def test_before_and_after(space: Workspace, flask_app: Path) -> None:
    """System packages serve the installation and the running app, assets are in the image, and a
    Procfile buildpack at the end has the last word; a rebuild reuses every layer."""
    project = flask_app / "tiny"
    write_source(Distribution(name="tiny"), project)
    (project / "backend_with_config.py").write_text(BACKEND)
    declared = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(
        declared.replace('build-backend = "backend"', 'build-backend = "backend_with_config"')
    )
    with (flask_app / "requirements.txt").open("a") as file:
        file.write("./tiny\n")
    (flask_app / "Aptfile").write_text("tiny-dev\n")
    (flask_app / "package.json").write_text("{}\n")
    (flask_app / "Procfile").write_text("web: python -m flask run --port 1\n")
    passed(create(space, flask_app))

    show = "import tiny, shutil; print(tiny.built, shutil.which('tiny-config') is not None)"
    done = subprocess.run(
        [space.binaries / "launcher", "python", "-c", show],
        env=local_platform.launch_environment(space, 1),
        cwd=space.app,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "from-a-package True\n", done.stderr
    image = oci_layout.read_image(space.layout, APP_IMAGE)
    processes = json.loads(image.labels["io.buildpacks.build.metadata"])["processes"]
    assert [(p["type"], p["buildpackID"]) for p in processes if p["type"] == "web"] == [
        ("web", "procfile")
    ]
    assert (space.app / "static/bundle.js").read_text() == "bundled\n"

    assert reused(passed(create(space, flask_app))) == ["python", "venv"]
    assert oci_layout.read_image(space.layout, APP_IMAGE).digest == image.digest


def test_python_at_build(space: Workspace, flask_app: Path) -> None:
    """From launch only to needed at build and back: Python is there when asked for, and the image
    holds the same two layers all the way."""
    passed(create(space, flask_app))
    first = oci_layout.read_image(space.layout, APP_IMAGE)

    (flask_app / "asset.txt").write_text("")
    for reason in ("another buildpack needs it during the build", "Reusing packages"):
        build = passed(create(space, flask_app))
        assert f"asset: {space.buildpack_layers}/venv" in build.log
        assert "asset: headers are there" in build.log
        assert reason in build.log
        layers = oci_layout.read_image(space.layout, APP_IMAGE).layers
        assert set(first.layers) & set(layers) >= set(first.layers[1:3])

    (flask_app / "asset.txt").unlink()
    passed(create(space, flask_app))
    build = passed(create(space, flask_app))
    assert "asset:" not in build.log
    assert reused(build) == ["python", "venv"]
    assert oci_layout.read_image(space.layout, APP_IMAGE).digest == first.digest


def test_a_version_that_another_buildpack_requires(space: Workspace, flask_app: Path) -> None:
    """It narrows the choice; where nothing is left, the error names both, and nothing is made."""
    (flask_app / "asset.txt").write_text("")
    (flask_app / "version.txt").write_text(">=3.10,<4")
    build = passed(create(space, flask_app))
    assert "(another buildpack's requirement in the build plan: >=3.10,<4)" in build.log

    (flask_app / ".python-version").write_text(f"{DEFAULT_MINOR}\n")
    (flask_app / "version.txt").write_text("3.99")
    build = create(space, flask_app)
    assert build.code != 0
    assert ".python-version line 1 asks for" in build.log
    assert "another buildpack requires '3.99'" in build.log
    assert "[build-plan-version-conflict]" in build.log


def test_a_hook_before_another_python_is_made(
    space: Workspace, flask_app: Path, served: Host
) -> None:
    """It runs with the Python that was decided, not with the one that was restored."""
    (flask_app / "asset.txt").write_text("")
    hook = flask_app / "bin" / "pre_compile"
    hook.parent.mkdir()
    hook.write_text('#!/bin/sh\necho "hook: $(readlink -f "$(command -v python)")"\n')
    hook.chmod(0o755)
    build = passed(create(space, flask_app, {"BP_PYTHON_RELEASES": f"{served.url}/releases.json"}))
    assert f"hook: {space.buildpack_layers}/python/" in build.log
    build = passed(create(space, flask_app))
    assert f"hook: {space.buildpack_layers}" not in build.log
    assert "/runtime/cpython/bin/python3" in build.log
    assert f"asset: {space.buildpack_layers}/venv" in build.log
