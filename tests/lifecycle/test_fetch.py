"""Downloads from loopback servers that misbehave in every way that servers do."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import os
import random
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests.lifecycle.conftest import QuietServer

from local_platform import free_port
from python_buildpack import fetch
from python_buildpack.errors import UserError
from python_buildpack.fetch import ATTEMPTS, download, fetch_bytes
from python_buildpack.log import Log

BODY = random.Random(1).randbytes(3_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass
class Site:
    """A server whose first answers are `answers`, one a request; then it serves `body`."""

    body: bytes = BODY
    url: str = ""
    answers: list[Callable[[Handler], None]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Method, path and range of each request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def offset(self) -> int:
        """The first byte that was asked for."""
        wanted = self.headers.get("Range", "")
        return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0

    def note(self) -> None:
        wanted = self.headers.get("Range", "")
        self.site.requests.append(f"{self.command} {self.path} {wanted}".strip())
        self.site.headers.append(dict(self.headers))

    def do_GET(self) -> None:
        self.note()
        answer = self.site.answers.pop(0) if self.site.answers else whole
        with contextlib.suppress(ConnectionError):
            answer(self)

    def do_CONNECT(self) -> None:
        """Be a proxy for TLS, to where `site` really is: its host needs no name."""
        self.note()
        self.send_response(200)
        self.end_headers()
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as other:
            there = threading.Thread(target=relay, args=(self.connection, other))
            there.start()
            relay(other, self.connection)
            there.join()
        self.close_connection = True

    def start(self, code: int, **headers: object) -> None:
        """Status line and headers."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def cut(self) -> None:
        """End the connection in the middle of things."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


def relay(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side has had enough."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def whole(handler: Handler) -> None:
    """The body, from where it was asked for."""
    body, start = handler.site.body, handler.offset
    headers: dict[str, object] = {"Content_Length": len(body) - start}
    if start:
        headers["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
    handler.start(206 if start else 200, **headers)
    handler.wfile.write(body[start:])


def status(code: int, **headers: object) -> Callable[[Handler], None]:
    """A status without a body."""
    return lambda handler: handler.start(code, Content_Length=0, **headers)


def half(handler: Handler) -> None:
    """Half of the body, then nothing."""
    body = handler.site.body[handler.offset :]
    handler.start(206 if handler.offset else 200, Content_Length=len(body))
    handler.wfile.write(body[: len(body) // 2])
    handler.cut()


def half_of_chunks(handler: Handler) -> None:
    """Half of the body in one chunk, without the end mark: its length is known to nobody."""
    part = handler.site.body[: len(handler.site.body) // 2]
    handler.start(200, Transfer_Encoding="chunked")
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
    handler.cut()


def all_chunks_but_the_end(handler: Handler) -> None:
    """The whole body in one chunk, without the end mark."""
    handler.start(200, Transfer_Encoding="chunked")
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(handler.site.body), handler.site.body))
    handler.cut()


def ignore_range(handler: Handler) -> None:
    """The whole body, whatever was asked for."""
    handler.start(200, Content_Length=len(handler.site.body))
    handler.wfile.write(handler.site.body)


def wrong_range(handler: Handler) -> None:
    """Other bytes than those that were asked for."""
    body = handler.site.body[10:]
    last = len(handler.site.body) - 1
    handler.start(206, Content_Length=len(body), Content_Range=f"bytes 10-{last}/{last + 1}")
    handler.wfile.write(body)


def silence(handler: Handler) -> None:
    """No answer at all."""
    handler.site.ended.wait()
    handler.close_connection = True


def half_then_silence(handler: Handler) -> None:
    """Half of the body, and the connection stays."""
    handler.start(200, Content_Length=len(handler.site.body))
    handler.wfile.write(handler.site.body[: len(handler.site.body) // 2])
    silence(handler)


def hang_up(handler: Handler) -> None:
    """The connection ends without an answer."""
    handler.cut()


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site of its own on 127.0.0.1."""
    site = Site()
    server = QuietServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    site.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        site.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    """A server without TLS."""
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine needs to reach the world is not for loopback."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for, which are not spent."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


