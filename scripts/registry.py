"""A registry of images on this machine's loopback address."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oci_layout
from docker_host import install
from local_platform import free_port

START_SECONDS = 60
_ACCEPTED = (
    oci_layout.INDEX,
    oci_layout.MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class RegistryError(Exception):
    """Raised with a text for the user when the registry does not come up."""


@contextlib.contextmanager
def registry(work: Path, log: Callable[[str], None]) -> Iterator[str]:
    """The `host:port` of an empty registry, which keeps its images below `work`."""
    if shutil.which("docker-registry") is None:
        install(("docker-registry",), log)
    address = f"127.0.0.1:{free_port()}"
    work.mkdir(parents=True, exist_ok=True)
    config = work / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage:\n  filesystem: {{rootdirectory: {work}/data}}\nhttp: {{addr: '{address}'}}\n"
    )
    with (work / "log").open("wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _wait(f"http://{address}/v2/", process, work / "log")
        yield address
    finally:
        process.terminate()
        process.wait()


def push(address: str, layout: Path, name: str) -> str:
    """Put the one image of an OCI layout into a registry, as `name:latest`; its reference.

    (Distribution specification, "Pushing manifests".)
    """
    image = oci_layout.read_image_at(layout)
    manifest = image.blob(image.digest).read_bytes()
    for digest in (json.loads(manifest)["config"]["digest"], *image.layers):
        place = _send("POST", f"http://{address}/v2/{name}/blobs/uploads/", b"").headers["Location"]
        mark = "&" if "?" in place else "?"
        _send("PUT", f"{place}{mark}digest={digest}", image.blob(digest).read_bytes())
    _send("PUT", f"http://{address}/v2/{name}/manifests/latest", manifest, oci_layout.MANIFEST)
    return f"{address}/{name}"


def read(address: str, name: str, reference: str = "latest") -> dict[str, Any]:
    """A manifest or an index in a registry."""
    return _get(f"http://{address}/v2/{name}/manifests/{reference}")


def read_config(address: str, name: str, reference: str = "latest") -> dict[str, Any]:
    """The configuration of an image in a registry."""
    digest = read(address, name, reference)["config"]["digest"]
    return _get(f"http://{address}/v2/{name}/blobs/{digest}")


def _get(url: str) -> dict[str, Any]:
    return dict(json.loads(_send("GET", url, None).read()))


def _send(
    method: str, url: str, body: bytes | None, media_type: str = "application/octet-stream"
) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, body, {"Content-Type": media_type}, method=method)
    request.add_header("Accept", ", ".join(_ACCEPTED))
    answer: http.client.HTTPResponse = _opener().open(request, timeout=60)
    return answer


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), _opener().open(url, timeout=5):
            return
        time.sleep(0.1)
    raise RegistryError(f"docker-registry does not start:\n{log.read_text()[-3000:]}")
