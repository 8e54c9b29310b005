"""Secrets given to a build, in every place and with every manager, are in nothing that it leaves."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lifecycle.conftest import BUILDER
from tests.managers.conftest import Builder, write_files
from tests.managers.simple_index import SimpleIndex
from tests.security.apps import AUTHORS, SETTINGS, escaped, setuptools
from tests.security.places import (
    BUILDERS,
    MANAGERS,
    PLACES,
    ROUNDS,
    SECRETS,
    USER,
    Scene,
    Source,
    fill,
    password,
)
from tests.security.search import find, patterns

import local_platform
import package
from local_platform import APP_IMAGE, Workspace, create
from oci_layout import Image, read_image
from python_buildpack import managers

WANTED = patterns(SECRETS)
# Where the platform has the bindings.
ROOTS = ("platform directory", "SERVICE_BINDING_ROOT")
TABLE = [
    (builder, round, root)
    for builder in BUILDERS
    for round in ROUNDS
    for root in (ROOTS if round == "bindings" else ROOTS[:1])
]


def test_the_table_is_complete() -> None:
    """Every manager, at least 20 places, and for each pair a build or a reason."""
    assert set(MANAGERS) == {m.NAME for m in (*managers.MANAGERS, *managers.FALLBACKS)}
    assert set(AUTHORS) == set(BUILDERS) > set(MANAGERS)
    assert len(PLACES) >= 20
    assert len(set(SECRETS.values())) == len(PLACES)
    bound = {name.removeprefix("binding ") for name in PLACES if name.startswith("binding ")}
    assert bound == {
        "pip", "netrc", "uv", "poetry", "pypi-index", "ca-certificates", "dependency-mirror",
        "dependency-mapping",
    }  # fmt: skip
    for name, place in PLACES.items():
        assert place.round in ROUNDS
        for builder in BUILDERS:
            assert builder in place.only or place.why, (name, builder)


def test_the_search_finds() -> None:
    """In archives within archives, in names, in the headers of basic authentication."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        secret = next(iter(SECRETS.values()))
        inner = shutil.make_archive(
            str(root / "inner"), "zip", write_files(root / "a", {"f": secret})
        )
        (root / "b").mkdir()
        shutil.move(inner, root / "b")
        shutil.make_archive(str(root / "outer"), "gztar", root / "b")
        for folder in ("a", "b"):
            shutil.rmtree(root / folder)
        for user in ("a", "ab", "abc"):
            header = base64.b64encode(f"{user}:p/{secret}@x".encode()).decode()
            write_files(root, {user: f"Authorization: Basic {header}"})
        (root / f"x{secret}").write_text("")
        (root / "link").symlink_to(secret)
        found = find(root, WANTED, set())
        assert {one.partition("!")[0].split()[0] for one in found} == {
            "a", "ab", "abc", "outer.tar.gz", f"x{secret}", "link",
        }  # fmt: skip


@pytest.fixture(scope="module")
def platform_space(shelter: Path, buildpack: Path, binaries: Path) -> Iterator[Workspace]:
    """One platform for all builds: the runtime's layer is exported once."""
    with tempfile.TemporaryDirectory(prefix="l", dir=shelter) as name:
        Path(name).chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        yield local_platform.prepare(Path(name), buildpack, package.version(), binaries, user)


@pytest.fixture(scope="module")
def searched() -> set[tuple[int, int]]:
    """What was searched already."""
    return set()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for all places' servers with its key, and the private CA that signed it."""
    folder = tmp_path_factory.mktemp("tls")
    names = ",".join(f"IP:127.0.1.{number}" for number in range(1, len(PLACES) + 1))
    (folder / "names").write_text(f"subjectAltName={names}\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Private"
        " -addext keyUsage=critical,keyCertSign",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN=127.0.1.1",
        "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
        " -out one.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "one.pem").read_text() + (folder / "key.pem").read_text())
    return both, folder / "ca.pem"


@contextlib.contextmanager
def servers(certificate: Path) -> Iterator[dict[str, SimpleIndex]]:
    """One for each place, with its password, at an address of its own.

    Those that bindings open speak TLS.
    """
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(
                SimpleIndex(
                    user="" if place.in_path else USER,
                    password=password(name),
                    token=SECRETS[name] if place.in_path else "",
                    address=f"127.0.1.{number}",
                    certificate=certificate if place.round == "bindings" else None,
                )
            )
            for number, (name, place) in enumerate(PLACES.items(), start=1)
        }


