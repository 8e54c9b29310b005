"""A loopback package index: the simple API in HTML (PEP 503) and JSON (PEP 691)."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
import socket
import ssl
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

from tests.managers import git_server


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a project, as the index states it."""

    name: str
    data: bytes
    requires_python: str
    metadata: bytes | None
    yanked: bool

    @functools.cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass
class SimpleIndex:
    """`with SimpleIndex() as index: index.add(wheel)`; `index.url` is what pip calls index-url.

    With `user` and `password` every request needs them (basic authentication); with a `token` every
    path begins with it. `requests` holds
    every path that was asked for, with its status, `sent` how many bytes the answers had;
    `offline = True` answers 503 to everything.
    With a `certificate` (a PEM file with its key) it speaks TLS. It listens on `address`.
    `immutable`: it says that its files never change, as the public index does.
    `interfere` is given each request, with the type and the body of its answer, and returns
    whether it answered. `repositories` holds Git repositories, served below `/git/`.
    """

    user: str = ""
    password: str = ""
    token: str = ""
    offline: bool = False
    certificate: Path | None = None
    address: str = "127.0.0.1"
    immutable: bool = False
    interfere: Callable[[BaseHTTPRequestHandler, str, bytes], bool] | None = None
    requests: list[str] = field(default_factory=list)
    sent: int = 0
    files: dict[str, dict[str, File]] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    repositories: Path | None = None
    _port: socket.socket | None = None
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> SimpleIndex:
        self.listen()
        return self

    def listen(self) -> None:
        """At the port that it had before, if it had one."""
        if self._port is None:
            # Bound all the while: nobody else is given the port while it refuses connections.
            self._port = socket.socket()
            self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._port.bind((self.address, 0))
        port = self._port.getsockname()[1]
        self._server = ThreadingHTTPServer((self.address, port), _handler(self))
        self._server.daemon_threads = True
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def hang_up(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None and self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hang_up()
        assert self._port is not None
        self._port.close()

    @property
    def host(self) -> str:
        """`ADDRESS:PORT`."""
        assert self._server is not None
        return f"{self.address}:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}{self._prefix}/simple/"

    @property
    def url_with_credentials(self) -> str:
        if not self.user:
            return self.url
        userinfo = f"{quote(self.user)}:{quote(self.password, safe='')}"
        return f"{self._scheme}://{userinfo}@{self.host}{self._prefix}/simple/"

    @property
    def _prefix(self) -> str:
        return f"/{self.token}" if self.token else ""

    @property
    def _scheme(self) -> str:
        return "https" if self.certificate else "http"

    def add(self, *paths: Path, yanked: bool = False) -> None:
        """Serve wheels and sdists; a later file of the same name replaces the earlier one."""
        for path in paths:
            stem = path.name.removesuffix(".tar.gz").removesuffix(".whl")
            project = normalized(
                stem.split("-")[0] if path.suffix == ".whl" else stem.rpartition("-")[0]
            )
            metadata = _wheel_metadata(path) if path.suffix == ".whl" else None
            found = re.search(rb"^Requires-Python: (.*)$", metadata or b"", re.M)
            self.files.setdefault(project, {})[path.name] = File(
                name=path.name,
                data=path.read_bytes(),
                requires_python=found[1].decode() if found else "",
                metadata=metadata,
                yanked=yanked,
            )

    def downloads(self) -> list[str]:
        """The names of the files that were fetched, each as often as it was."""
        wanted = f"200 {self._prefix}/files/"
        paths = [line.split()[1] for line in self.requests if line.startswith(wanted)]
        return [path.rpartition("/")[2] for path in paths if not path.endswith(".metadata")]

    def answer(self, path: str, accept: str, authorization: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a request."""
        if self.offline:
            return 503, "text/plain", b"offline"
        if self.user:
            wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            if authorization != f"Basic {wanted}":
                return 401, "text/plain", b"credentials, please"
        words = path.partition("?")[0].strip("/").split("/")
        if self.token and words.pop(0) != self.token:
            return 403, "text/plain", b"the token, please"
        if words and words[0] in self.folders:
            file_path = self.folders[words[0]].joinpath(*words[1:])
            if ".." not in words and file_path.is_file():
                return 200, "application/octet-stream", file_path.read_bytes()
            return 404, "text/plain", b"not found"
        if words[:1] == ["simple"] and len(words) == 2 and words[1] in self.files:
            return self._project(words[1], accept)
        if words == ["simple"]:
            return self._projects(accept)
        if words[:1] == ["files"] and len(words) == 3:
            name = unquote(words[2]).removesuffix(".metadata")
            file = self.files.get(words[1], {}).get(name)
            if file is not None:
                body = file.metadata if words[2].endswith(".metadata") else file.data
                if body is not None:
                    return 200, "application/octet-stream", body
        return 404, "text/plain", b"not found"

    def _projects(self, accept: str) -> tuple[int, str, bytes]:
        if "application/vnd.pypi.simple.v1+json" in accept:
            body = {"meta": {"api-version": "1.0"}, "projects": [{"name": n} for n in self.files]}
            return 200, "application/vnd.pypi.simple.v1+json", json.dumps(body).encode()
        links = "\n".join(
            f'<a href="{self._prefix}/simple/{name}/">{name}</a>' for name in self.files
        )
        return 200, "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()

    def _project(self, project: str, accept: str) -> tuple[int, str, bytes]:
        files = self.files[project].values()
        if "application/vnd.pypi.simple.v1+json" in accept:
            body = {
                "meta": {"api-version": "1.1"},
                "name": project,
                "versions": sorted({_version(file.name) for file in files}),
                "files": [_json_file(self._prefix, project, file) for file in files],
            }
            return 200, "application/vnd.pypi.simple.v1+json", json.dumps(body).encode()
        links = "\n".join(_link(self._prefix, project, file) for file in files)
        return 200, "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()


def normalized(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(name: str) -> str:
    return name.removesuffix(".tar.gz").removesuffix(".whl").split("-")[1]


def _json_file(prefix: str, project: str, file: File) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.name,
        "url": f"{prefix}/files/{project}/{file.name}",
        "hashes": {"sha256": file.sha256},
        "size": len(file.data),
        "upload-time": "2020-02-02T00:00:00Z",
        "yanked": file.yanked,
    }
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.metadata is not None:
        digest = hashlib.sha256(file.metadata).hexdigest()
        entry["core-metadata"] = entry["data-dist-info-metadata"] = {"sha256": digest}
    return entry


def _link(prefix: str, project: str, file: File) -> str:
    attributes = f'href="{prefix}/files/{project}/{file.name}#sha256={file.sha256}"'
    if file.requires_python:
        attributes += f' data-requires-python="{html.escape(file.requires_python)}"'
    if file.metadata is not None:
        digest = hashlib.sha256(file.metadata).hexdigest()
        attributes += f' data-dist-info-metadata="sha256={digest}"'
        attributes += f' data-core-metadata="sha256={digest}"'
    if file.yanked:
        attributes += ' data-yanked="broken"'
    return f"<a {attributes}>{file.name}</a><br>"


def _wheel_metadata(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _handler(index: SimpleIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        asked = b""

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self._respond(with_body=False)

        def do_GET(self) -> None:
            self._respond(with_body=True)

        def do_POST(self) -> None:
            self._respond(with_body=True)

        def _respond(self, *, with_body: bool) -> None:
            self.asked = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if index.repositories and self.path.startswith(git_server.PREFIX):
                status, kind, body = git_server.git_answer(index.repositories, self, self.asked)
            else:
                status, kind, body = index.answer(
                    self.path, self.headers.get("Accept", ""), self.headers.get("Authorization", "")
                )
            index.requests.append(f"{status} {self.path}")
            if index.interfere and index.interfere(self, kind, body):
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if status == 200 and self.path.startswith("/files/"):
                self.send_header("Cache-Control", "max-age=365000000, immutable")
            self.send_header("Content-Length", str(len(body)))
            if index.immutable and self.path.startswith("/files/"):
                self.send_header("Cache-Control", "max-age=31536000, immutable")
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
            if with_body:
                index.sent += len(body)
                self.wfile.write(body)

    return Handler
