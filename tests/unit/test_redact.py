"""No form of credentials survives what is printed, hashed or stored."""

from __future__ import annotations

import io

import pytest

from python_buildpack.log import Log
from python_buildpack.packages.variables_in_urls import expanded_secrets
from python_buildpack.redact import (
    names_a_secret,
    redact,
    url_secrets,
    without_credentials,
    without_secrets,
    without_tokens,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


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
        ("git+http://[fd00::10]:3000/x.git@v1", "git+http://[fd00::10]:3000/x.git@v1"),
        ("git+http://[fd00::10]/x.git@v1", "git+http://[fd00::10]/x.git@v1"),
        ("git+http://h:${GIT_PORT}/x.git@v1", "git+http://h:${GIT_PORT}/x.git@v1"),
        ("git+http://[::1]:${PORT}/x.git@v1", "git+http://[::1]:${PORT}/x.git@v1"),
        ("http://u:s3cret/x@[fd00::10]:3000/y", "http://****@[fd00::10]:3000/y"),
        ("http://[fd00::10]:s3cret/x@h.example/y", "http://****@h.example/y"),
        ("http://[abc:s3cret/x@h.example/y", "http://****@h.example/y"),
        ("http://u:${PW}s3cret/x@h.example/y", "http://****@h.example/y"),
        ("http://u:${PW}@h.example/y", "http://****@h.example/y"),
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
        ("https://h.example/pypi-snapshot-20260701/simple", "https://h.example/pypi-snapshot-20260701/simple"),
        ("https://h.example/20260701T000000Z/simple", "https://h.example/20260701T000000Z/simple"),
        ("https://h.example/whl/torch-2.1.0-cu118/", "https://h.example/whl/torch-2.1.0-cu118/"),
        ("https://h.example/manylinux2014_x86_64/", "https://h.example/manylinux2014_x86_64/"),
        ("https://h.example/0a1b2c3d-1111-2222-3333-444444444444/", "https://h.example/****/"),
        ("https://h.example/aB3-xK9_pQ7rT2mN5v/", "https://h.example/****/"),
        (f"https://h.example/{COMMIT}/simple", "https://h.example/****deb87fab/simple"),
        ("vendor/wheels", "vendor/wheels"),
        ("/opt/wheels", "/opt/wheels"),
    ],
)  # fmt: skip
def test_stored_index(url: str, stored: str) -> None:
    """The place of an index is stored, its tokens are not."""
    assert without_tokens(url) == stored


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://dl.example/aB3xK9pQ7rT2mN5v/acme/repo/simple/", {"aB3xK9pQ7rT2mN5v"}),
        ("https://u:p%40ss@h.example/simple/?sig=1a2b3c4d&x=short", {"p@ss", "1a2b3c4d"}),
        ("https://t0ken@h.example/simple/", {"t0ken"}),
        ("https://h.example:8443/api/pypi/internal-python/simple", set()),
        ("/opt/wheels/aB3xK9pQ7rT2mN5v", set()),
        ("https://[", set()),
    ],
)
def test_secrets_of_a_url(url: str, secret: set[str]) -> None:
    """Of an index's URL the password, the tokens in its path, the values in its query."""
    assert url_secrets(url) == secret


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("mylib @ https://dl.example/${KEY}/a/mylib-1.0-py3-none-any.whl", {"entitled"}),
        ("-i https://dl.example/${KEY}/simple/", {"entitled"}),
        ("--extra-index-url=https://${USER}:${KEY}@dl.example/simple/", {"entitled"}),
        ("https://$KEY@dl.example/simple/", {"entitled"}),
        ("--index-url ${INDEX}", {"p4ss", "aB3xK9pQ7rT2mN5v"}),
        ("-f https://dl.example/aB3xK9pQ7rT2mN5v/links", {"aB3xK9pQ7rT2mN5v"}),
        # No secrets: hosts, short words, what stands in no URL, what is not given.
        ("-i https://${HOST}/${APP_ENV}/simple/", set()),
        ("flask==${FLASK_VERSION}", set()),
        ("-r ${KEY}.txt", set()),
        ("-i https://dl.example/${NOT_GIVEN}/simple/", set()),
        ("spacy-model @ https://h.example/model_sm-3.7.1-abc/model_sm-3.7.1-py3-none-any.whl", set()),
    ],
)  # fmt: skip
def test_secrets_by_variables(line: str, secret: set[str]) -> None:
    """Values in the URLs of the app's files are hidden; half of the log is not."""
    environ = {
        "KEY": "entitled",
        "USER": "ci",
        "INDEX": "https://ci:p4ss@dl.example/aB3xK9pQ7rT2mN5v/simple/",
        "HOST": "packages.example",
        "APP_ENV": "prod",
        "FLASK_VERSION": "3.0",
    }
    assert expanded_secrets([line], environ) == secret


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("-i https://u:p@h.example/aB3dE6gH9jK2mN5p/simple", "-i https://h.example/****/simple"),
        (f"-f https://h.example/{COMMIT}", "-f https://h.example/****deb87fab"),
        ("https://h.example/aB3dE6gH9jK2mN5p#egg=a", "https://h.example/****#egg=a"),
        ("a @ git+https://h.example/r@0123456789abcdef0123", "a @ git+https://h.example/r@0123456789abcdef0123"),
        ("https://h.example/a_package-1.0-py3-none-any.whl", "https://h.example/a_package-1.0-py3-none-any.whl"),
        ("a==1.0 ; python_version < '3'", "a==1.0 ; python_version < '3'"),
    ],
)  # fmt: skip
def test_stored_text(text: str, stored: str) -> None:
    """Tokens in paths go too; revisions and names of wheels stay."""
    assert without_secrets(text) == stored


def test_names_of_secrets() -> None:
    """Told by whole words: packages are called much like that."""
    secret = "GITHUB_TOKEN DEPLOY_TOKENS DB_PASSWORD API_KEY APIKEY GH_PAT INDEX_AUTH PIP_SECRET_2"
    assert [name for name in secret.split() if not names_a_secret(name)] == []
    plain = "AUTHLIB_VERSION TOKENIZERS_VERSION KEYRING_VERSION MONKEY PATH_TO_LIB APP_ENV COMPASS"
    assert [name for name in plain.split() if names_a_secret(name)] == []


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
    log.hide({"t0ken"})
    log.info("p@ss/word and t0ken")
    assert stream.getvalue().endswith("       **** and ****\n")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("piece", ["a", "?", "&", "://", "://a:b", "?token", "a@", "= ", "é", "/"])
def test_long_lines(piece: str) -> None:
    """A line of 200 kB takes a moment: its square would take hours."""
    line = piece * (200_000 // len(piece))
    assert redact(line)
    assert without_credentials(f"https://u:p@h/{line}").startswith("https://h/")