@pytest.fixture(scope="module")
def offered(
    tmp_path_factory: pytest.TempPathFactory, authority: tuple[Path, Path]
) -> Iterator[tuple[dict[str, SimpleIndex], dict[str, Source]]]:
    """The servers, and what they offer."""
    folder = tmp_path_factory.mktemp("offered")
    with servers(authority[0]) as running:
        sources = {
            name: source
            for number, (name, server) in enumerate(running.items())
            if (source := fill(name, number, server, folder)) is not None
        }
        yield running, sources


@pytest.mark.parametrize(("builder", "round", "root"), TABLE)
def test_no_leak(
    platform_space: Workspace,
    offered: tuple[dict[str, SimpleIndex], dict[str, Source]],
    authority: tuple[Path, Path],
    searched: set[tuple[int, int]],
    buildpack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    builder: str,
    round: str,
    root: str,
) -> None:
    """All of the image, the layers' directory, the cache, temporary files and the debug log."""
    space, (running, offers) = platform_space, offered
    home, temporary = space.root, space.root / "tmp"
    (home / ".netrc").unlink(missing_ok=True)
    shutil.rmtree(home / ".config", ignore_errors=True)
    bindings = {"platform directory": home / "platform" / "bindings"}.get(root, home / "bound")
    for path in (temporary, home / "platform" / "bindings", home / "bound", home / "cache"):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    temporary.chmod(0o777)
    places = [n for n, place in PLACES.items() if place.round == round and builder in place.only]
    chosen = [offers[name] for name in places if name in offers]
    # The lifecycle sets HOME for the user that it runs as.
    environ = {"HOME": str(home), "TMPDIR": str(temporary), "BP_PYTHON_REFRESH": root}
    if round != "bindings":
        environ["BP_KEEP_DOWNLOADS"] = "true"
    if root == "SERVICE_BINDING_ROOT":
        environ[root] = str(bindings)
    with SimpleIndex() as public:
        public.add(setuptools(tmp_path / "setuptools"))
        for one in chosen:
            for file in one.server.files.get(one.name, {}).values():
                (tmp_path / file.name).write_bytes(file.data)
                public.add(tmp_path / file.name)
        for name in places:
            server = running[name]
            server.requests.clear()
            PLACES[name].plant(
                Scene(
                    home=home,
                    bindings=bindings,
                    server=server,
                    ca=authority[1].read_text(),
                    environ=environ,
                )
            )
        if "OWN_PASSWORD" in environ:
            environ["OWN_PASSWORD"] = escaped(builder, environ["OWN_PASSWORD"])
        if "BP_PYTHON_RELEASES" in environ:
            write_files(tmp_path / "lists", {"releases.json": own_release(buildpack)})
            running["BP_PYTHON_RELEASES"].folders["lists"] = tmp_path / "lists"
        app = write_files(
            tmp_path / "app", AUTHORS[builder](chosen, public, buildpack / "uv" / "uv")
        )
        if builder == "setup.py":
            environ["UV_EXTRA_INDEX_URL"] = f"{environ.get('UV_EXTRA_INDEX_URL', '')} {public.url}"
        monkeypatch.setenv("no_proxy", "127.0.0.0/8")
        monkeypatch.setenv("CNB_LOG_LEVEL", "debug")
        settings = {"BP_LOG_LEVEL": "debug", **SETTINGS.get(builder, {}), **environ}
        done = create(space, app, settings)
    assert done.code == 0, done.log
    # The secrets were of use: each opened what it guards.
    for one in chosen:
        assert [line for line in one.server.requests if line.startswith("200 ")], one.place
    shown = set(re.findall(r"\bfrom[-_]\d+\b", (space.buildpack_layers / "venv.toml").read_text()))
    assert {name.replace("_", "-") for name in shown} >= {one.name for one in chosen}
    assert not re.findall(WANTED, done.log.encode()), done.log
    image = read_image(space.layout, APP_IMAGE)
    drop_other_images(image)
    assert find(space.layers, WANTED, searched) == []
    assert find(temporary, WANTED, searched) == []
    assert find(space.root / "cache", WANTED, searched) == []
    own = {f"workspace/{path.name}" for path in app.iterdir()}
    leaked = [name for name in find(image.path, WANTED, searched) if not name.endswith(tuple(own))]
    assert leaked == []


