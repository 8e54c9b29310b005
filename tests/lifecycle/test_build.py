"""An app becomes an image that answers; a rebuild does no more than it must."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lifecycle.conftest import EXAMPLES

import oci_layout
from local_platform import APP_IMAGE, Build, Workspace, create, free_port, get, run_phases, started

BUILDS: tuple[Callable[..., Build], ...] = (create, run_phases)


def reused(build: Build) -> list[str]:
    """The layers of this buildpack that the lifecycle took from the previous image."""
    return sorted(re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", build.log))


def passed(build: Build) -> Build:
    """`build`, which must have passed."""
    assert build.code == 0, build.log
    return build


@pytest.mark.parametrize("name", ["flask", "django", "fastapi"])
def test_examples_answer(space: Workspace, name: str) -> None:
    """Each example is built by creator, started by the launcher, and answers."""
    passed(create(space, EXAMPLES / name))
    port = free_port()
    with started(space, port) as process:
        body = get(f"http://127.0.0.1:{port}/", process)
        python = json.loads(get(f"http://127.0.0.1:{port}/python", process))
    assert body.startswith("Hello from")
    labels = oci_layout.read_image(space.layout, APP_IMAGE).labels
    assert labels["io.pycnb.python.version"] == python["python"]


@pytest.mark.parametrize("build", BUILDS)
def test_no_change_reuses_both_layers(space: Workspace, build: Callable[..., Build]) -> None:
    """An unchanged app's layers are reused by metadata: no directory, the very same image."""
    app = EXAMPLES / "flask"
    first = passed(build(space, app))
    image = oci_layout.read_image(space.layout, APP_IMAGE)
    assert reused(first) == []
    second = passed(build(space, app))
    assert reused(second) == ["python", "venv"]
    assert not (space.buildpack_layers / "python").exists()
    assert not (space.buildpack_layers / "venv").exists()
    assert oci_layout.read_image(space.layout, APP_IMAGE).digest == image.digest
    assert re.search(r"Python buildpack done in [\d.]+ s", second.log)


def test_code_change_moves_the_app_layer_only(space: Workspace, flask_app: Path) -> None:
    """A changed page is in the new image; python and venv keep their digests."""
    passed(create(space, flask_app))
    before = oci_layout.read_image(space.layout, APP_IMAGE)
    source = flask_app / "app.py"
    source.write_text(source.read_text().replace("Hello from Flask", "Changed"))
    assert reused(passed(create(space, flask_app))) == ["python", "venv"]
    after = oci_layout.read_image(space.layout, APP_IMAGE)
    assert after.digest != before.digest
    assert len(set(before.layers) - set(after.layers)) == 1


def test_a_clone_of_the_same_files(space: Workspace, flask_app: Path) -> None:
    """What git notes about a clone (kpack keeps it) leaves the app's layer as it was."""
    git = flask_app / ".git"
    git.mkdir()
    (git / "index").write_text("cloned at ten")
    passed(create(space, flask_app))
    before = oci_layout.read_image(space.layout, APP_IMAGE)
    (git / "index").write_text("cloned at eleven")
    built = passed(create(space, flask_app))
    after = oci_layout.read_image(space.layout, APP_IMAGE)
    assert len(before.layers) == len(after.layers)
    assert len(set(before.layers) - set(after.layers)) == 1
    assert "Reused 1/2 app layer(s)" in built.log and "Added 1/2 app layer(s)" in built.log


def distributions(space: Workspace) -> set[str]:
    """Names of what the venv layer of the last build holds."""
    found = space.buildpack_layers.glob("venv/lib/python3*/site-packages/*.dist-info")
    return {path.name.split("-")[0] for path in found}


def test_changed_requirements(space: Workspace, flask_app: Path) -> None:
    """An added requirement arrives, a removed one goes, and the log names what changed."""
    requirements = flask_app / "requirements.txt"
    before = requirements.read_text()
    passed(create(space, flask_app))
    assert "iniconfig" not in distributions(space)

    requirements.write_text(before + "iniconfig==2.0.0\n")
    build = passed(create(space, flask_app))
    assert reused(build) == ["python"]
    assert "requirements.txt changed; added iniconfig==2.0.0" in build.log
    assert "iniconfig" in distributions(space)

    requirements.write_text(before)
    build = passed(create(space, flask_app))
    assert "requirements.txt changed; removed iniconfig==2.0.0" in build.log
    assert "iniconfig" not in distributions(space)


def test_layers_are_a_function_of_their_keys(space: Workspace) -> None:
    """Two cold builds, the second with nothing kept, give the same image."""
    passed(create(space, EXAMPLES / "flask"))
    first = oci_layout.read_image(space.layout, APP_IMAGE)
    shutil.rmtree(oci_layout.image_path(space.layout, APP_IMAGE))
    shutil.rmtree(space.root / "cache")
    (space.root / "cache").mkdir()
    assert reused(passed(create(space, EXAMPLES / "flask"))) == []
    assert oci_layout.read_image(space.layout, APP_IMAGE).layers == first.layers


def test_detect_stands_aside(space: Workspace, tmp_path: Path) -> None:
    """An app without any sign of Python is left to others, as is one that says so."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "index.html").write_text("hello")
    assert create(space, app).code == 20
    build = create(space, EXAMPLES / "flask", {"BP_PYTHON_DISABLE": "true"})
    assert build.code == 20


def test_procfile(space: Workspace, flask_app: Path) -> None:
    """The Procfile's process runs without a shell, its variables expanded."""
    (flask_app / "Procfile").write_text("web: gunicorn --bind 127.0.0.1:$PORT 'app:app'\n")
    passed(create(space, flask_app))
    port = free_port()
    with started(space, port) as process:
        assert get(f"http://127.0.0.1:{port}/", process) == "Hello from Flask\n"
    metadata = oci_layout.read_image(space.layout, APP_IMAGE).labels["io.buildpacks.build.metadata"]
    (process_table,) = json.loads(metadata)["processes"]
    assert "sh" not in process_table["command"]
    assert process_table["type"] == "web"


def test_image_has_no_leftovers(space: Workspace, tmp_path: Path) -> None:
    """Nothing of the build's own directories is named in the image's own layers."""
    passed(create(space, EXAMPLES / "flask"))
    root = tmp_path / "image"
    oci_layout.extract_image(oci_layout.read_image(space.layout, APP_IMAGE), root)
    layers = root / space.layers.relative_to("/") / "pycnb_python"
    assert sorted(p.name for p in layers.iterdir()) == ["python", "venv"]
    names = {path.name for path in layers.rglob("*")}
    assert not names & {"uv_cache.json", "REQUESTED", "ensurepip", "idlelib", "tkinter"}
    site = next(layers.glob("venv/lib/python3*/site-packages"))
    sources = {path.with_suffix("").name for path in (site / "flask").glob("*.py")}
    compiled = {path.name.split(".")[0] for path in (site / "flask/__pycache__").glob("*.pyc")}
    assert sources == compiled
    # Flags 1: hash-based and not checked, so that the lifecycle's times do not matter.
    assert {path.read_bytes()[4] for path in layers.rglob("*.pyc")} == {1}


def test_runtime_is_self_contained(space: Workspace) -> None:
    """The modules that need shared libraries find their own, with nothing set."""
    passed(create(space, EXAMPLES / "flask"))
    python = space.buildpack_layers / "python" / "bin" / "python3"
    done = subprocess.run(
        [python, "-c", "import ssl, sqlite3, ctypes, lzma, zlib, bz2; print(ssl.OPENSSL_VERSION)"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OpenSSL")
