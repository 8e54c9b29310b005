"""No form of credentials survives what is printed, hashed or stored."""

from __future__ import annotations

import io

import pytest

from python_buildpack.log import Log
from python_buildpack.redact import redact, without_credentials, without_tokens


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:s3cret@h.example/simple", "https://****@h.example/simple"),
        ("https://s3cret@h.example/simple", "https://****@h.example/simple"),
        ("https://u:s3cret@h.example:8443/x", "https://****@h.example:8443/x"),
        ("https://u:p@s3cret@h.example/x", "https://****@h.example/x"),
        ("https://u:p/s3cret@h.example/x", "https://****@h.example/x"),
        ("https://u:p?s3cret#y@h.example/x", "https://****@h.example/x"),
        ("https://u:p%40s3cret@h.example", "https://****@h.example"),
        ("https://:s3cret@h.example/x", "https://****@h.example/x"),
        ("https://u:s3cret@[::1]:80/x", "https://****@[::1]:80/x"),
        ("https://user:s3cret/pa@ss@\0host", "https://****@\0host"),
        ("--index-url=https://u:s3cret@h.example/x", "--index-url=https://****@h.example/x"),
        ("-i 'https://u:s3cret@h.example/x'", "-i 'https://****@h.example/x'"),
        ('url "https://u:s3cret@h.example/x", again', 'url "https://****@h.example/x", again'),
        ("git+https://u:s3cret@h.example/r.git@v1.0", "git+https://****@h.example/r.git@v1.0"),
        ("git+https://h.example/r.git@v1.0#egg=r", "git+https://h.example/r.git@v1.0#egg=r"),
        ("git+ssh://git@h.example/r.git@main", "git+ssh://****@h.example/r.git@main"),
        ("a @ https://u:s3cret@h.example/a.whl ; x", "a @ https://****@h.example/a.whl ; x"),
        ("https://h.example/x?token=s3cret&a=1", "https://h.example/x?token=****&a=1"),
        ("https://h.example/x?a=1&X-Amz-Signature=s3cret", "https://h.example/x?a=1&X-Amz-Signature=****"),
        ("https://h.example:8080/x@y", "https://h.example:8080/x@y"),
        ("see http://h.example:8080, or a@b.example", "see http://h.example:8080, or a@b.example"),
        ("Authorization: Basic czNjcmV0", "Authorization: Basic ****"),
        ("{'Authorization': 'Bearer s3cret'}", "{'Authorization': 'Bearer ****'}"),
    ],
)  # fmt: skip
def test_redact(text: str, shown: str) -> None:
    """Hosts, ports, paths and revisions stay readable; credentials do not."""
    assert redact(text) == shown
    assert redact(shown) == shown
    assert "s3cret" not in without_credentials(text)


@pytest.mark.parametrize(
    "pattern",
    [
        "https://u:{}@h.example/simple",
        "https://{}@h.example/simple",
        "git+https://{}:x@h.example/r@1",
        "https://h.example/x?token={}&a=1",
    ],
)
def test_keys_do_not_depend_on_credentials(pattern: str) -> None:
    """What is hashed is equal for two tokens, and it says where the package is from."""
    first, second = (without_credentials(pattern.format(token)) for token in ("one", "t%2Fw%40o.3"))
    assert first == second
    assert "h.example" in first


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://u:p@h.example/simple/", "https://h.example/simple/"),
        ("https://h.example/simple/?token=abc", "https://h.example/simple/"),
        ("https://h.example/aB3dE6gH9jK2mN5p/org/simple/", "https://h.example/****/org/simple/"),
        ("https://h.example:8443/api/pypi/internal-python/simple", "https://h.example:8443/api/pypi/internal-python/simple"),
        ("vendor/wheels", "vendor/wheels"),
        ("/opt/wheels", "/opt/wheels"),
    ],
)  # fmt: skip
def test_stored_index(url: str, stored: str) -> None:
    """The place of an index is stored, its tokens are not."""
    assert without_tokens(url) == stored


def test_known_secrets_are_hidden_everywhere() -> None:
    """A password is hidden in any context, raw or escaped; common short words are not."""
    stream = io.StringIO()
    log = Log(stream, debug=True)
    log.hide(["p@ss/word", "abc"])
    log.info("password is p@ss/word, abc")
    log.debug("sent p%40ss%2Fword")
    log.warning("p%40ss/word")
    assert "word" not in stream.getvalue().replace("password", "")
    assert "abc" in stream.getvalue()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("piece", ["a", "?", "&", "://", "://a:b", "?token", "a@", "= ", "é", "/"])
def test_long_lines(piece: str) -> None:
    """A line of 200 kB takes a moment: its square would take hours."""
    line = piece * (200_000 // len(piece))
    assert redact(line)
    assert without_credentials(f"https://u:p@h/{line}").startswith("https://h/")
