"""What fails on the way: a clear error with an id, and the next build succeeds."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.lifecycle.conftest import EXAMPLES, Host

from local_platform import Workspace, create, free_port, fresh, run_phases

FLASK = EXAMPLES / "flask"


def listed(host: Host, **changes: Any) -> None:
    """Serve the release list with some fields of its release changed."""
    table = json.loads(host.files["/releases.json"])
    table["releases"][0].update(changes)
    host.files["/releases.json"] = json.dumps(table).encode()


def fails_then_builds(space: Workspace, host: Host, good_list: bytes, *words: str) -> None:
    """The build fails with `words` and leaves nothing; with the good list it passes."""
    settings = {"BP_PYTHON_RELEASES": f"{host.url}/releases.json"}
    build = create(space, FLASK, settings)
    assert build.code != 0
    for word in words:
        assert word in build.log
    assert "Traceback" not in build.log
    assert not (space.buildpack_layers / "python").exists()
    assert not (space.buildpack_layers / "python.toml").exists()
    host.files["/releases.json"] = good_list
    again = create(space, FLASK, settings)
    assert again.code == 0, again.log


def test_wrong_checksum(space: Workspace, served: Host) -> None:
    """A file with another digest is not used; both digests are shown."""
    good = served.files["/releases.json"]
    real = json.loads(good)["releases"][0]["sha256"]
    listed(served, sha256="0" * 64)
    fails_then_builds(space, served, good, "[checksum-mismatch]", "0" * 64, real)


def test_truncated_archive(space: Workspace, served: Host) -> None:
    """An archive that ends half-way, its digest being right, is refused whole."""
    good = served.files["/releases.json"]
    name = json.loads(good)["releases"][0]["url"]
    half = served.files[f"/{name}"][: len(served.files[f"/{name}"]) // 2]
    served.files["/half.tar.gz"] = half
    listed(served, url="half.tar.gz", sha256=hashlib.sha256(half).hexdigest())
    fails_then_builds(space, served, good, "[archive-broken]", "half.tar.gz")


def test_no_archive(space: Workspace, served: Host) -> None:
    """Bytes that are no archive at all."""
    good = served.files["/releases.json"]
    served.files["/page.tar.gz"] = b"<html>Sign in</html>"
    digest = hashlib.sha256(served.files["/page.tar.gz"]).hexdigest()
    listed(served, url="page.tar.gz", sha256=digest)
    fails_then_builds(space, served, good, "[archive-broken]")


def test_missing_archive_is_not_retried(space: Workspace, served: Host) -> None:
    """404 is an answer: one request, one error."""
    good = served.files["/releases.json"]
    listed(served, url="nothing.tar.gz")
    fails_then_builds(space, served, good, "[download-failed]", "404")
    assert served.requests.count("/nothing.tar.gz") == 1


def test_unavailable_for_a_while(space: Workspace, served: Host) -> None:
    """Two answers of 503, then the file: the build passes and says what it waited for."""
    listing = served.files["/releases.json"]
    name = json.loads(listing)["releases"][0]["url"]
    path = space.root / "list.json"
    listed(served, url=f"{served.url}/{name}")
    path.write_bytes(served.files["/releases.json"])
    served.faults[:] = ["503", "503"]
    build = create(space, FLASK, {"BP_PYTHON_RELEASES": str(path)})
    assert build.code == 0, build.log
    assert "503" in build.log and "attempt 3 of 5" in build.log
    assert served.requests == [f"/{name}"] * 3


def test_broken_connection_is_resumed(space: Workspace, served: Host) -> None:
    """After a broken connection only the rest is asked for."""
    name = json.loads(served.files["/releases.json"])["releases"][0]["url"]
    path = space.root / "list.json"
    listed(served, url=f"{served.url}/{name}")
    path.write_bytes(served.files["/releases.json"])
    served.faults[:] = ["cut"]
    build = create(space, FLASK, {"BP_PYTHON_RELEASES": str(path)})
    assert build.code == 0, build.log
    half = len(served.files[f"/{name}"]) // 2
    assert served.requests == [f"/{name}", f"/{name} bytes={half}-"]


def test_refused_connection(space: Workspace, served: Host) -> None:
    """Nobody listens: the error names the address and the settings that help."""
    good = served.files["/releases.json"]
    listed(served, url=f"http://127.0.0.1:{free_port()}/python.tar.gz")
    fails_then_builds(space, served, good, "[download-failed]", "refused", "BP_DEPENDENCY_MIRROR")


def test_mirror_takes_the_place_of_the_host(space: Workspace, served: Host) -> None:
    """BP_DEPENDENCY_MIRROR redirects the download; the checksum still holds."""
    name = json.loads(served.files["/releases.json"])["releases"][0]["url"]
    served.files[f"/mirror/some/path/{name}"] = served.files[f"/{name}"]
    listed(served, url=f"http://runtimes.invalid/some/path/{name}")
    path = space.root / "list.json"
    path.write_bytes(served.files["/releases.json"])
    settings = {
        "BP_PYTHON_RELEASES": str(path),
        "BP_DEPENDENCY_MIRROR": f"{served.url}/mirror",
    }
    build = create(space, FLASK, settings)
    assert build.code == 0, build.log
    assert served.requests == [f"/mirror/some/path/{name}"]


def test_full_disk(space: Workspace, served: Host) -> None:
    """A disk that fills up gives its own error; with space the next build passes."""
    if os.getuid() != 0:
        # An ordinary user can mount in a namespace of its own only, where nobody else builds.
        pytest.fail("This test mounts a small disk: run it as root.")
    fresh(space, FLASK, {})
    settings = {"BP_PYTHON_RELEASES": f"{served.url}/releases.json"}
    build_in_small_disk(space, served)
    build = run_phases(space, FLASK, settings)
    assert build.code == 0, build.log


def build_in_small_disk(space: Workspace, served: Host) -> None:
    """bin/build with layers on 20 MB: less than the runtime needs."""
    layers = space.root / "small"
    layers.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(layers)], check=True)
    try:
        plan = space.root / "plan.toml"
        plan.write_text("")
        buildpack = next((space.root / "buildpacks" / "pycnb_python").iterdir()).resolve()
        done = subprocess.run(
            [buildpack / "bin" / "build"],
            cwd=space.app,
            env={
                "PATH": os.environ["PATH"],
                "CNB_BUILDPACK_DIR": str(buildpack),
                "CNB_LAYERS_DIR": str(layers),
                "CNB_PLATFORM_DIR": str(space.root / "platform"),
                "CNB_BP_PLAN_PATH": str(plan),
                "BP_PYTHON_RELEASES": f"{served.url}/releases.json",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "[disk-full]" in done.stdout
        assert not (layers / "python").exists()
        assert not (layers / "python.toml").exists()
    finally:
        subprocess.run(["umount", str(layers)], check=True)


def test_forbidden_environment(space: Workspace) -> None:
    """Variables that would break the build are named, all of them."""
    build = create(space, FLASK, {"PIP_TARGET": "/x", "PYTHONHOME": "/invalid"})
    assert build.code != 0
    assert "[environment-forbidden]" in build.log
    assert "PIP_TARGET, PYTHONHOME" in build.log


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (".python-version", "2.7\n", "[python-version-end-of-life]"),
        (".python-version", "3.13.999\n", "[python-version-unknown]"),
        ("requirements.txt", "-r nothing.txt\n", "[requirements-file-missing]"),
        ("Procfile", "web\n", "[procfile-invalid]"),
    ],
)
def test_mistakes_in_files(
    space: Workspace, flask_app: Path, name: str, content: str, words: str
) -> None:
    """Each mistake has its error, with the file's name."""
    (flask_app / name).write_text(content)
    build = create(space, flask_app)
    assert build.code != 0
    assert words in build.log
    assert name in build.log
    assert "Traceback" not in build.log
