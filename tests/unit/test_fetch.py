"""Downloads, as far as they need no network: mirrors, certificates, progress, copies, words."""

from __future__ import annotations

import datetime
import errno
import hashlib
import io
import time
from email.utils import format_datetime
from pathlib import Path

import pytest

from python_buildpack import fetch
from python_buildpack.errors import UserError
from python_buildpack.fetch import ca_bundle, download
from python_buildpack.log import Log
from python_buildpack.runtime.mirrors import mirrored


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (None, "https://host.example/a/b%2B1.tar.gz?x=1"),
        ("", "https://host.example/a/b%2B1.tar.gz?x=1"),
        ("https://mirror.example", "https://mirror.example/a/b%2B1.tar.gz"),
        ("http://mirror.example:81/deep/er/", "http://mirror.example:81/deep/er/a/b%2B1.tar.gz"),
        ("https://me:secret@mirror.example", "https://me:secret@mirror.example/a/b%2B1.tar.gz"),
        ("file:///srv/files", "file:///srv/files/a/b%2B1.tar.gz"),
    ],
)
def test_mirrors_take_the_place_of_the_host(mirror: str | None, expected: str) -> None:
    """The path stays, below the mirror's own."""
    assert mirrored("https://host.example/a/b%2B1.tar.gz?x=1", mirror) == expected


def test_a_mirror_that_is_no_url() -> None:
    """A typing mistake is the user's to mend; the password is not shown."""
    with pytest.raises(UserError) as caught:
        mirrored("https://host.example/a", "http://me:secret@[::1/x")
    assert caught.value.id == "download-failed"
    assert "secret" not in caught.value.title + caught.value.body


def test_certificates_of_the_user_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the image's, then those that requests brings."""
    environ = {"REQUESTS_CA_BUNDLE": "/b", "SSL_CERT_FILE": "/a", "CURL_CA_BUNDLE": "/c"}
    assert ca_bundle(environ) == "/a"
    assert ca_bundle({"CURL_CA_BUNDLE": "/c", "SSL_CERT_FILE": ""}) == "/c"
    image = tmp_path / "ca.crt"
    monkeypatch.setattr(fetch, "_SYSTEM_BUNDLES", (str(tmp_path / "no"), str(image)))
    assert ca_bundle({}) is True
    image.write_text("")
    assert ca_bundle({}) == str(image)


def test_a_file_url_is_copied_and_checked(tmp_path: Path) -> None:
    """Escapes in the path are undone; nothing but the file is left."""
    source = tmp_path / "a+b c.tar.gz"
    source.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    out = tmp_path / "out"
    out.mkdir()
    download(source.as_uri(), out / "x", sha256=digest, log=Log(io.StringIO()), environ={})
    assert (out / "x").read_bytes() == b"content"
    assert [path.name for path in out.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("name", "id", "words"),
    [
        ("source", "checksum-mismatch", "0" * 64),
        ("nothing", "download-failed", "pack build --volume"),
    ],
)
def test_a_bad_copy_leaves_nothing(tmp_path: Path, name: str, id: str, words: str) -> None:
    """Neither half a file nor a wrong one."""
    (tmp_path / "source").write_bytes(b"content")
    out = tmp_path / "out"
    out.mkdir()
    url = (tmp_path / name).as_uri()
    with pytest.raises(UserError) as caught:
        download(url, out / "x", sha256="0" * 64, log=Log(io.StringIO()), environ={})
    assert caught.value.id == id
    assert words in caught.value.body
    assert list(out.iterdir()) == []


def test_what_a_killed_build_left_is_overwritten(tmp_path: Path) -> None:
    """A partial file of an earlier build is no part of this one."""
    source = tmp_path / "source"
    source.write_bytes(b"content")
    (tmp_path / "x.part").write_bytes(b"from before")
    digest = hashlib.sha256(b"content").hexdigest()
    download(source.as_uri(), tmp_path / "x", sha256=digest, log=Log(io.StringIO()), environ={})
    assert (tmp_path / "x").read_bytes() == b"content"
    assert not (tmp_path / "x.part").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_has_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A full disk and a used-up quota; the partial file is gone."""

    def full(source: Path, partial: Path, algorithm: str) -> str:
        del algorithm
        partial.write_bytes(b"half")
        raise OSError(number, "no more")

    monkeypatch.setattr(fetch, "_copy", full)
    source = tmp_path / "source"
    source.write_bytes(b"content")
    with pytest.raises(UserError) as caught:
        download(source.as_uri(), tmp_path / "x", sha256="", log=Log(io.StringIO()), environ={})
    assert caught.value.id == "disk-full"
    assert list(tmp_path.iterdir()) == [source]


class Clock:
    """Stands for the module `time`: each call of `monotonic` is half a second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.5
        return self.now


def test_progress_is_told_every_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Megabytes done, and of how many where that is known; a restart counts anew."""
    monkeypatch.setattr(fetch, "time", Clock())
    stream = io.StringIO()
    progress = fetch._Progress(Log(stream))
    for _ in range(8):
        progress.add(1_000_000, 10_000_000)
    progress.restart()
    for _ in range(4):
        progress.add(1_000_000, None)
    assert stream.getvalue().split("\n") == [
        "       4 of 10 MB",
        "       8 of 10 MB",
        "       4 MB",
        "",
    ]


def test_a_server_may_ask_to_wait_until_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After is a number of seconds or a date; anything else asks for nothing."""
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    monkeypatch.setattr(time, "time", now.timestamp)
    later = format_datetime(now + datetime.timedelta(seconds=30), usegmt=True)
    before = format_datetime(now - datetime.timedelta(seconds=30), usegmt=True)
    assert fetch._asked_wait("7") == 7
    assert fetch._asked_wait(later) == 30
    assert fetch._asked_wait(before) == 0
    assert fetch._asked_wait("") is None
    assert fetch._asked_wait("soon") is None