def drop_other_images(image: Image) -> None:
    """Remove the blobs that earlier images had."""
    (entry,) = json.loads((image.path / "index.json").read_bytes())["manifests"]
    manifest = json.loads(image.blob(entry["digest"]).read_bytes())
    kept = {entry["digest"], manifest["config"]["digest"], *image.layers}
    for path in (image.path / "blobs" / "sha256").iterdir():
        if f"sha256:{path.name}" not in kept:
            path.unlink()


def own_release(buildpack: Path) -> str:
    """A release list with the package's own runtime."""
    release = json.loads((buildpack / "runtime" / "release.json").read_text())
    return json.dumps({"format": 1, "releases": [release]})


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("kind", ["dependency-mapping", "dependency-mirror"])
def test_runtime_from_a_binding(
    build: Builder, app: Path, workplace: Path, authority: tuple[Path, Path], kind: str, root: str
) -> None:
    """The runtime comes from a server with TLS and basic authentication; its checksum still holds."""
    name = "cpython-3.13.7+20250101-x86_64-unknown-linux-gnu-install_only.tar.gz"
    digest = hashlib.sha256(b"no archive").hexdigest()
    place = f"binding {kind}"
    release = {
        "version": "3.13.7",
        "arch": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "flavour": "install_only",
        "build": "20250101",
        "sha256": digest,
        "url": f"https://nowhere.invalid/files/{name}?jwt={password(place)}",
        "glibc": "2.17",
        "free_threaded": False,
    }
    write_files(
        workplace,
        {
            "list.json": json.dumps({"format": 1, "releases": [release]}),
            f"r/files/{name}": "no archive",
        },
    )
    number = list(PLACES).index(place) + 1
    bindings = workplace / ("bound" if root == "SERVICE_BINDING_ROOT" else "platform/bindings")
    variables = {"SERVICE_BINDING_ROOT": str(bindings)} if root == "SERVICE_BINDING_ROOT" else {}
    with SimpleIndex(
        user=USER,
        password=password(place),
        address=f"127.0.1.{number}",
        certificate=authority[0],
        folders={"files": workplace / "r" / "files", "mirror": workplace / "r"},
    ) as server:
        base = server.url_with_credentials.removesuffix("simple/")
        entry = (
            {digest: f"{base}files/{name}"}
            if kind == "dependency-mapping"
            else {"nowhere.invalid": f"{base}mirror"}
        )
        write_files(bindings / "runtimes", {"type": kind, **entry})
        write_files(
            bindings / "ca", {"type": "ca-certificates", "ca.pem": authority[1].read_text()}
        )
        built = build(
            write_files(app, {"requirements.txt": ""}),
            BP_PYTHON_RELEASES=str(workplace / "list.json"),
            BP_LOG_LEVEL="debug",
            no_proxy="127.0.0.0/8",
            **variables,
        )
    # It was fetched, and its checksum held: what is wrong is that it is no archive.
    built.failed("archive-broken", name)
    assert not WANTED.search(built.log.encode())
