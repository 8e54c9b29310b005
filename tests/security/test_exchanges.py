"""Each exchange with an index, or with the runtimes' host, fails in turn; the next build mends it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.lifecycle.conftest import BUILDER
from tests.managers.conftest import write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_sdist, write_wheel
from tests.security.apps import AUTHORS, SETTINGS
from tests.security.places import Source
from tests.security.stand import Stand, build_image, tree_digest

import local_platform
import package
from local_platform import Workspace, create

FAULTS = ("refused", "reset half-way", "slow", "404", "429", "500", "wrong bytes")
PAGE, METADATA = "/simple/tiny/", "/files/tiny/tiny-1.0-py3-none-any.whl.metadata"
WHEEL = "/files/tiny/tiny-1.0-py3-none-any.whl"
SDIST_PAGE, SDIST = "/simple/made/", "/files/made/made-1.0.tar.gz"
LIST, ARCHIVE = "/runtimes/releases.json", "/runtimes/python.tar.gz"
# What the build of each kind of app asks for; a test holds it to what is really asked.
EXCHANGES: Mapping[str, tuple[str, ...]] = {
    "pip": (PAGE, METADATA, WHEEL, SDIST_PAGE, SDIST),
    "pip by pip": (PAGE, METADATA, WHEEL),
    "pylock": (WHEEL,),
    "pipenv": (PAGE, WHEEL),
    "runtime": (LIST, ARCHIVE),
}
TABLE = [
    (kind, path, fault) for kind, paths in EXCHANGES.items() for path in paths for fault in FAULTS
]


class Fault:
    """Answers the first request for `path` in its own way; "refused": and no other one either."""

    def __init__(self, index: SimpleIndex, path: str, kind: str) -> None:
        self.index, self.path, self.kind, self.met = index, path, kind, False

    def __call__(self, handler: BaseHTTPRequestHandler, content: str, body: bytes) -> bool:
        if self.met or handler.path != self.path:
            return False
        self.met = True
        if self.kind == "slow":
            time.sleep(1)
            return False
        if self.kind == "refused":
            self.index.hang_up()
            _reset(handler)
        elif self.kind.isdecimal():
            handler.send_response(int(self.kind))
            handler.send_header("Content-Length", "0")
            if self.kind == "429":
                handler.send_header("Retry-After", "1")
            handler.end_headers()
        else:
            handler.send_response(200)
            handler.send_header("Content-Type", content)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            if self.kind == "wrong bytes":
                handler.wfile.write(b"\0" * len(body))
            else:
                handler.wfile.write(body[: len(body) // 2])
                _reset(handler)
        return True


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.rfile.close()  # else its next request would be read


def offered(index: SimpleIndex, kind: str, folder: Path) -> list[Source]:
    """A wheel, and for pip an sdist too."""
    paths = [write_wheel(Distribution(name="tiny"), folder)]
    if kind == "pip":
        paths.append(write_sdist(Distribution(name="made"), folder))
    index.add(*paths)
    return [
        Source(
            place="",
            kind="wheel" if path.suffix == ".whl" else "sdist",
            name=path.name.partition("-")[0],
            server=index,
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in paths
    ]


def write_runtime(buildpack: Path, url: str, folder: Path) -> None:
    """The package's own interpreter with the few modules that this build needs, and its list."""
    root = buildpack / "runtime" / "cpython"
    python = next((root / "bin").glob("python3.*[0-9]"))
    code = (
        "import __future__, ast, gc, importlib.util, marshal, struct, types, warnings, encodings.ascii, sys\n"
        "print(*{m.__file__ for m in sys.modules.values() if getattr(m, '__file__', 0)}, sep='\\n')"
    )
    shown = subprocess.check_output([python, "-I", "-S", "-c", code], text=True).split()
    needed = {Path(name) for name in shown if name.startswith(str(root))}
    needed |= {path for path in root.rglob("*") if path.parent.name in ("bin", "lib")}
    folder.mkdir()
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        for path in sorted(needed):
            if not path.is_dir():
                tar.add(path, f"python/{path.relative_to(root)}")
    (folder / "python.tar.gz").write_bytes(packed.getvalue())
    release = json.loads((buildpack / "runtime" / "release.json").read_text())
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    release |= {"sha256": digest, "url": f"{url}python.tar.gz"}
    lists = json.dumps({"format": 1, "releases": [release]})
    (folder / "releases.json").write_text(lists)


@pytest.fixture(scope="module")
def space(shelter: Path, buildpack: Path, binaries: Path) -> Iterator[Workspace]:
    """A platform with the image of an app without packages, kept in `previous`."""
    with tempfile.TemporaryDirectory(prefix="x", dir=shelter) as name:
        root = Path(name)
        root.chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        space = local_platform.prepare(root, buildpack, package.version(), binaries, user)
        (root / "plan.toml").write_text("")
        app = write_files(root / "sources" / "plain", {"app.py": ""})
        done = create(space, app)
        assert done.code == 0, done.log
        shutil.copytree(space.layout, root / "previous")
        yield space


