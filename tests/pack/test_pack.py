"""`pack build` with a real daemon; the image's container answers."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pack.conftest import EXAMPLES, Pack

import builder
from local_platform import free_port
from pack_cli import run_pack


@contextlib.contextmanager
def container(pack: Pack, image: str, *options: str) -> Iterator[tuple[str, str]]:
    """A read-only container without privileges; its id and the URL of its web process."""
    port = free_port()
    made = pack.docker.run(
        "run", "--detach", "--read-only", "--cap-drop", "ALL", "--network", "host",
        "--env", f"PORT={port}", *options, image,
    )  # fmt: skip
    identity = made.stdout.strip()
    try:
        yield identity, f"http://127.0.0.1:{port}"
    finally:
        pack.docker.run("rm", "--force", identity, check=False)


def get(pack: Pack, identity: str, url: str) -> str:
    """A page of the container, as soon as it answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        with contextlib.suppress(OSError), opener.open(url, timeout=5) as response:
            return str(response.read().decode())
        state = pack.docker.run("inspect", "--format", "{{.State.Running}}", identity).stdout
        if state.strip() != "true":
            break
        time.sleep(0.1)
    logs = pack.docker.run("logs", identity, check=False)
    raise AssertionError(f"no answer from {url}:\n{logs.stdout}{logs.stderr}")


def inspect(pack: Pack, image: str) -> dict[str, Any]:
    """What Docker knows about an image."""
    (found,) = json.loads(pack.docker.run("image", "inspect", image).stdout)
    return dict(found)


def downloaded_sbom(pack: Pack, image: str, target: Path) -> set[str]:
    """The names in the venv layer's SBOM as `pack sbom download` gives it; equal in both formats."""
    run_pack(
        pack.pack, pack.docker, pack.work / "pack", "sbom", "download", image,
        "--output-dir", str(target),
    )  # fmt: skip
    folder = target / "layers" / "sbom" / "launch" / "pycnb_python"
    assert sorted(path.name for path in folder.iterdir()) == ["python", "venv"]
    cyclonedx = json.loads((folder / "venv" / "sbom.cdx.json").read_bytes())["components"]
    spdx = json.loads((folder / "venv" / "sbom.spdx.json").read_bytes())["packages"]
    names = {one["name"] for one in cyclonedx}
    assert names | {"pycnb/python:venv"} == {one["name"] for one in spdx}
    return names


def test_base_images_have_no_python(platform: Pack) -> None:
    """What follows is built and run without any Python but the buildpack's own."""
    for image in (builder.BUILD, builder.RUN):
        found = platform.docker.run(
            "run", "--rm", image, "sh", "-c", "command -v python python3; true"
        )
        assert found.stdout == ""


@pytest.mark.parametrize("name", ["flask", "django", "fastapi"])
def test_container_answers(platform: Pack, image: str, name: str) -> None:
    """Non-root, with a read-only root file system and no capabilities."""
    log = platform.build(image, EXAMPLES / name)
    assert "Python buildpack done" in log
    assert "Failed to hardlink" not in log, "the layers are a volume: uv must unpack there, too"
    facts = inspect(platform, image)
    assert facts["Config"]["User"].split(":")[0] == "1000"
    with container(platform, image) as (identity, url):
        assert get(platform, identity, f"{url}/").startswith("Hello from")
        python = json.loads(get(platform, identity, f"{url}/python"))["python"]
    assert facts["Config"]["Labels"]["io.pycnb.python.version"] == python


def test_arbitrary_user(platform: Pack, image: str) -> None:
    """A user id that the image does not know, as some clusters choose it."""
    platform.build(image, EXAMPLES / "flask")
    with container(platform, image, "--user", "123456:0") as (identity, url):
        assert get(platform, identity, f"{url}/") == "Hello from Flask\n"


def test_rebuild_reuses_both_layers(platform: Pack, image: str, tmp_path: Path) -> None:
    """An unchanged app is the same image; changed code leaves python and venv as they were."""
    app = tmp_path / "app"
    shutil.copytree(EXAMPLES / "flask", app)
    platform.build(image, app)
    first = inspect(platform, image)
    log = platform.build(image, app)
    assert sorted(re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", log)) == ["python", "venv"]
    assert inspect(platform, image)["Id"] == first["Id"]
    assert "flask" in downloaded_sbom(platform, image, tmp_path / "sbom")

    source = app / "app.py"
    source.write_text(source.read_text().replace("Hello from Flask", "Changed"))
    platform.build(image, app)
    layers = set(inspect(platform, image)["RootFS"]["Layers"])
    assert len(layers - set(first["RootFS"]["Layers"])) == 1
    with container(platform, image) as (identity, url):
        assert get(platform, identity, f"{url}/") == "Changed\n"


def test_user_error_is_shown(platform: Pack, image: str, tmp_path: Path) -> None:
    """pack shows the buildpack's error, not a traceback, and makes no image."""
    app = tmp_path / "app"
    shutil.copytree(EXAMPLES / "flask", app)
    (app / ".python-version").write_text("latest\n")
    log = platform.build(image, app, check=False)
    assert "[python-version-moving]" in log
    assert "Traceback" not in log
    assert platform.docker.run("image", "inspect", image, check=False).returncode != 0


def test_defaults_give_way(platform: Pack, image: str) -> None:
    """What `docker run -e` sets wins over the launch defaults; workers follow the limits."""
    platform.build(image, EXAMPLES / "flask")
    show = "import os; print(os.environ['WEB_CONCURRENCY'], os.environ['LANG'], os.environ['PORT'])"
    done = platform.docker.run(
        "run", "--rm", "--env", "WEB_CONCURRENCY=7", "--env", "LANG=C", "--entrypoint", "launcher",
        image, "python", "-c", show,
    )  # fmt: skip
    assert done.stdout.split() == ["7", "C", "8080"]
