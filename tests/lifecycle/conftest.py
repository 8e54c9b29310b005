"""The real lifecycle on this machine, a packaged buildpack, and a loopback host of runtimes."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import host_python
import local_platform
import package
import runtime_archive
from kept_package import copied_package
from lifecycle import ensure_lifecycle
from local_platform import Workspace

BUILDER = 1000
EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@pytest.fixture(scope="session")
def shelter() -> Iterator[Path]:
    """A directory that the build's user can read, with a path short enough for shebang lines."""
    with tempfile.TemporaryDirectory(prefix="pc-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def binaries(shelter: Path) -> Path:
    """The lifecycle's binaries."""
    target = shelter / "lifecycle"
    shutil.copytree(ensure_lifecycle(print), target, symlinks=True)
    return target


@pytest.fixture(scope="session")
def buildpack(shelter: Path) -> Path:
    """The buildpack as users get it, with this machine's CPython as its runtime."""
    return copied_package(shelter / "dist")


@pytest.fixture
def space(shelter: Path, buildpack: Path, binaries: Path) -> Iterator[Workspace]:
    """A workspace of its own; the phases run as another user where this one is root."""
    with new_space(shelter, buildpack, binaries) as made:
        yield made


@contextlib.contextmanager
def new_space(shelter: Path, buildpack: Path, binaries: Path) -> Iterator[Workspace]:
    """The same for the tests of a module."""
    with tempfile.TemporaryDirectory(prefix="w", dir=shelter) as name:
        Path(name).chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        yield local_platform.prepare(Path(name), buildpack, package.version(), binaries, user)


@pytest.fixture
def flask_app(tmp_path: Path) -> Path:
    """A copy of the Flask example that a test can change."""
    target = tmp_path / "app"
    shutil.copytree(EXAMPLES / "flask", target)
    return target


class QuietServer(ThreadingHTTPServer):
    """A client that hangs up is no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@dataclass
class Host:
    """A loopback server of files. `faults` are used up first, one for each request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def host() -> Iterator[Host]:
    """Serves `files`; a fault is a status code, `cut` (half of the body) or `slow-start`."""
    state = Host()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            body = state.files.get(unquote(self.path))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.requests.append(f"{self.path} {wanted}".strip())
            fault = state.faults.pop(0) if state.faults else ""
            body = state.files.get(unquote(self.path))
            if fault.isdecimal() or body is None:
                self.send_response(int(fault or 404))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            # Other forms of Range are answered with the whole file, as servers may.
            rest = re.fullmatch(r"bytes=(\d+)-", wanted)
            start = int(rest[1]) if rest else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            kind = "text/html" if self.path.endswith("/") else "application/octet-stream"
            self.send_header("Content-Type", kind)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            body = body[start:]
            if fault == "cut":
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
            self.wfile.write(body)

    server = QuietServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def other_runtime(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], bytes]:
    """An archive that is not the package's own, so that it must be downloaded; its list entry."""
    out = tmp_path_factory.mktemp("runtime")
    release = runtime_archive.pack(host_python.find_host_python(), out)
    data = gzip.compress(gzip.decompress((out / release["url"]).read_bytes()), 1, mtime=1)
    return {**release, "sha256": hashlib.sha256(data).hexdigest()}, data


@pytest.fixture
def served(host: Host, other_runtime: tuple[dict[str, Any], bytes]) -> Host:
    """The loopback host with that archive and a release list."""
    release, data = other_runtime
    host.files[f"/{release['url']}"] = data
    host.files["/releases.json"] = json.dumps({"format": 1, "releases": [release]}).encode()
    return host
