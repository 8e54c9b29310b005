"""kpack on a Kubernetes of one node, with the manifests of deploy/kpack applied to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import kpack
import package
import runtime_archive
from kubernetes_cluster import GATEWAY, Cluster, Processes, cluster
from local_platform import free_port
from pack_cli import ensure_pack

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFESTS = ROOT / "deploy" / "kpack"
NAMESPACE = "apps"
BUILD_SECONDS = 300


def say(text: str) -> None:
    """One line, seen at once even where pytest captures output."""
    print(text, file=sys.__stderr__, flush=True)


@dataclass(frozen=True, kw_only=True)
class Kpack:
    """kpack, and where its test's sources are: `replacements` are made in every manifest."""

    cluster: Cluster
    buildpack: Path
    replacements: Mapping[str, str]

    def manifest(self, name: str, more: Mapping[str, str] | None = None) -> str:
        """A manifest of deploy/kpack with this cluster's places in it."""
        text = (MANIFESTS / name).read_text()
        for old, new in {**self.replacements, **(more or {})}.items():
            text = text.replace(old, new)
        return text

    def apply(self, name: str, more: Mapping[str, str] | None = None) -> None:
        """Apply a manifest of deploy/kpack."""
        self.cluster.kubectl("apply", "--filename", "-", stdin=self.manifest(name, more))

    def get(self, *words: str) -> dict[str, Any]:
        """A resource of the test's namespace."""
        done = self.cluster.kubectl("get", "--namespace", NAMESPACE, "--output", "json", *words)
        return dict(json.loads(done.stdout))

    def wait_ready(self, *words: str) -> dict[str, Any]:
        """A resource, as soon as kpack calls it ready."""
        return self._wait(words, lambda status: _condition(status, "Ready") == "True")

    def wait_build(self, image: str, number: int) -> dict[str, Any]:
        """A build of an image, as soon as it has ended."""
        words = ("build", f"{image}-build-{number}")
        return self._wait(
            words, lambda status: _condition(status, "Succeeded") in ("True", "False")
        )

    def build(self, image: str, number: int) -> dict[str, Any]:
        """A build of an image, which must pass."""
        found = self.wait_build(image, number)
        if _condition(found["status"], "Succeeded") != "True":
            raise AssertionError(self.log(image, number))
        return found

    def _wait(self, words: tuple[str, ...], is_done: Any) -> dict[str, Any]:
        deadline = time.monotonic() + BUILD_SECONDS
        found: dict[str, Any] = {}
        while time.monotonic() < deadline:
            done = self.cluster.kubectl(
                "get", "--namespace", NAMESPACE, "--output", "json", *words, check=False
            )
            if done.returncode == 0:
                found = json.loads(done.stdout)
                if is_done(found.get("status", {})):
                    return found
            time.sleep(0.5)
        raise AssertionError(f"{' '.join(words)} is not done: {json.dumps(found, indent=1)}")

    def log(self, image: str, number: int) -> str:
        """What `kubectl logs` shows of the steps of a build, one after the other."""
        pod = f"{image}-build-{number}-build-pod"
        spec = self.get("pod", pod)["spec"]
        text = ""
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            done = self.cluster.kubectl(
                "logs", "--namespace", NAMESPACE, pod, "--container", container["name"], check=False
            )
            text += f"===> {container['name']}\n{done.stdout}"
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    def push_source(self, app: Path, name: str) -> None:
        """Put an app's source where its Image looks for it."""
        kpack.push_app(self.cluster, app, f"{self.cluster.registry}/sources/{name}")

    def reconcile(self, *words: str) -> None:
        """Have kpack look at a resource now, not at its next round."""
        self.cluster.kubectl(
            "annotate", "--overwrite", "--namespace", NAMESPACE, *words,
            f"pycnb.example.com/look={time.time_ns()}",
        )  # fmt: skip

    def blobs(self) -> dict[str, int]:
        """Digest -> size of all that the registry holds."""
        root = self.cluster.work / "registry/docker/registry/v2/blobs/sha256"
        return {path.parent.name: path.stat().st_size for path in root.glob("*/*/data")}

    def image(self, name: str) -> dict[str, Any]:
        """Layers, digest and configuration of an image in the registry, as skopeo tells."""
        reference = f"docker://{self.cluster.registry}/{name}"
        done = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", reference],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return dict(json.loads(done.stdout))

    def push_buildpack(self, buildpack: Path) -> None:
        """Publish the packaged buildpack."""
        done = subprocess.run(
            [
                str(ensure_pack(say)), "buildpack", "package",
                f"{self.cluster.registry}/pycnb/python", "--publish",
                "--config", str(buildpack / "package.toml"),
                "--target", f"linux/{runtime_archive.this_arch()}",
            ],
            env={**os.environ, "PACK_HOME": str(self.cluster.work / "pack")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def _condition(status: Mapping[str, Any], kind: str) -> str:
    for condition in status.get("conditions", ()):
        if condition["type"] == kind:
            return str(condition["status"])
    return ""


@pytest.fixture(scope="session")
def work() -> Iterator[Path]:
    """A directory with a short path, which containers can read."""
    with tempfile.TemporaryDirectory(prefix="pycnb-kpack-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def system(work: Path) -> Iterator[Kpack]:
    """Everything up, and the cluster-wide manifests applied."""
    sources = work / "sources"
    (sources / "git").mkdir(parents=True)
    (sources / "files").mkdir()
    (work / "cluster").mkdir()
    with cluster(work / "cluster", say) as node, kpack.installed(node, say):
        kpack.push_lifecycle(node, say)
        kpack.push_base_images(node, say)
        buildpack = package.package(runtime_archive.this_arch(), "host", work / "dist")
        git_port, files_port = free_port(), free_port()
        found = Kpack(
            cluster=node,
            buildpack=buildpack,
            replacements={
                "registry.example.com": node.registry,
                "https://git.example.com/team": f"git://{GATEWAY}:{git_port}",
                "https://files.example.com": f"http://{GATEWAY}:{files_port}",
            },
        )
        found.push_buildpack(buildpack)
        for name in ("namespace.yaml", "cluster.yaml", "store.yaml"):
            found.apply(name)
        _make_volume(node)
        with (
            _git_daemon(sources / "git", git_port, work),
            _web_server(sources / "files", files_port),
        ):
            found.wait_ready("clusterbuilder", "python")
            yield found


def _make_volume(node: Cluster) -> None:
    """A volume for whoever claims one: clusters of more than a test have a provisioner for that."""
    folder = node.work / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "cache"},
        "spec": {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(folder)},
        },
    }
    node.kubectl("apply", "--filename", "-", stdin=json.dumps(volume))


class _git_daemon:
    """Serves the repositories below a directory."""

    def __init__(self, folder: Path, port: int, work: Path) -> None:
        self._processes = Processes(work / "git-logs")
        self._processes.start(
            "git-daemon",
            [
                "git", "daemon", "--export-all", f"--base-path={folder}", "--reuseaddr",
                f"--listen={GATEWAY}", f"--port={port}", str(folder),
            ],
        )  # fmt: skip

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._processes.stop()


class _web_server:
    """Serves the files of a directory."""

    def __init__(self, folder: Path, port: int) -> None:
        handler = partial(_QuietHandler, directory=str(folder))
        self._server = ThreadingHTTPServer((GATEWAY, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A copy of the Flask example that a test can change."""
    target = tmp_path / "app"
    shutil.copytree(ROOT / "examples" / "flask", target)
    return target
