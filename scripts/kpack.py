"""kpack on the local cluster: its own definitions, its controller, and the images that it needs.

Run as a program it builds all that such a cluster consists of, once per machine.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import oci_layout
from builder import CERTIFICATES, STACK, base_system, lifecycle_labels
from docker_host import DockerError
from go_tools import TOOLS_DIR, GoToolError, ensure_tools
from kubernetes_cluster import (
    Cluster,
    ClusterError,
    Processes,
    ensure_kubernetes,
    install_packages,
    push,
)
from lifecycle import ensure_lifecycle, lifecycle_version
from pack_cli import ensure_pack
from package import PackageError

KPACK = "github.com/pivotal/kpack"
POD_PROGRAMS = ("build-init", "build-waiter", "completion", "rebase")
DEFINITIONS = (
    "build",
    "builder",
    "buildpack",
    "clusterbuilder",
    "clusterbuildpack",
    "clusterlifecycle",
    "clusterstack",
    "clusterstore",
    "image",
    "sourceresolver",
)
USER = 1000


def ensure_kpack(log: Callable[[str], None]) -> Path:
    """The directory that holds kpack's controller and the programs of its build pods."""
    programs = ("controller", *POD_PROGRAMS)
    return ensure_tools(
        "kpack", KPACK, tuple(f"cmd/{program}" for program in programs), log, minutes=6
    )


def kpack_source() -> Path:
    """kpack's own source, in Go's module cache: its resource definitions, its API's schema."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", KPACK],
        cwd=TOOLS_DIR / "kpack",
        env={**os.environ, "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GoToolError(f"go mod download of kpack failed:\n{done.stdout}{done.stderr}")
    return Path(json.loads(done.stdout)["Dir"])


@contextlib.contextmanager
def installed(cluster: Cluster, log: Callable[[str], None]) -> Iterator[None]:
    """kpack, its controller running on this machine."""
    programs = ensure_kpack(log)
    images = {name: _push_program(cluster, programs / name) for name in POD_PROGRAMS}
    apply_definitions(cluster)
    processes = Processes(cluster.work / "kpack-logs")
    try:
        processes.start(
            "controller",
            [
                programs / "controller", "-kubeconfig", cluster.kubeconfig,
                *(word for name, image in images.items() for word in (f"-{name}-image", image)),
            ],
            {
                "SYSTEM_NAMESPACE": "kpack",
                "SYSTEM_SERVICE_ACCOUNT": "controller",
                "CONFIG_LOGGING_NAME": "config-logging",
                "CONFIG_OBSERVABILITY_NAME": "config-observability",
                "METRICS_DOMAIN": "kpack.io",
            },
        )  # fmt: skip
        yield
    finally:
        processes.stop()


def apply_definitions(cluster: Cluster) -> None:
    """Namespace, service account, configuration, and kpack's kinds, without their webhook."""
    for words in (
        "create namespace kpack",
        "create serviceaccount controller --namespace kpack",
        "create configmap config-observability --namespace kpack",
    ):
        cluster.kubectl(*words.split())
    folder = kpack_source() / "config"
    cluster.kubectl("apply", "--filename", str(folder / "config-logging.yaml"))
    for name in DEFINITIONS:
        done = cluster.kubectl("create", "-f", str(folder / f"{name}.yaml"), "--output", "name")
        for resource in done.stdout.split():
            if "customresourcedefinition" in resource:
                patch = json.dumps({"spec": {"conversion": {"strategy": "None", "webhook": None}}})
                cluster.kubectl("patch", resource, "--type", "merge", "--patch", patch)


def _push_program(cluster: Cluster, program: Path) -> str:
    layer = oci_layout.files_layer(
        {
            f"cnb/process/{program.name}": (program.read_bytes(), 0o755),
            "etc/ssl/certs/ca-certificates.crt": (CERTIFICATES.read_bytes(), 0o644),
            "etc/passwd": (b"root:x:0:0::/root:/\ncnb:x:1000:1000::/home/cnb:/\n", 0o644),
        }
    )
    image = f"{cluster.registry}/kpack/{program.name}"
    config = {"Entrypoint": [f"/cnb/process/{program.name}"], "User": f"{USER}:{USER}"}
    push(oci_layout.write_image(cluster.work / program.name, [layer, _tmp_layer()], config), image)
    return image


def _tmp_layer() -> bytes:
    """An empty /tmp that everybody may write to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("tmp")
        info.type, info.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(info)
    return buffer.getvalue()


def push_lifecycle(cluster: Cluster, log: Callable[[str], None]) -> None:
    """The image that a ClusterLifecycle names, tagged with its version."""
    binaries = ensure_lifecycle(log)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(binaries.iterdir()):
            tar.add(path, f"cnb/lifecycle/{path.name}")
    version = lifecycle_version()
    layout = cluster.work / "lifecycle-image"
    oci_layout.write_image(layout, [buffer.getvalue()], {"Labels": lifecycle_labels()})
    push(layout, f"{cluster.registry}/kpack/lifecycle:{version}")


def push_base_images(cluster: Cluster, tag: str, log: Callable[[str], None]) -> None:
    """Build and run image: a plain Debian without Python, and an unprivileged user.

    Each `tag` makes an image of its own: /etc/base-version holds it.
    """
    base = base_system(log).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(base)) as tar:
        files = {
            name: (_read(tar, f"./{name}") + line, 0o644)
            for name, line in (
                ("etc/passwd", f"cnb:x:{USER}:{USER}::/home/cnb:/bin/sh\n".encode()),
                ("etc/group", f"cnb:x:{USER}:\n".encode()),
            )
        }
    files["etc/ssl/certs/ca-certificates.crt"] = (CERTIFICATES.read_bytes(), 0o644)
    files["etc/base-version"] = (f"{tag}\n".encode(), 0o644)
    config = {
        "User": f"{USER}:{USER}",
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"CNB_USER_ID={USER}",
            f"CNB_GROUP_ID={USER}",
            f"CNB_STACK_ID={STACK}",
        ],
        "Labels": {
            "io.buildpacks.stack.id": STACK,
            "io.buildpacks.base.distro.name": "debian",
            "io.buildpacks.base.distro.version": "12",
        },
    }
    layers = [base, oci_layout.files_layer(files)]
    layout = oci_layout.write_image(cluster.work / "base-image", layers, config)
    for name in ("build", "run"):
        push(layout, f"{cluster.registry}/stack/{name}:{tag}")


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    content = tar.extractfile(name)
    assert content is not None
    return content.read()


def push_app(cluster: Cluster, app: Path, image: str) -> None:
    """An app's source as an image, as kpack's registry source takes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(app.rglob("*")):
            if "__pycache__" not in path.parts:
                tar.add(path, path.relative_to(app).as_posix(), recursive=False)
    layout = cluster.work / "source-image"
    push(oci_layout.write_image(layout, [buffer.getvalue()], {}), image)


def main() -> int:
    """Build everything; print what it took."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--programs", action="store_true", help="only Kubernetes and kpack; install nothing"
    )
    only_programs = parser.parse_args().programs

    def log(text: str) -> None:
        print(text, flush=True)

    started = time.monotonic()
    try:
        if not only_programs:
            install_packages(log)
            for ensure in (ensure_lifecycle, ensure_pack, base_system):
                ensure(log)
        ensure_kubernetes(log)
        ensure_kpack(log)
    except (ClusterError, DockerError, GoToolError, PackageError) as error:
        print(error, file=sys.stderr)
        return 1
    names = "Kubernetes and kpack" if only_programs else "Kubernetes, kpack, lifecycle and pack"
    log(f"{names} are here ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
