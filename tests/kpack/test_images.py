"""Images as kpack builds, rebuilds and rebases them, by the commands and manifests users get."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import ssl
import subprocess
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.kpack.conftest import (
    IMAGES,
    NEXT_VERSION,
    PASSWORD,
    ROOT,
    USER,
    Kpack,
    condition_of,
    page,
)
from tests.kpack.traffic import Moment
from tests.managers.wheel_factory import Distribution, write_sdist

import package

SHOP = ("apps/shop", "apps/shop-cache")


@pytest.fixture(scope="session")
def shop(work: Path) -> Path:
    """The source of the image `shop`; its packages are in the private index."""
    app = work / "shop"
    shutil.copytree(ROOT / "examples" / "flask", app)
    with (app / "requirements.txt").open("a") as file:
        file.write("from-source\n")
    return app


@pytest.fixture(scope="session")
def blog(system: Kpack) -> Path:
    """The git repository of the image `blog`; one of its packages is built from source."""
    app = system.git / "blog.git"
    shutil.copytree(ROOT / "examples" / "django", app)
    sdist = write_sdist(Distribution(name="from-source"), system.files)
    with (app / "requirements.txt").open("a") as file:
        file.write(f"from-source @ {system.files_url}/{sdist.name}\n")
    commit(app, "init", "--initial-branch=main")
    # kpack fetches the commit that it has seen, not the branch.
    commit(app, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(app, "add", "--all")
    commit(app, "commit", "--message", "First")
    return app


def commit(folder: Path, *words: str) -> None:
    """Run git."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def images(system: Kpack, shop: Path, blog: Path) -> Moment:
    """Section 4 of the README done: `shop` is built, the others are on their way.

    Returns the state of the registry before.
    """
    system.push_shop(shop, "1")
    with tarfile.open(system.files / "api.tar.gz", "w:gz") as tar:
        tar.add(ROOT / "examples" / "fastapi", ".")
    before = system.registry.now()
    system.readme("Build an image")
    return before


def layers(system: Kpack, build: dict[str, Any]) -> list[str]:
    """The layers of a build's image, the lowest first."""
    digest = build["status"]["latestImage"].rpartition("@")[2]
    manifest = json.loads(system.registry.blob(digest).read_bytes())
    return [layer["digest"] for layer in manifest["layers"]]


def hex_of(digest: str) -> str:
    return digest.removeprefix("sha256:")


