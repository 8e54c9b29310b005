"""Downloads: streamed, hashed on the way, resumed, retried; a file is whole or it is not there."""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from python_buildpack import errors
from python_buildpack.log import Log
from python_buildpack.redact import redact, url_secrets
from python_buildpack.runtime.mirrors import mirrored

if TYPE_CHECKING:
    import requests
    from requests.auth import HTTPBasicAuth

ATTEMPTS = 5
FIRST_WAIT = 1.0  # seconds; doubled after each failure
LONGEST_WAIT = 60.0
TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two reads
CHUNK = 1024 * 1024
LIST_LIMIT = 32 * 1024 * 1024
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Retry(Exception):
    """A failure that another attempt may not meet. `wait`: seconds that the server asked for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


def ca_bundle(environ: Mapping[str, str]) -> str | bool:
    """The CA bundle to trust: the user's, else the image's, else requests' own (True)."""
    for name in CA_VARIABLES:
        if environ.get(name):
            return environ[name]
    return next((path for path in _SYSTEM_BUNDLES if Path(path).is_file()), True)


def download(
    url: str,
    destination: Path,
    *,
    sha256: str,
    log: Log,
    environ: Mapping[str, str],
    mirror: str | None = None,
    first_wait: float = FIRST_WAIT,
    algorithm: str = "sha256",
) -> None:
    """Put the file with the digest `sha256` at `destination`.

    `algorithm` is another one where its publisher states no sha256.

    Takes http, https and file URLs. Raises `UserError` when the file cannot be had, when its bytes
    are not those expected, and when the disk is full; `destination` does not exist then.
    """
    target = mirrored(url, mirror)
    log.hide(_secrets(target))
    log.debug(f"from {redact(target)}")
    partial = destination.with_name(destination.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        if urlsplit(target).scheme == "file":
            source = Path(unquote(urlsplit(target).path))
            if not source.is_file():
                raise errors.file_to_fetch_missing(str(source))
            digest = _copy(source, partial, algorithm)
        else:
            digest = _download(target, partial, log, environ, first_wait, algorithm)
        if digest != sha256:
            raise errors.checksum_mismatch(redact(target), sha256, digest, algorithm)
        partial.replace(destination)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise errors.disk_full(f"downloading {redact(target)}") from None
        raise errors.download_failed(redact(target), str(error)) from None
    finally:
        partial.unlink(missing_ok=True)


def fetch_bytes(
    url: str, *, log: Log, environ: Mapping[str, str], first_wait: float = FIRST_WAIT
) -> bytes:
    """A small file, whole. Raises `UserError` when it cannot be had."""
    log.hide(_secrets(url))

    import urllib3.exceptions

    with _session(environ) as session:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with _get(session, url, 0, environ.get("NETRC")) as response:
                    body = response.raw.read(LIST_LIMIT + 1, decode_content=True)
                break
            except urllib3.exceptions.HTTPError as error:
                _pause(url, _broken(error), attempt, first_wait, log)
            except _Retry as failure:
                _pause(url, failure, attempt, first_wait, log)
    if len(body) > LIST_LIMIT:
        raise errors.download_failed(redact(url), "It is larger than 32 MiB.")
    return bytes(body)


def _secrets(url: str) -> set[str]:
    """Not the name of the file: it may look like a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    return url_secrets(urlunsplit(parts._replace(path=parts.path.rpartition("/")[0])))


def _copy(source: Path, partial: Path, algorithm: str) -> str:
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with source.open("rb") as reader, partial.open("xb") as writer:
        while chunk := reader.read(CHUNK):
            hasher.update(chunk)
            writer.write(chunk)
    return hasher.hexdigest()


def login(url: str, netrc_file: str | None) -> HTTPBasicAuth | None:
    """By user and password: those in `url`, else those of its host in the netrc file.

    requests alone would let a netrc file of this machine go before the URL, and would take no
    character that is not in Latin-1 (RFC 7617 leaves the choice; curl and uv send UTF-8).
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        return _basic(unquote(parts.username or ""), unquote(parts.password or ""))
    if netrc_file is None:
        return None
    import netrc

    try:
        found = netrc.netrc(netrc_file).authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None  # the host will ask for credentials, where it wants some
    return _basic(found[0] or "", found[2] or "") if found else None


def _basic(user: str, password: str) -> HTTPBasicAuth:
    from requests.auth import HTTPBasicAuth

    return HTTPBasicAuth(
        user.encode(errors="surrogateescape"), password.encode(errors="surrogateescape")
    )


def answer_status(url: str, environ: Mapping[str, str]) -> int | None:
    """The status of the answer to one request; None where there is no answer."""
    import requests

    with _session(environ) as session:
        try:
            auth = login(url, environ.get("NETRC"))
            with session.get(
                url, stream=True, timeout=TIMEOUT, auth=auth, verify=session.verify
            ) as response:
                return response.status_code
        except (requests.exceptions.RequestException, OSError):
            return None


def _session(environ: Mapping[str, str]) -> requests.Session:
    import requests

    session = requests.Session()
    session.verify = ca_bundle(environ)
    session.headers["User-Agent"] = "pycnb-python-buildpack"
    session.headers["Accept-Encoding"] = "identity"
    return session


def _get(session: requests.Session, url: str, offset: int, netrc: str | None) -> requests.Response:
    """The answer to a GET from byte `offset` on. Raises `_Retry` or `UserError`."""
    import requests

    headers = {"Range": f"bytes={offset}-"} if offset else {}
    try:
        # Proxies are read from the environment by requests itself; `verify` is given here, for
        # else the environment's REQUESTS_CA_BUNDLE would go before the session's.
        response = session.get(
            url,
            stream=True,
            timeout=TIMEOUT,
            headers=headers,
            verify=session.verify,
            auth=login(url, netrc),
        )
    except requests.exceptions.RequestException as error:
        reason = _reason(error)
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            raise errors.certificate_untrusted(redact(url), reason, session.verify) from None
        if isinstance(error, (ValueError, requests.exceptions.TooManyRedirects)):
            # Of requests' exceptions those about what was asked for are ValueErrors too.
            raise errors.download_failed(redact(url), reason) from None
        raise _Retry(reason) from None
    except OSError as error:
        # The CA bundle does not exist.
        raise errors.download_failed(redact(url), f"{error}.") from None
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        wait = _asked_wait(response.headers.get("Retry-After", ""))
        response.close()
        raise _Retry(f"the server answered {status} {response.reason}", wait)
    if status >= 400 and not (status == 416 and offset):
        response.close()
        raise errors.download_failed(
            redact(url), f"The server answered {status} {response.reason}."
        )
    return response


def _asked_wait(text: str) -> float | None:
    """The seconds of a Retry-After header, which gives them or a date (RFC 9110)."""
    if text.isdecimal():
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    """The innermost words of a failed connection."""
    cause: object = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    parts = cause.args if isinstance(cause, Exception) and len(cause.args) > 1 else (cause,)
    # An exception's text starts with the connection that it is about.
    words = [str(part).split("): ", 1)[-1] for part in parts if not isinstance(part, int)]
    return redact(": ".join(word.rstrip(".") for word in words))


def _broken(error: Exception) -> _Retry:
    return _Retry(f"the connection broke: {_reason(error)}")


def _download(
    url: str,
    partial: Path,
    log: Log,
    environ: Mapping[str, str],
    first_wait: float,
    algorithm: str,
) -> str:
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    progress = _Progress(log)
    with _session(environ) as session, partial.open("xb") as file:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                done = file.tell()
                with _get(session, url, done, environ.get("NETRC")) as response:
                    if done and not _goes_on(response, done):
                        file.seek(0)
                        file.truncate()
                        hasher = hashlib.new(algorithm, usedforsecurity=False)
                        progress.restart()
                        if response.status_code != 200:
                            raise _Retry(f"the server cannot go on after {done} bytes")
                    _stream(response, file.write, hasher, progress)
                break
            except _Retry as failure:
                _pause(url, failure, attempt, first_wait, log)
    return hasher.hexdigest()


def _goes_on(response: requests.Response, offset: int) -> bool:
    """Whether an answer starts at byte `offset`."""
    place = response.headers.get("Content-Range", "")
    return response.status_code == 206 and place.startswith(f"bytes {offset}-")


class _Writer(Protocol):
    def __call__(self, data: bytes, /) -> int: ...


def _stream(
    response: requests.Response, write: _Writer, hasher: _Hash, progress: _Progress
) -> None:
    import urllib3.exceptions

    length = response.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() else None
    received = 0
    try:
        while True:
            chunk = response.raw.read(CHUNK)
            if not chunk:
                break
            write(chunk)
            hasher.update(chunk)
            received += len(chunk)
            progress.add(len(chunk), expected)
    except urllib3.exceptions.HTTPError as error:
        raise _broken(error) from None
    if expected is not None and received < expected:
        raise _Retry(f"the connection ended after {received} of {expected} bytes")


def _pause(url: str, failure: _Retry, attempt: int, first_wait: float, log: Log) -> None:
    if attempt == ATTEMPTS:
        raise errors.download_failed(redact(url), f"{failure} (tried {ATTEMPTS} times)") from None
    import random

    wait = first_wait * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
    if failure.wait is not None:
        wait = failure.wait
    wait = min(wait, LONGEST_WAIT)
    log.info(f"{failure}; attempt {attempt + 1} of {ATTEMPTS} in {wait:.1f} s")
    time.sleep(wait)


class _Progress:
    """Says every two seconds how far a download has come."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._last = time.monotonic()
        self._done = 0

    def restart(self) -> None:
        self._done = 0

    def add(self, count: int, expected: int | None) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._last >= 2:
            self._last = now
            total = f" of {expected / 1e6:.0f}" if expected else ""
            self._log.progress(f"{self._done / 1e6:.0f}{total} MB")
