"""Images as kpack builds, rebuilds and rebases them, from the manifests that users get."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.kpack.conftest import NAMESPACE, ROOT, Kpack, say

import kpack


def page(system: Kpack, pod: str, path: str = "/") -> str:
    """A page of a running pod, as soon as it answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        status = system.get("pod", pod)["status"]
        if status.get("podIP") and status["phase"] == "Running":
            try:
                url = f"http://{status['podIP']}:8080{path}"
                with opener.open(url, timeout=5) as response:
                    return str(response.read().decode())
            except OSError:
                pass
        time.sleep(0.1)
    logs = system.cluster.kubectl("logs", "--namespace", NAMESPACE, pod, check=False)
    raise AssertionError(f"no answer: {json.dumps(status, indent=1)}\n{logs.stdout}{logs.stderr}")


def run(system: Kpack, name: str, image: str) -> None:
    """Run an image with the pod of deploy/kpack/run.yaml."""
    system.cluster.kubectl(
        "delete", "pod", "--namespace", NAMESPACE, "--ignore-not-found", "--now", name
    )
    text = system.manifest("run.yaml").replace("name: shop", f"name: {name}")
    text = re.sub(r"image: .*", f"image: {image}", text)
    system.cluster.kubectl("apply", "--filename", "-", stdin=text)


def layers(build: dict[str, Any], system: Kpack) -> list[str]:
    """The layers of a build's image."""
    reference = build["status"]["latestImage"].partition("/")[2]
    return list(system.image(reference)["Layers"])


def reused(log: str) -> list[str]:
    """The layers of this buildpack that the lifecycle took from the previous image."""
    return sorted(re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", log))


def reasons(build: dict[str, Any]) -> str:
    """Why kpack started a build."""
    return str(build["metadata"]["annotations"]["image.kpack.io/reason"])


def step(log: str) -> str:
    """How long the buildpack's own step took, for the reader of the test's output."""
    found = re.search(r"Python buildpack done in ([\d.]+ s)", log)
    assert found, log
    return found[1]


def push_shop(system: Kpack, app: Path) -> None:
    """New source for the image `shop`."""
    system.push_source(app, "shop")
    digest = system.image("sources/shop")["Digest"]
    source = f"{system.cluster.registry}/sources/shop@{digest}"
    patch = {"spec": {"source": {"registry": {"image": source}}}}
    system.cluster.kubectl(
        "patch", "image.kpack.io", "shop", "--namespace", NAMESPACE, "--type", "merge",
        "--patch", json.dumps(patch),
    )  # fmt: skip


def without_bindings(text: str) -> str:
    """The manifest of `shop` for an app without private packages."""
    return re.sub(r"    services:\n(      .*\n)+", "", text)


def test_builders_are_ready(system: Kpack) -> None:
    """Lifecycle, stack, buildpack, store and both builders are what kpack takes."""
    for kind, name in (
        ("clusterlifecycle", "default-lifecycle"),
        ("clusterstack", "base"),
        ("clusterbuildpack", "python"),
        ("clusterstore", "buildpacks"),
        ("clusterbuilder", "python"),
        ("clusterbuilder", "python-from-store"),
    ):
        system.wait_ready(kind, name)


def test_an_image_from_the_registry(system: Kpack, app: Path) -> None:
    """Built in a pod; it answers as a pod that is not root and cannot write; changed code moves
    the app and metadata only; a new requirement moves the packages too."""
    system.push_source(app, "shop")
    text = without_bindings(system.manifest("image-registry.yaml"))
    system.cluster.kubectl("apply", "--filename", "-", stdin=text)
    first = system.build("shop", 1)
    run(system, "shop", first["status"]["latestImage"])
    assert page(system, "shop") == "Hello from Flask\n"

    (app / "app.py").write_text((app / "app.py").read_text().replace("Hello", "Greetings"))
    before = system.blobs()
    push_shop(system, app)
    source = system.blobs().keys() - before.keys()
    second = system.build("shop", 2)
    log = system.log("shop", 2)
    assert reused(log) == ["python", "venv"]
    changed = set(layers(second, system)) - set(layers(first, system))
    assert len(changed) == 1
    moved = {
        digest: size
        for digest, size in system.blobs().items()
        if digest not in before and digest not in source
    }
    # The app's layer, the image's configuration and manifests: far less than any layer of ours.
    assert sum(moved.values()) < 64 * 1024
    say(f"code changed: {sum(moved.values())} bytes pushed, build step {step(log)}")
    run(system, "shop", second["status"]["latestImage"])
    assert page(system, "shop") == "Greetings from Flask\n"

    with (app / "requirements.txt").open("a") as file:
        file.write("iniconfig==2.0.0\n")
    push_shop(system, app)
    third = system.build("shop", 3)
    log = system.log("shop", 3)
    assert "requirements.txt changed; added iniconfig==2.0.0" in log
    assert reused(log) == ["python"]
    # The packages, and the app, whose requirements.txt is another one.
    assert len(set(layers(third, system)) - set(layers(second, system))) == 2


def test_an_image_from_git(system: Kpack, work: Path) -> None:
    """A commit is built; a new commit with another requirement is built with the volume's cache."""
    repository = work / "sources" / "git" / "blog.git"
    shutil.copytree(ROOT / "examples" / "django", repository)

    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *words], cwd=repository, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    git("add", "--all")
    git("commit", "--message", "First")
    system.apply("image-git.yaml")
    first = system.build("blog", 1)
    run(system, "blog", first["status"]["latestImage"])
    assert page(system, "blog").startswith("Hello from Django")

    with (repository / "requirements.txt").open("a") as file:
        file.write("iniconfig==2.0.0\n")
    git("commit", "--all", "--message", "Second")
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
    patch = json.dumps({"spec": {"source": {"git": {"revision": revision}}}})
    system.cluster.kubectl(
        "patch", "image.kpack.io", "blog", "--namespace", NAMESPACE, "--type", "merge",
        "--patch", patch,
    )  # fmt: skip
    system.build("blog", 2)
    log = system.log("blog", 2)
    assert "requirements.txt changed; added iniconfig==2.0.0" in log
    assert 'Restoring data for "pycnb/python:pip-cache" from cache' in log or "pip-cache" in log