def config_of(system: Kpack, build: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a build's image."""
    digest = build["status"]["latestImage"].rpartition("@")[2]
    manifest = json.loads(system.registry.blob(digest).read_bytes())
    return dict(json.loads(system.registry.blob(manifest["config"]["digest"]).read_bytes()))


def reused(log: str) -> list[str]:
    """The layers of this buildpack that the lifecycle took from the previous image."""
    return sorted(re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", log))


def reasons(build: dict[str, Any]) -> str:
    """Why kpack started a build."""
    return str(build["metadata"]["annotations"]["image.kpack.io/reason"])


def note(system: Kpack, what: str, image: str, number: int, before: Moment | None) -> str:
    """Put a build's cost into the table of this run; the build's log."""
    log = system.log(image, number)
    traffic = None
    if before is not None:
        traffic = system.registry.traffic(before, f"apps/{image}", f"apps/{image}-cache")
    system.ledger.note(what, traffic, system.get(f"pod/{image}-build-{number}-build-pod"), log)
    return log


def test_builders_are_ready(system: Kpack) -> None:
    """Lifecycle, stack, buildpack, store and both builders are what kpack takes."""
    system.cluster.kubectl("apply", "--filename", str(system.project / "deploy/kpack/store.yaml"))
    for resource in (
        "clusterlifecycle/default-lifecycle",
        "clusterstack/base",
        "clusterbuildpack/python",
        "clusterstore/buildpacks",
        "clusterbuilder/python",
        "clusterbuilder/python-from-store",
    ):
        found = system.wait(resource, "Ready")
        assert condition_of(found, "Ready") == "True", json.dumps(found, indent=1)


def test_an_app_from_the_registry(system: Kpack, images: Moment) -> None:
    """A pod builds Flask from a private index; as a pod that is not root and cannot write, the
    image answers."""
    system.build("shop", 1)
    log = note(system, "Flask, first build", "shop", 1, images)
    assert "from-source" in log
    system.readme("Run it")
    pod = system.running("shop", system.get("image.kpack.io/shop")["status"]["latestImage"])
    assert page(pod) == "Hello from Flask\n"
    assert system.execute(pod, "id", "-u") == "1000\n"
    script = "touch /anywhere /workspace/anywhere /layers/anywhere 2>&1 | grep -c Read-only"
    assert system.execute(pod, "sh", "-c", script) == "3\n"


def test_secrets_stay_outside(system: Kpack, images: Moment) -> None:
    """The index's password and the authority's certificate are in no byte of what was pushed, and
    in no log."""
    certificate = system.authority.read_text()
    pair = f"{USER}:{PASSWORD}".encode()
    secrets = (
        PASSWORD.encode(),
        quote(PASSWORD, safe="").encode(),
        base64.b64encode(PASSWORD.encode()),
        base64.b64encode(pair),
        certificate.splitlines()[5].encode(),
        ssl.PEM_cert_to_DER_cert(certificate)[100:200],
    )
    # They were needed, and used.
    assert any(line.startswith("200 /simple/flask") for line in system.index.requests)
    pushed = b""
    for repository in SHOP:
        for digest in system.registry.digests(repository):
            data = system.registry.blob(digest).read_bytes()
            plain = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            for secret in secrets:
                assert secret not in plain, (repository, digest)
            pushed += plain if len(plain) < 100_000 else b""
    assert b"Hello from Flask" in pushed
    log = system.log("shop", 1)
    assert PASSWORD not in log and quote(PASSWORD, safe="") not in log


def test_changed_code(system: Kpack, shop: Path, images: Moment) -> None:
    """Both layers are reused: the app's layer moves, and metadata."""
    first = layers(system, system.build("shop", 1))
    code = shop / "app.py"
    code.write_text(code.read_text().replace("Hello", "Greetings"))
    system.push_shop(shop, "2")
    number = system.builds("shop") + 1
    before = system.registry.now()
    system.readme("New source")
    built = system.build("shop", number)
    log = note(system, "code changed", "shop", number, before)
    assert reused(log) == ["python", "venv"]
    (changed,) = set(layers(system, built)) - set(first)
    new = system.registry.digests("apps/shop") - before.blobs
    others = [system.registry.blob(digest).read_bytes() for digest in new - {hex_of(changed)}]
    # The image's manifest and configuration.
    assert sorted("layers" in json.loads(data) for data in others) == [False, True]
    assert system.registry.blob(changed).stat().st_size < 10_000
    system.readme("Run it")
    pod = system.running("shop", built["status"]["latestImage"])
    assert page(pod) == "Greetings from Flask\n"


def test_changed_requirement_with_the_registry_cache(
    system: Kpack, shop: Path, images: Moment
) -> None:
    """The runtime is reused, and so is the wheel that an earlier build made of an sdist."""
    with (shop / "requirements.txt").open("a") as file:
        file.write("later\n")
    before = system.registry.now()
    number = system.change_shop(shop)
    built = system.build("shop", number)
    log = note(system, "requirement added, registry cache", "shop", number, before)
    system.readme("Run it")
    assert "requirements.txt changed; added later" in log
    assert reused(log) == ["python"]
    assert 'Restoring data for "pycnb/python:pip-cache" from cache' in log
    assert system.index.downloads().count("from_source-1.0.tar.gz") == 1
    pod = system.running("shop", built["status"]["latestImage"])
    assert page(pod).endswith("from Flask\n")
    code = "import from_source, later; print(from_source.version, later.version)"
    assert system.execute(pod, "/cnb/lifecycle/launcher", "python", "-c", code) == "1.0 1.0\n"


def test_changed_requirement_with_the_volume_cache(
    system: Kpack, blog: Path, images: Moment
) -> None:
    """Django from git: a new commit is seen and built; the volume has what was built before."""
    system.build("blog", 1)
    note(system, "Django, first build", "blog", 1, None)
    assert page(system.run("blog")).startswith("Hello from Django")
    with (blog / "requirements.txt").open("a") as file:
        file.write("iniconfig==2.0.0\n")
    before = system.registry.now()
    commit(blog, "commit", "--all", "--message", "Second")
    built = system.build("blog", 2)
    assert reasons(built) == "COMMIT"
    log = note(system, "requirement added, cache volume", "blog", 2, before)
    assert "requirements.txt changed; added iniconfig==2.0.0" in log
    assert reused(log) == ["python"]
    assert 'Restoring data for "pycnb/python:pip-cache" from cache' in log
    assert system.requests.count("200 GET /from_source-1.0.tar.gz") == 1
    assert page(system.run("blog")).startswith("Hello from Django")


def test_an_app_from_an_archive(system: Kpack, images: Moment) -> None:
    """FastAPI from an archive, with no cache at all; the runtime is the very layer of the others."""
    system.build("api", 1)
    note(system, "FastAPI, first build", "api", 1, None)
    assert page(system.run("api")).startswith("Hello from FastAPI")
    digests = {image: layer_digests(system, system.build(image, 1))["python"] for image in IMAGES}
    assert len(set(digests.values())) == 1, digests


def layer_digests(system: Kpack, build: dict[str, Any]) -> dict[str, str]:
    """The buildpack's layers by name, as the image's label has them."""
    label = config_of(system, build)["config"]["Labels"]["io.buildpacks.lifecycle.metadata"]
    (ours,) = [one for one in json.loads(label)["buildpacks"] if one["key"] == "pycnb/python"]
    return {name: layer["sha"] for name, layer in ours["layers"].items()}


def test_a_failing_build(system: Kpack, shop: Path, images: Moment) -> None:
    """kubectl alone tells the reason and the next step; the image that there was still runs."""
    (shop / ".python-version").write_text("latest\n")
    number = system.change_shop(shop)
    failed = system.ended_build("shop", number)
    assert condition_of(failed, "Succeeded") == "False"
    system.wait("image.kpack.io/shop", "Ready")
    shown = system.readme("A build that fails", {"buildNumber=2": f"buildNumber={number}"})
    condition, _, log = shown.partition("NAME ")
    for text in (condition, log):
        assert "Fix: echo '3.13' > .python-version" in text
        assert "[python-version-moving]" in text
    (shop / ".python-version").unlink()
    system.build("shop", system.change_shop(shop))


def test_a_new_buildpack(system: Kpack, buildpack: Path, images: Moment) -> None:
    """A new version of the buildpack with the same releases: kpack builds every image again, and
    each keeps its layers."""
    newer = Path(str(buildpack).replace(package.version(), NEXT_VERSION))
    shutil.copytree(buildpack, newer, symlinks=True)
    text = (newer / "buildpack.toml").read_text()
    text = re.sub(r'(?m)^version = ".*"', f'version = "{NEXT_VERSION}"', text)
    (newer / "buildpack.toml").write_text(text)
    numbers = {name: system.builds(name) + 1 for name in IMAGES}
    before = system.registry.now()
    system.readme("A new version of the buildpack")
    for name, number in numbers.items():
        built = system.build(name, number)
        assert "BUILDPACK" in reasons(built)
        log = note(system, f"new buildpack, {name}", name, number, before)
        assert reused(log) == ["python", "venv"]
        # This one names the buildpack's version.
        added = re.findall(r"Adding layer '([^']+)'", log)
        assert added == ["buildpacksio/lifecycle:config"]


def test_a_patched_run_image(system: Kpack, images: Moment) -> None:
    """A new run image: kpack rebases every image, and builds none."""
    numbers = {name: system.builds(name) + 1 for name in IMAGES}
    before = system.registry.now()
    system.readme("A patched run image")
    for name, number in numbers.items():
        built = system.build(name, number)
        assert reasons(built) == "STACK"
        log = note(system, f"new run image, {name}", name, number, before)
        assert "===> rebase" in log and "===> build" not in log
        old = layers(system, system.build(name, number - 1))
        new = layers(system, built)
        # The run image's two layers; the upper one holds the patch.
        assert [a == b for a, b in zip(old, new, strict=True)].count(False) == 1
        pod = system.run(name)
        assert "from" in page(pod)
        assert system.execute(pod, "cat", "/etc/base-version") == "2\n"