class Fetched:
    """One download into a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "out" / "archive"
        self.path.parent.mkdir()
        self.stream = io.StringIO()

    def __call__(self, url: str, sha256: str = SHA256, **environ: str) -> None:
        download(url, self.path, sha256=sha256, log=Log(self.stream), environ=environ)

    def fails(self, url: str, id: str, sha256: str = SHA256, **environ: str) -> str:
        """The download must fail, and leave nothing; all that the user reads."""
        with pytest.raises(UserError) as caught:
            self(url, sha256, **environ)
        assert caught.value.id == id
        assert list(self.path.parent.iterdir()) == []
        return f"{self.log}\n{caught.value.title}\n{caught.value.body}"

    @property
    def log(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def fetched(tmp_path: Path, waits: list[float]) -> Fetched:
    """Waits between attempts are not spent."""
    return Fetched(tmp_path)


def test_a_download(site: Site, fetched: Fetched) -> None:
    """One request, one file, nothing beside it, nothing to say."""
    fetched(f"{site.url}/a.tar.gz")
    assert fetched.path.read_bytes() == BODY
    assert [path.name for path in fetched.path.parent.iterdir()] == ["archive"]
    assert site.requests == ["GET /a.tar.gz"]
    assert site.headers[0]["Accept-Encoding"] == "identity"
    assert fetched.log == ""


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_failures_that_pass_are_retried(site: Site, fetched: Fetched, code: int) -> None:
    """The log says what happened and what comes next."""
    site.answers = [status(code)]
    fetched(f"{site.url}/a")
    assert len(site.requests) == 2
    assert f"the server answered {code}" in fetched.log
    assert f"attempt 2 of {ATTEMPTS}" in fetched.log


@pytest.mark.parametrize("code", [400, 401, 403, 404, 407, 410, 416, 451])
def test_answers_are_not_retried(
    site: Site, fetched: Fetched, waits: list[float], code: int
) -> None:
    """A client's error stays one."""
    site.answers = [status(code)]
    assert str(code) in fetched.fails(f"{site.url}/a", "download-failed")
    assert len(site.requests) == 1
    assert waits == []


def test_waits_double_and_end(site: Site, fetched: Fetched, waits: list[float]) -> None:
    """Five attempts; each wait about twice the one before, so that many builds spread out."""
    site.answers = [status(503) for _ in range(ATTEMPTS)]
    text = fetched.fails(f"{site.url}/a", "download-failed")
    assert f"(tried {ATTEMPTS} times)" in text
    assert len(site.requests) == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1
    for number, wait in enumerate(waits):
        assert 0.75 * 2**number <= wait <= 1.25 * 2**number


def test_the_servers_wish_to_wait(site: Site, fetched: Fetched, waits: list[float]) -> None:
    """Retry-After is followed, up to a minute."""
    site.answers = [status(503, Retry_After="7"), status(429, Retry_After="86400")]
    fetched(f"{site.url}/a")
    assert waits == [7, 60]
    assert "in 7.0 s" in fetched.log


@pytest.mark.parametrize("broken", [half, half_then_silence])
def test_the_rest_is_asked_for(
    site: Site,
    fetched: Fetched,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[Handler], None],
) -> None:
    """A connection that breaks, or stalls, is taken up where it ended."""
    monkeypatch.setattr(fetch, "TIMEOUT", (1.0, 1.0))
    site.answers = [broken]
    fetched(f"{site.url}/a")
    assert fetched.path.read_bytes() == BODY
    first, second = site.requests
    assert first == "GET /a"
    # What had not yet left a buffer when the connection stalled is asked for again.
    received = int(second.removeprefix("GET /a bytes=").rstrip("-"))
    assert 0 < received <= len(BODY) // 2


@pytest.mark.parametrize(
    ("answers", "count"),
    [
        ([half, ignore_range], 2),
        ([half, wrong_range], 3),
        ([half, status(416)], 3),
        ([all_chunks_but_the_end, status(416)], 3),
        ([half_of_chunks], 2),
        ([half, half, half, half], 5),
    ],
)
def test_who_cannot_go_on_starts_anew(
    site: Site, fetched: Fetched, answers: list[Callable[[Handler], None]], count: int
) -> None:
    """No byte is used twice or left out, whatever the server makes of a range."""
    site.answers = list(answers)
    fetched(f"{site.url}/a")
    assert fetched.path.read_bytes() == BODY
    assert len(site.requests) == count


