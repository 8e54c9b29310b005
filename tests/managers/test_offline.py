"""Wheels at hand and no network: the build passes, or it names the first package that is missing."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.managers.conftest import Builder, distributions, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.test_indexes import APPS, App
from tests.managers.wheel_factory import Distribution, source_files, write_sdist, write_wheel
from tests.security.apps import setuptools

from python_buildpack import managers

TOP = Distribution(name="top", requires=["base"])
BASE = Distribution(name="base")


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of an index that refuses connections: its port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/simple/"


WHO = pytest.mark.parametrize("who", ["auto", "pip"])


@WHO
def test_vendor(build: Builder, app: Path, refusing: str, who: str) -> None:
    """Wheels in vendor/ are all that is needed; the index is not even asked."""
    write_wheel(TOP, app / "vendor")
    write_wheel(BASE, app / "vendor")
    write_files(app, {"requirements.txt": "top\n"})
    built = build(app, PIP_INDEX_URL=refusing, BP_PIP_INSTALLER=who).passed()
    assert distributions(built.venv) == {"top-1.0", "base-1.0"}
    assert "refused" not in built.log


@WHO
def test_vendor_lacks_one(build: Builder, app: Path, refusing: str, who: str) -> None:
    """Without a network the error names what vendor/ lacks."""
    write_wheel(TOP, app / "vendor")
    write_files(app, {"requirements.txt": "top\n"})
    built = build(app, PIP_INDEX_URL=refusing, BP_PIP_INSTALLER=who, PIP_RETRIES="0")
    built.failed("install-wheels-missing", "vendor/ lacks base", "base is not among the wheels")


def test_vendor_and_an_index(build: Builder, app: Path, index: SimpleIndex) -> None:
    """With a network the index serves what vendor/ lacks."""
    write_wheel(TOP, app / "vendor")
    index.add(write_wheel(BASE, app.parent / "wheels"))
    write_files(app, {"requirements.txt": "top\n"})
    built = build(app, PIP_INDEX_URL=index.url).passed()
    assert distributions(built.venv) == {"top-1.0", "base-1.0"}
    assert index.downloads() == ["base-1.0-py3-none-any.whl"]
    assert "vendor/ lacks base: the index is asked for the rest" in built.log


def test_other_things_in_vendor(build: Builder, app: Path, index: SimpleIndex) -> None:
    """A vendor/ of sources is the app's own affair."""
    write_files(app, {"vendor/base/__init__.py": "", "requirements.txt": "base\n"})
    index.add(write_wheel(BASE, app.parent / "wheels"))
    assert distributions(build(app, PIP_INDEX_URL=index.url).passed().venv) == {"base-1.0"}


@WHO
def test_find_links(build: Builder, app: Path, refusing: str, who: str) -> None:
    """BP_PIP_FIND_LINKS is asked beside the index, and alone where that cannot be reached."""
    write_wheel(TOP, app / "wheels")
    write_sdist(BASE, app / "wheels")
    write_files(app, {"requirements.txt": "top\n"})
    settings = {"BP_PIP_FIND_LINKS": "wheels", "BP_PIP_INSTALLER": who, "PIP_RETRIES": "0"}
    built = build(app, PIP_INDEX_URL=refusing, **settings).passed()
    assert distributions(built.venv) == {"top-1.0", "base-1.0"}


@WHO
def test_find_links_lacks_one(build: Builder, app: Path, refusing: str, who: str) -> None:
    """The error names the first missing distribution."""
    write_wheel(TOP, app / "wheels")
    write_files(app, {"requirements.txt": "top\n"})
    settings = {"BP_PIP_FIND_LINKS": "wheels", "BP_PIP_INSTALLER": who, "PIP_RETRIES": "0"}
    build(app, PIP_INDEX_URL=refusing, **settings).failed(
        "install-wheels-missing", "base is not among the wheels at hand"
    )


@WHO
def test_no_index(build: Builder, app: Path, index: SimpleIndex, who: str) -> None:
    """PIP_NO_INDEX asks no index at all, for uv and for pip."""
    index.add(write_wheel(BASE, app.parent / "wheels"))
    write_wheel(TOP, app / "wheels")
    write_files(app, {"requirements.txt": "top\n"})
    settings = {"PIP_NO_INDEX": "true", "PIP_FIND_LINKS": "wheels", "BP_PIP_INSTALLER": who}
    build(app, PIP_INDEX_URL=index.url, **settings).failed("install-wheels-missing", "base")
    write_wheel(BASE, app / "wheels")
    built = build(app, PIP_INDEX_URL=index.url, **settings).passed()
    assert distributions(built.venv) == {"top-1.0", "base-1.0"}
    assert index.requests == []