def prepared(kind: str, space: Workspace, index: SimpleIndex) -> Stand:
    """An app of this kind, and what undisturbed builds make of it."""
    root = space.root
    settings = {"BP_LOG_LEVEL": "debug", "BP_KEEP_DOWNLOADS": "true", **SETTINGS.get(kind, {})}
    stand = Stand(
        space=space,
        buildpack=next((root / "buildpacks" / "pycnb_python").iterdir()),
        index=index,
        app=write_files(root / "sources" / kind, {"app.py": ""}),
        previous=root / "previous",
        settings=settings,
    )
    if kind == "runtime":
        url = index.url.replace("/simple/", "/runtimes/")
        write_runtime(stand.buildpack, url, root / "runtimes")
        index.folders["runtimes"] = root / "runtimes"
        settings["BP_PYTHON_RELEASES"] = f"{url}releases.json"
    else:
        sources = offered(index, kind, root / "wheels" / kind)
        write_files(stand.app, AUTHORS[kind](sources, index, Path()))
        if kind.split()[0] == "pip":
            settings["PIP_INDEX_URL"] = index.url
    stand.image = build_image(stand)
    stand.restored = (space.buildpack_layers / "python.toml").read_bytes()
    start(stand)
    built = stand.build()
    assert built.returncode == 0, built.stdout
    stand.tree = tree_digest(space.buildpack_layers)
    stand.steps = [line.split()[1] for line in index.requests]
    return stand


def start(stand: Stand) -> None:
    """The directories as a platform gives them to a build: the runtime's layer is reused."""
    stand.start_afresh()
    shutil.rmtree(stand.space.app)
    shutil.copytree(stand.app, stand.space.app)
    if "BP_PYTHON_RELEASES" not in stand.settings:
        (stand.space.buildpack_layers / "python.toml").write_bytes(stand.restored)


@pytest.fixture(scope="module")
def stands(space: Workspace) -> Iterator[Callable[[str], Stand]]:
    """One for each kind of app, made when it is first asked for."""
    made: dict[str, Stand] = {}
    with contextlib.ExitStack() as stack:

        def get(kind: str) -> Stand:
            if kind not in made:
                made[kind] = prepared(kind, space, stack.enter_context(SimpleIndex()))
            return made[kind]

        yield get


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """How disturbed builds ended, and what they left."""
    return set()


@pytest.mark.parametrize("kind", EXCHANGES)
def test_the_table_is_complete(stands: Callable[[str], Stand], kind: str) -> None:
    """Every exchange of an undisturbed build has its rows."""
    assert set(stands(kind).steps) == set(EXCHANGES[kind])


@pytest.mark.parametrize(("kind", "path", "fault"), TABLE)
def test_exchange_fails(
    stands: Callable[[str], Stand], seen: set[str], kind: str, path: str, fault: str
) -> None:
    """The build passes all the same, or ends with an error; the next one is as if nothing was."""
    stand = stands(kind)
    layers = stand.space.buildpack_layers
    start(stand)
    stand.index.interfere = disturbing = Fault(stand.index, path, fault)
    try:
        # Whoever is refused need not wait.
        done = stand.build(None, **({"PIP_RETRIES": "1"} if fault == "refused" else {}))
    finally:
        stand.index.interfere = None
        if fault == "refused":
            stand.index.listen()
    assert disturbing.met
    # pip itself may show one.
    assert "src/python_buildpack" not in done.stdout, done.stdout
    assert list(stand.temporary.iterdir()) == []
    seen.add(f"{kind} {'failed' if done.returncode else 'passed'}")
    if done.returncode:
        assert done.returncode == 1
        assert not (layers / "launch.toml").exists()
        assert not (layers / "venv.toml").exists()
        if (layers / "venv").exists():
            seen.add(f"{kind} left half a layer")
    stand.assert_mended()
    if path == EXCHANGES[kind][-1]:
        assert build_image(stand) == stand.image


def test_half_done_work_was_there(seen: set[str]) -> None:
    """What was mended above was broken indeed; and some faults a build overcomes by itself."""
    assert {kind for kind in EXCHANGES if f"{kind} failed" in seen} == set(EXCHANGES)
    assert {kind for kind in EXCHANGES if f"{kind} passed" in seen} == set(EXCHANGES)
    # A runtime is there whole, or nothing of it is.
    halves = {kind for kind in EXCHANGES if f"{kind} left half a layer" in seen}
    assert halves == set(EXCHANGES) - {"runtime"}