def test_an_image_from_an_archive(system: Kpack, work: Path) -> None:
    """The archive's app is built and answers."""
    with tarfile.open(work / "sources" / "files" / "api.tar.gz", "w:gz") as tar:
        tar.add(ROOT / "examples" / "fastapi", ".")
    system.apply("image-blob.yaml")
    built = system.build("api", 1)
    run(system, "api", built["status"]["latestImage"])
    assert page(system, "api").startswith("Hello from FastAPI")


def test_a_failing_build(system: Kpack, app: Path) -> None:
    """kubectl alone tells the reason: the error's id and next step."""
    (app / ".python-version").write_text("latest\n")
    push_shop(system, app)
    number = int(system.get("image.kpack.io", "shop")["status"]["buildCounter"])
    for _ in range(100):
        number = int(system.get("image.kpack.io", "shop")["status"]["buildCounter"])
        if number == 4:
            break
        time.sleep(0.1)
    failed = system.wait_build("shop", number)
    assert failed["status"]["conditions"][0]["status"] == "False"
    log = system.log("shop", number)
    assert "[python-version-invalid]" in log
    assert "Write a version such as 3.13" in log
    (app / ".python-version").unlink()
    push_shop(system, app)
    system.build("shop", number + 1)


def test_a_new_buildpack(system: Kpack, work: Path) -> None:
    """A new version of the buildpack, with the same releases: kpack builds every image again, and
    each keeps its layers."""
    counters = {
        name: int(system.get("image.kpack.io", name)["status"]["buildCounter"])
        for name in ("api", "blog", "shop")
    }
    newer = work / "newer"
    shutil.copytree(system.buildpack, newer, symlinks=True)
    text = (newer / "buildpack.toml").read_text()
    (newer / "buildpack.toml").write_text(
        re.sub(r'(?m)^version = ".*"', 'version = "99.0.0"', text)
    )
    system.push_buildpack(newer)
    system.reconcile("clusterbuildpack", "python")
    for name, counter in counters.items():
        built = system.build(name, counter + 1)
        assert "BUILDPACK" in reasons(built)
        log = system.log(name, counter + 1)
        assert reused(log) == ["python", "venv"]
        say(f"new buildpack: {name} built again, build step {step(log)}")


def test_a_new_run_image(system: Kpack) -> None:
    """A new run image: kpack rebases every image, and builds none."""
    counters = {
        name: int(system.get("image.kpack.io", name)["status"]["buildCounter"])
        for name in ("api", "blog", "shop")
    }
    before = {
        name: layers(system.get("build", f"{name}-build-{counter}"), system)
        for name, counter in counters.items()
    }
    kpack.push_base_images(system.cluster, say, {"etc/patched": (b"1", 0o644)})
    system.reconcile("clusterstack", "base")
    for name, counter in counters.items():
        built = system.build(name, counter + 1)
        assert reasons(built) == "STACK"
        assert "Python buildpack done" not in system.log(name, counter + 1)
        after = layers(built, system)
        assert after[-5:] == before[name][-5:]
        run(system, name, built["status"]["latestImage"])
        assert "from" in page(system, name)