@WHO
def test_nothing_at_hand(build: Builder, app: Path, refusing: str, who: str) -> None:
    """No network and no wheels: the error says so, and which package was asked for."""
    write_files(app, {"requirements.txt": "top\n"})
    settings = {"PIP_INDEX_URL": refusing, "PIP_RETRIES": "0", "BP_PIP_INSTALLER": who}
    build(app, **settings).failed("install-index-unreachable", "first package asked for: top")


def test_changed_wheel_reinstalls(build: Builder, app: Path, refusing: str) -> None:
    """Another wheel of the same name in vendor/ is a reason; the same one is none."""
    write_wheel(BASE, app / "vendor")
    write_files(app, {"requirements.txt": "base\n"})
    build(app, PIP_INDEX_URL=refusing).passed()
    again = build(app, keep=True, PIP_INDEX_URL=refusing).passed()
    assert "Reusing packages" in again.log
    write_wheel(Distribution(name="base", files={"base.py": "changed = 1\n"}), app / "vendor")
    changed = build(app, keep=True, PIP_INDEX_URL=refusing).passed()
    assert "Installing packages: vendor/ changed" in changed.log


def test_links_that_do_not_exist(build: Builder, app: Path) -> None:
    """A mistyped path is an error before anything is installed."""
    write_files(app, {"requirements.txt": ""})
    build(app, BP_PIP_FIND_LINKS="wheeels").failed("find-links-missing", "wheeels")


def _setup_py(index: SimpleIndex) -> tuple[Mapping[str, str], Mapping[str, str]]:
    own = source_files(Distribution(name="own", requires=["secret"]))
    return {"PKG-INFO": own["PKG-INFO"], "setup.py": "from setuptools import setup\nsetup()\n"}, {}


OFFLINE: Mapping[str, App] = {**APPS, "setup.py": _setup_py}
# How the wheels are given: the directory in the app, and the settings.
WAYS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "vendor": ("vendor", {}),
    "BP_PIP_FIND_LINKS": ("wheels", {"BP_PIP_FIND_LINKS": "wheels"}),
    "PIP_NO_INDEX": ("wheels", {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels"}),
}


@pytest.fixture
def gone(workplace: Path) -> Iterator[SimpleIndex]:
    """An index that locks were made with, and that refuses connections since."""
    with SimpleIndex() as index:
        index.add(write_wheel(Distribution(name="secret"), workplace / "made"))
        index.hang_up()
        yield index


def test_every_manager_is_tried_offline() -> None:
    """A new manager needs its row."""
    assert set(OFFLINE) >= {m.NAME for m in (*managers.MANAGERS, *managers.FALLBACKS)}


@pytest.mark.parametrize("name", OFFLINE)
def test_no_network(build: Builder, app: Path, gone: SimpleIndex, name: str) -> None:
    """Each way to give the wheels suffices; without them the error names what is missing."""
    files, settings = OFFLINE[name](gone)
    write_files(app, files)
    # A configured index is as gone as the one that a lock names.
    settings = {**settings, "PIP_INDEX_URL": gone.url, "PIP_RETRIES": "0"}
    if name in ("uv", "pylock"):
        del settings["PIP_INDEX_URL"]
    built = build(app, **settings)
    wanted = "setuptools" if name == "setup.py" else "secret"
    built.failed("install-index-unreachable", f"first package asked for: {wanted}")
    for folder, variables in WAYS.values():
        (made,) = gone.files["secret"].values()
        (app / folder).mkdir()
        (app / folder / made.name).write_bytes(made.data)
        if name == "setup.py":
            setuptools(app / folder)
        built = build(app, **settings, **variables).passed()
        assert "secret-1.0" in distributions(built.venv)
        shutil.rmtree(app / folder)
    (app / "wheels").mkdir()
    built = build(app, **settings, PIP_NO_INDEX="1", PIP_FIND_LINKS="wheels")
    built.failed("install-wheels-missing", f"{wanted} is not among the wheels at hand")
