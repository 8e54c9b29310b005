"""kpack on a Kubernetes of one node, set up by the commands of deploy/kpack/README.md."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.kpack.traffic import Ledger, Registry
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_sdist, write_wheel

import host_python
import kpack
import runtime_archive
from kept_package import copied_package
from kubernetes_cluster import GATEWAY, Cluster, Processes, cluster
from local_platform import free_port
from pack_cli import ensure_pack

ROOT = Path(__file__).resolve().parent.parent.parent
MANIFESTS = ROOT / "deploy" / "kpack"
NAMESPACE = "apps"
WAIT_SECONDS = 600
NEXT_VERSION = "99.0.0"
IMAGES = ("shop", "blog", "api")
LEDGER = Ledger()
USER, PASSWORD = "builder", "s3cret/pa55word"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the builds cost, whether tests passed or not."""
    if LEDGER.rows:
        terminalreporter.write_line(LEDGER.table())


def say(text: str) -> None:
    """One line, seen at once even where pytest captures output."""
    print(text, file=sys.__stderr__, flush=True)


@dataclass(frozen=True, kw_only=True)
class Kpack:
    """kpack, and a copy of the project in which the example hosts are this cluster's.

    `index` is the private index of bindings.yaml; `git` and `files` hold the other sources.
    """

    cluster: Cluster
    project: Path
    commands: Path
    registry: Registry
    ledger: Ledger
    index: SimpleIndex
    git: Path
    files: Path
    files_url: str
    requests: list[str]
    authority: Path

    def readme(self, heading: str, replacements: Mapping[str, str] | None = None) -> str:
        """Run the commands below a heading of deploy/kpack/README.md; what they print.

        Raises `AssertionError` with their output when one fails.
        """
        text = (self.project / "deploy" / "kpack" / "README.md").read_text()
        section = re.search(
            rf"^## [0-9]+\. {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S
        )
        assert section, heading
        script = "\n".join(re.findall(r"^```sh\n(.*?)^```", section[1], re.M | re.S))
        assert script, heading
        for old, new in (replacements or {}).items():
            assert old in script, old
            script = script.replace(old, new)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.project,
            env={
                **os.environ,
                "PATH": f"{self.commands}:{os.environ['PATH']}",
                "KUBECONFIG": str(self.cluster.kubeconfig),
                "KUBECACHEDIR": str(self.cluster.work / "kubectl"),
                "PACK_HOME": str(self.cluster.work / "pack"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{self.state()}"
        return done.stdout

    def state(self) -> str:
        """What the cluster says about the test's resources, for a test that fails."""
        kinds = "clusterbuildpacks,clusterbuilders,clusterstacks,images.kpack.io,builds,pods"
        shown = self.cluster.kubectl("get", "--namespace", NAMESPACE, kinds, check=False).stdout
        return (
            shown
            + self.cluster.kubectl(
                "describe", "--namespace", NAMESPACE, "images.kpack.io", check=False
            ).stdout
        )

    def get(self, *words: str) -> dict[str, Any]:
        """A resource of the test's namespace, or several as a list."""
        done = self.cluster.kubectl("get", "--namespace", NAMESPACE, "--output", "json", *words)
        return dict(json.loads(done.stdout))

    def patch(self, resource: str, change: Mapping[str, object]) -> None:
        self.cluster.kubectl(
            "patch", "--namespace", NAMESPACE, resource, "--type", "merge",
            "--patch", json.dumps(change),
        )  # fmt: skip

    def wait(self, resource: str, condition: str) -> dict[str, Any]:
        """A resource as soon as it exists and its condition is true or false."""
        deadline = time.monotonic() + WAIT_SECONDS
        found: dict[str, Any] = {}
        while time.monotonic() < deadline:
            done = self.cluster.kubectl(
                "get", "--namespace", NAMESPACE, "--output", "json", resource, check=False
            )
            if done.returncode == 0:
                found = json.loads(done.stdout)
                if condition_of(found, condition) in ("True", "False"):
                    return found
            time.sleep(0.3)
        raise AssertionError(
            f"{resource} is not done: {json.dumps(found, indent=1)}\n{self.state()}"
        )

    def builds(self, image: str) -> int:
        """How many builds an image has had."""
        return int(self.get(f"image.kpack.io/{image}").get("status", {}).get("buildCounter", 0))

    def ended_build(self, image: str, number: int) -> dict[str, Any]:
        """A build of an image, as soon as it has ended."""
        return self.wait(f"build.kpack.io/{image}-build-{number}", "Succeeded")

    def build(self, image: str, number: int) -> dict[str, Any]:
        """The same, for a build that must pass."""
        found = self.ended_build(image, number)
        assert condition_of(found, "Succeeded") == "True", self.log(image, number)
        return found

    def log(self, image: str, number: int) -> str:
        """What `kubectl logs` shows of a build's steps, one after the other, without colours."""
        pod = self.get(f"pod/{image}-build-{number}-build-pod")
        text = ""
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
            done = self.cluster.kubectl(
                "logs", "--namespace", NAMESPACE, pod["metadata"]["name"],
                "--container", container["name"], check=False,
            )  # fmt: skip
            text += f"===> {container['name']}\n{done.stdout}"
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    def push_shop(self, app: Path, tag: str) -> None:
        """Put source where README's commands expect it."""
        kpack.push_app(self.cluster, app, f"{self.cluster.registry}/sources/shop:{tag}")

    def change_shop(self, app: Path) -> int:
        """Give the image `shop` new source; the number of the build that this starts."""
        number = self.builds("shop") + 1
        self.push_shop(app, f"change-{number}")
        image = f"{self.cluster.registry}/sources/shop:change-{number}"
        self.patch("image.kpack.io/shop", {"spec": {"source": {"registry": {"image": image}}}})
        return number

    def run(self, name: str) -> dict[str, Any]:
        """Run an image's latest build as README section 5 does; its pod."""
        readme = self.project / "deploy" / "kpack"
        image = self.get(f"image.kpack.io/{name}")["status"]["latestImage"]
        text = (readme / "run.yaml").read_text().replace("shop", name)
        text = re.sub(r"image: .*", f"image: {image}", text)
        self.cluster.kubectl("apply", "--filename", "-", stdin=text)
        return self.running(name, image)

    def running(self, name: str, image: str) -> dict[str, Any]:
        """The pod of a Deployment that runs `image`, as soon as it is ready."""
        self.cluster.kubectl(
            "rollout", "status", "--namespace", NAMESPACE, "--timeout=5m", f"deployment/{name}"
        )
        pods = self.get("pods", "--selector", f"app={name}")["items"]
        (found,) = [pod for pod in pods if pod["spec"]["containers"][0]["image"] == image]
        return dict(found)

    def execute(self, pod: Mapping[str, Any], *command: str) -> str:
        """What a command prints that runs beside the app, in its container."""
        name = pod["metadata"]["name"]
        return self.cluster.kubectl("exec", "--namespace", NAMESPACE, name, "--", *command).stdout


def condition_of(resource: Mapping[str, Any], kind: str) -> str:
    """`True`, `False` or `Unknown`; empty where the status is older than the specification."""
    status = resource.get("status", {})
    if status.get("observedGeneration", 0) < resource["metadata"].get("generation", 0):
        return ""
    for condition in status.get("conditions", ()):
        if condition["type"] == kind:
            return str(condition["status"])
    return ""


def page(pod: Mapping[str, Any], path: str = "/") -> str:
    """A page of a pod that is ready."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{pod['status']['podIP']}:8080{path}", timeout=30) as response:
        return str(response.read().decode())


@pytest.fixture(scope="session", autouse=True)
def end_in_order() -> Iterator[None]:
    """SIGTERM, as CI sends it, takes everything down like Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def work() -> Iterator[Path]:
    """A directory with a short path, which containers can read."""
    with tempfile.TemporaryDirectory(prefix="pycnb-kpack-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def buildpack(work: Path) -> Path:
    """The packaged buildpack."""
    return copied_package(work / "project" / "dist")


@pytest.fixture(scope="session")
def authority(work: Path) -> tuple[Path, Path]:
    """A private authority's certificate, and a server's certificate with its key."""
    folder = work / "tls"
    folder.mkdir()
    (folder / "names").write_text(f"subjectAltName=IP:{GATEWAY}\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Private"
        " -addext keyUsage=critical,keyCertSign",
        f"req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN={GATEWAY}",
        "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
        " -out one.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "one.pem").read_text() + (folder / "key.pem").read_text())
    return folder / "ca.pem", both


@pytest.fixture(scope="session")
def packages(work: Path) -> list[Path]:
    """What the private index holds: Flask with all it needs, a wheel and an sdist of our own."""
    folder = work / "wheels"
    version = subprocess.check_output(
        [host_python.find_host_python(), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        text=True,
    )
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:",
            "--disable-pip-version-check", f"--python-version={version.strip()}",
            f"--dest={folder}", "--requirement", ROOT / "examples" / "flask" / "requirements.txt",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    write_wheel(Distribution(name="later"), folder)
    write_sdist(Distribution(name="from-source"), folder)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def system(
    work: Path, buildpack: Path, authority: tuple[Path, Path], packages: list[Path]
) -> Iterator[Kpack]:
    """Everything up; sections 2 and 3 of the README done."""
    certificate, server = authority
    folders = {name: work / "sources" / name for name in ("git", "files")}
    for folder in (*folders.values(), work / "cluster"):
        folder.mkdir(parents=True)
    started = time.monotonic()
    with (
        cluster(work / "cluster", say) as node,
        kpack.installed(node, say),
        SimpleIndex(
            user=USER, password=PASSWORD, certificate=server, address=GATEWAY, immutable=True
        ) as index,
        WebServer(folders["files"]) as web,
        GitDaemon(folders["git"], work) as git,
    ):
        index.add(*packages)
        kpack.push_lifecycle(node, say)
        for tag in ("1", "2"):
            kpack.push_base_images(node, tag, say)
        replacements = {
            "registry.example.com": node.registry,
            "https://git.example.com/team": git.url,
            "https://files.example.com": web.url,
            "https://packages.example.com/simple/": index.url,
            "username: builder\n  password: change-me": f"username: {USER}\n  password: {PASSWORD}",
            "next=1.2.3": f"next={NEXT_VERSION}",
            "linux-amd64": f"linux-{runtime_archive.this_arch()}",
            "linux/amd64": f"linux/{runtime_archive.this_arch()}",
        }
        found = Kpack(
            cluster=node,
            project=work / "project",
            commands=_commands(work, node),
            registry=Registry(node.work),
            ledger=LEDGER,
            index=index,
            git=folders["git"],
            files=folders["files"],
            files_url=web.url,
            requests=web.requests,
            authority=certificate,
        )
        _copy_manifests(found, replacements, certificate.read_text())
        _make_volume(node)
        found.readme("Publish the buildpack")
        found.readme("What all images share")
        say(
            f"Kubernetes and kpack are up, the builder is ready: {time.monotonic() - started:.0f} s"
        )
        yield found


def _commands(work: Path, node: Cluster) -> Path:
    """A directory with the commands that README needs."""
    folder = work / "bin"
    folder.mkdir()
    for program in (node.programs / "kubectl", ensure_pack(say)):
        (folder / program.name).symlink_to(program)
    return folder


def _copy_manifests(system: Kpack, replacements: Mapping[str, str], authority: str) -> None:
    """deploy/kpack with this cluster's names in it, as section 1 has it."""
    target = system.project / "deploy" / "kpack"
    target.mkdir(parents=True)
    pem = "".join(f"    {line}\n" for line in authority.splitlines())
    for path in MANIFESTS.iterdir():
        text = path.read_text()
        for old, new in replacements.items():
            text = text.replace(old, new)
        text = re.sub(r" +-----BEGIN CERT[^|]*?END CERTIFICATE-----\n", pem, text)
        (target / path.name).write_text(text)


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


class GitDaemon:
    """Serves the repositories below a directory, at `url`."""

    def __init__(self, folder: Path, work: Path) -> None:
        port = free_port()
        self.url = f"git://{GATEWAY}:{port}"
        self._command = [
            "git", "daemon", "--export-all", f"--base-path={folder}", "--reuseaddr",
            f"--listen={GATEWAY}", f"--port={port}", str(folder),
        ]  # fmt: skip
        self._processes = Processes(work / "git-logs")

    def __enter__(self) -> GitDaemon:
        self._processes.start("git-daemon", self._command)
        return self

    def __exit__(self, *error: object) -> None:
        self._processes.stop()


class WebServer:
    """Serves the files of a directory, at `url`; `requests` holds what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        handler = partial(_Handler, self.requests, directory=str(folder))
        self._server = ThreadingHTTPServer((GATEWAY, free_port()), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://{GATEWAY}:{self._server.server_port}"

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, requests: list[str], *arguments: Any, **options: Any) -> None:
        self._requests = requests
        super().__init__(*arguments, **options)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        self._requests.append(f"{int(code)} {self.command} {self.path}")

    def log_message(self, format: str, *args: object) -> None:
        pass