def test_silence_is_an_end(
    site: Site, fetched: Fetched, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    """A server that does not answer in time is asked again."""
    monkeypatch.setattr(fetch, "TIMEOUT", (1.0, 0.2))
    site.answers = [silence]
    fetched(f"{site.url}/a")
    assert "timed out" in fetched.log
    assert len(waits) == 1


def test_a_hang_up(site: Site, fetched: Fetched) -> None:
    """The words are for people."""
    site.answers = [hang_up]
    fetched(f"{site.url}/a")
    (line,) = fetched.log.splitlines()
    assert "Remote end closed connection without response" in line
    assert "object at" not in line and "(" not in line


def test_nobody_listens(fetched: Fetched) -> None:
    """Refused connections are retried; the last words are the system's."""
    text = fetched.fails(f"http://127.0.0.1:{free_port()}/a", "download-failed")
    assert "Connection refused" in text
    assert "HTTPConnection" not in text


def test_wrong_bytes(site: Site, fetched: Fetched) -> None:
    """Both digests are shown, and nothing is kept."""
    text = fetched.fails(f"{site.url}/a", "checksum-mismatch", sha256="0" * 64)
    assert "0" * 64 in text and SHA256 in text


@pytest.mark.parametrize("url", ["127.0.0.1/x", "ftp://127.0.0.1/x", "http://", "http://a b/"])
def test_what_is_no_url(fetched: Fetched, waits: list[float], url: str) -> None:
    """A mistake is said at once."""
    fetched.fails(url, "download-failed")
    assert waits == []


def test_redirects_are_followed(site: Site, fetched: Fetched) -> None:
    """Across hosts too, where credentials do not go along."""
    with serving() as other:
        site.answers = [status(302, Location=f"{other.url}/b"), status(302, Location="/c")]
        fetched(site.url.replace("http://", "http://me:secret@") + "/a")
        assert fetched.path.read_bytes() == BODY
        assert other.requests == ["GET /b"]
        expected = "Basic " + base64.b64encode(b"me:secret").decode()
        assert site.headers[0]["Authorization"] == expected
        assert "Authorization" not in other.headers[0]


def test_a_circle_of_redirects(site: Site, fetched: Fetched, waits: list[float]) -> None:
    """It ends, and is not tried again."""
    site.answers = [status(302, Location="/a") for _ in range(200)]
    assert "redirects" in fetched.fails(f"{site.url}/a", "download-failed")
    assert len(site.requests) <= 31
    assert waits == []


def test_credentials_are_not_shown(site: Site, fetched: Fetched) -> None:
    """Neither in the log nor in any error."""
    secret = site.url.replace("http://", "http://me:s3cr3t@")
    site.answers = [status(503), hang_up, status(404)]
    texts = [fetched.fails(f"{secret}/a", "download-failed")]
    texts.append(fetched.fails(f"{secret}/a", "checksum-mismatch", sha256="0" * 64))
    refused = f"http://me:s3cr3t@127.0.0.1:{free_port()}/a"
    texts.append(fetched.fails(refused, "download-failed"))
    for text in texts:
        assert "****@127.0.0.1" in text
        assert "s3cr3t" not in text


@pytest.mark.parametrize("path", ["/a/releases.json", ""])
def test_the_query_is_not_shown(site: Site, path: str) -> None:
    """Whatever its token is called, and whatever its bytes are."""
    stream = io.StringIO()
    log = Log(stream)
    site.answers = [status(404)]
    with pytest.raises(UserError) as caught:
        fetch_bytes(f"{site.url}{path}?v=1&jwt=eyJhbGci/s3cr3t==", log=log, environ={})
    log.error(caught.value)
    assert f"{site.url}{path}?v=1&jwt=****" in stream.getvalue()
    assert "s3cr3t" not in stream.getvalue()


@pytest.mark.parametrize("mine", ["me:secret", "to%40ken", ":secret", "m%C3%AB:%E2%82%AC"])
def test_a_netrc_file_does_not_go_before_the_url(
    site: Site, fetched: Fetched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mine: str
) -> None:
    """Neither the build's nor this machine's own; it serves where the URL has no credentials."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password 0ther\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for userinfo in (f"{mine}@", ""):
        fetched(site.url.replace("http://", f"http://{userinfo}") + "/a", NETRC=str(netrc))
    sent = [base64.b64decode(one["Authorization"].partition(" ")[2]) for one in site.headers]
    user, _, password = unquote(mine).partition(":")
    assert sent == [f"{user}:{password}".encode(), b"other:0ther"]


def test_a_proxy(site: Site, fetched: Fetched, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is asked for the whole URL, with its credentials."""
    monkeypatch.setenv("HTTP_PROXY", site.url.replace("http://", "http://me:secret@"))
    monkeypatch.setenv("http_proxy", os.environ["HTTP_PROXY"])
    fetched("http://runtimes.invalid/a")
    assert site.requests == ["GET http://runtimes.invalid/a"]
    expected = "Basic " + base64.b64encode(b"me:secret").decode()
    assert site.headers[0]["Proxy-Authorization"] == expected


def test_hosts_without_a_proxy(
    site: Site, fetched: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY is honoured."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetched(f"{site.url}/a")
    assert site.requests == ["GET /a"]


def test_a_proxy_that_is_not_there(fetched: Fetched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error speaks of the proxy, and not of its password."""
    monkeypatch.setenv("http_proxy", f"http://me:s3cr3t@127.0.0.1:{free_port()}")
    text = fetched.fails("http://runtimes.invalid/a", "download-failed")
    assert "proxy" in text and "Connection refused" in text
    assert "s3cr3t" not in text
    assert "object at" not in text


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private authority (ca.pem), and a certificate of its for 127.0.0.1 and a name."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:runtimes.invalid\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=A private authority")  # fmt: skip
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")  # fmt: skip
    openssl("req", "-x509", *key, "-keyout", "other.key", "-out", "other.pem", "-days", "2",
            "-subj", "/CN=Another authority")  # fmt: skip
    return folder


@pytest.fixture
def secure_site(authority: Path) -> Iterator[Site]:
    """A server with the private authority's certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "server.pem", authority / "server.key")
    with serving(tls) as made:
        yield made


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_private_authority(
    secure_site: Site, fetched: Fetched, authority: Path, name: str
) -> None:
    """Its certificate is trusted where a variable names it."""
    fetched(f"{secure_site.url}/a", **{name: str(authority / "ca.pem")})
    assert fetched.path.read_bytes() == BODY


def test_an_unknown_authority(
    secure_site: Site, fetched: Fetched, authority: Path, waits: list[float]
) -> None:
    """Its certificate is refused at once; the error names the file that is trusted."""
    bundle = str(authority / "other.pem")
    text = fetched.fails(f"{secure_site.url}/a", "certificate-untrusted", SSL_CERT_FILE=bundle)
    assert bundle in text and "CERTIFICATE_VERIFY_FAILED" in text
    assert secure_site.requests == []
    assert waits == []


def test_one_order_of_certificates(
    secure_site: Site, fetched: Fetched, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE goes before REQUESTS_CA_BUNDLE, here as for pip and uv."""
    both = {
        "SSL_CERT_FILE": str(authority / "ca.pem"),
        "REQUESTS_CA_BUNDLE": str(authority / "other.pem"),
    }
    for name, value in both.items():
        monkeypatch.setenv(name, value)
    fetched(f"{secure_site.url}/a", **both)
    assert fetched.path.read_bytes() == BODY


def test_a_bundle_that_does_not_exist(
    secure_site: Site, fetched: Fetched, waits: list[float]
) -> None:
    """The file is named; for the list of releases too."""
    text = fetched.fails(f"{secure_site.url}/a", "download-failed", SSL_CERT_FILE="/no/ca.pem")
    assert "/no/ca.pem" in text
    with pytest.raises(UserError) as caught:
        environ = {"SSL_CERT_FILE": "/no/ca.pem"}
        fetch_bytes(f"{secure_site.url}/a", log=Log(io.StringIO()), environ=environ)
    assert "/no/ca.pem" in caught.value.body
    assert waits == []


def test_a_proxy_for_tls(
    site: Site,
    secure_site: Site,
    fetched: Fetched,
    authority: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTPS_PROXY carries the connection; the certificate is the server's own."""
    port = secure_site.url.rpartition(":")[2]
    monkeypatch.setenv("https_proxy", site.url)
    fetched(f"https://runtimes.invalid:{port}/a", SSL_CERT_FILE=str(authority / "ca.pem"))
    assert fetched.path.read_bytes() == BODY
    assert site.requests == [f"CONNECT runtimes.invalid:{port}"]
    assert secure_site.requests == ["GET /a"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(site: Site, small_disk: Path) -> None:
    """Its own error; what was written is removed, so that the disk is as it was."""
    with pytest.raises(UserError) as caught:
        download(
            f"{site.url}/a", small_disk / "a", sha256=SHA256, log=Log(io.StringIO()), environ={}
        )
    assert caught.value.id == "disk-full"
    assert list(small_disk.iterdir()) == []
    assert len(site.requests) == 1


def test_a_small_file(site: Site, waits: list[float]) -> None:
    """Broken connections and 503 are retried; packed answers are unpacked."""

    def packed(handler: Handler) -> None:
        body = gzip.compress(b"content")
        handler.start(200, Content_Length=len(body), Content_Encoding="gzip")
        handler.wfile.write(body)

    site.answers = [half, half_of_chunks, status(503, Retry_After="3"), packed]
    log = io.StringIO()
    assert fetch_bytes(f"{site.url}/list.json", log=Log(log), environ={}) == b"content"
    assert len(site.requests) == 4
    assert waits[-1] == 3
    assert log.getvalue().count("the connection broke") == 2


def test_a_small_file_that_cannot_be_had(
    site: Site, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing: at once. Broken for good: after five attempts. Too large: refused."""
    site.answers = [status(404)]
    with pytest.raises(UserError) as missing:
        fetch_bytes(f"{site.url}/x", log=Log(io.StringIO()), environ={})
    assert "404" in missing.value.body
    assert waits == []
    site.answers = [half for _ in range(ATTEMPTS)]
    with pytest.raises(UserError) as broken:
        fetch_bytes(f"{site.url}/x", log=Log(io.StringIO()), environ={})
    assert f"(tried {ATTEMPTS} times)" in broken.value.body
    monkeypatch.setattr(fetch, "LIST_LIMIT", 1000)
    with pytest.raises(UserError) as large:
        fetch_bytes(f"{site.url}/x", log=Log(io.StringIO()), environ={})
    assert "larger" in large.value.body
