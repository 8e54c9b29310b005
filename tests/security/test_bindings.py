"""An index that the app itself names, behind TLS and basic authentication, opened by bindings alone.

The indexes of the build's own configuration, with every type of binding, are in test_leaks.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.managers.conftest import Builder, distributions, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_wheel
from tests.security.apps import AUTHORS, NAMED, SETTINGS
from tests.security.places import BUILDERS, USER, Source, password
from tests.security.test_leaks import ROOTS, authority

from python_buildpack import managers

__all__ = ["authority"]

PASSWORD = password("an index that the app names")
ADDRESS = "127.0.1.1"
NETRC = f"machine {ADDRESS} login {USER} password {PASSWORD}\n"
AUTH_TOML = f'[http-basic.own-named]\nusername = "{USER}"\npassword = "{PASSWORD}"\n'
# Binding -> its file and the text.
GIVEN: Mapping[str, tuple[str, str]] = {
    "netrc": (".netrc", NETRC),
    "poetry": ("auth.toml", AUTH_TOML),
}
# What there is no row for, and why.
WITHOUT: Mapping[tuple[str, str], str] = {
    ("pip", "poetry"): "requirements.txt gives an index no name",
    ("pip by pip", "poetry"): "requirements.txt gives an index no name",
    ("pylock", "poetry"): "the lock holds the files' URLs, and names no index",
    **{
        (builder, kind): "its files name no index: see test_leaks.py for the configured one"
        for builder in ("pyproject", "setup.py")
        for kind in GIVEN
    },
}
ROWS = [(one, kind) for one in BUILDERS for kind in GIVEN if (one, kind) not in WITHOUT]
# Each manager by one root and by the other.
TABLE = [(*row, ROOTS[number % 2]) for number, row in enumerate(ROWS)]


def test_the_table_is_complete() -> None:
    """Every manager; the lock managers by every binding, or there is a reason."""
    assert set(BUILDERS) >= {m.NAME for m in (*managers.MANAGERS, *managers.FALLBACKS)}
    assert set(WITHOUT) | set(ROWS) == {(one, kind) for one in BUILDERS for kind in GIVEN}
    assert {root for _, _, root in TABLE} == set(ROOTS)


@pytest.mark.parametrize(("builder", "kind", "root"), TABLE)
def test_index_of_the_app(
    build: Builder,
    app: Path,
    workplace: Path,
    buildpack: Path,
    authority: tuple[Path, Path],
    builder: str,
    kind: str,
    root: str,
) -> None:
    """Without the authority's certificate the index is not trusted; with the bindings it serves."""
    certificate, ca = authority
    bindings = workplace / {"platform directory": "platform/bindings"}.get(root, "bound")
    variables = {"SERVICE_BINDING_ROOT": str(bindings)} if root == "SERVICE_BINDING_ROOT" else {}
    name, text = GIVEN[kind]
    write_files(bindings / "credentials", {"type": kind, name: text})
    wheel = write_wheel(Distribution(name="secret"), workplace / "wheels")
    with (
        SimpleIndex(user=USER, password=PASSWORD, address=ADDRESS, certificate=certificate) as own,
        SimpleIndex() as public,
    ):
        own.add(wheel)
        source = Source(
            place=NAMED,
            kind="wheel",
            name="secret",
            server=own,
            file=wheel.name,
            sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        )
        write_files(app, AUTHORS[builder]([source], public, buildpack / "uv" / "uv"))
        own.requests.clear()
        settings = {
            **SETTINGS.get(builder, {}),
            **variables,
            "BP_LOG_LEVEL": "debug",
            "PIP_RETRIES": "0",
            "no_proxy": "127.0.0.0/8",
        }
        build(app, **settings).failed("install-index-certificate", "ca-certificates")
        assert own.requests == []
        write_files(bindings / "ca", {"type": "ca-certificates", "ca.pem": ca.read_text()})
        built = build(app, **settings).passed()
        assert own.downloads() == [wheel.name]
    assert distributions(built.venv) == {"secret-1.0"}
    assert PASSWORD.split("/")[1].split("@")[0] not in built.log
