"""Each network exchange of a build fails in turn; the next build mends it."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.lifecycle.conftest import BUILDER
from tests.managers.conftest import ROOT, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_git, write_sdist, write_wheel
from tests.security.apps import AUTHORS, SETTINGS, setuptools
from tests.security.places import Source
from tests.security.stand import Stand, build_image, keep_previous, tree_digest

import local_platform
import package
from local_platform import APP_IMAGE, Workspace, create
from oci_layout import read_image
from python_buildpack import managers

FAULTS = ("refused", "reset half-way", "slow", "404", "429", "500", "wrong bytes")
PAGE, METADATA = "/simple/tiny/", "/files/tiny/tiny-1.0-py3-none-any.whl.metadata"
WHEEL, SDIST = "/files/tiny/tiny-1.0-py3-none-any.whl", "/files/made/made-1.0.tar.gz"
LIST, ARCHIVE = "/runtimes/releases.json", "/runtimes/python.tar.gz"
NLTK_INDEX, NLTK_DATA = "/nltk/index.xml", "/nltk/corpora/tiny.zip"
REFS = "/git/kept.git/info/refs?service=git-upload-pack"
LISTED, PACK = "/git/kept.git/git-upload-pack ls-refs", "/git/kept.git/git-upload-pack fetch"
OWN = "pycnb-python-buildpack"
# Each exchange by who asks and what for, in the kind of app that has it.
EXCHANGES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "pip": (("uv", PAGE), ("uv", METADATA), ("uv", WHEEL), ("uv", SDIST)),
    "pip by pip": (("pip", PAGE), ("pip", METADATA), ("pip", WHEEL), ("pip", SDIST)),
    "pylock": (("uv", WHEEL),),
    # Of an sdist at a URL the lock has no metadata: `uv export` fetches it.
    "uv": (("uv", SDIST),),
    "vcs": (("git", REFS), ("git", LISTED), ("git", PACK)),
    # Why it cannot be installed, the index is asked by the buildpack itself.
    "missing": ((OWN, PAGE),),
    "runtime": ((OWN, LIST), (OWN, ARCHIVE)),
    "nltk": ((OWN, NLTK_INDEX), (OWN, NLTK_DATA)),
}
OFFERED = {
    "pip": ("wheel", "sdist"),
    "pip by pip": ("wheel", "sdist"),
    "uv": ("url",),
    "vcs": ("vcs",),
}
# Which fault a kind's build by the platform meets: each at least once.
BY_PLATFORM = dict(zip(EXCHANGES, itertools.cycle(FAULTS), strict=False))
# Whatever in src/ starts a process or asks a server: who then asks the network.
CALLS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("app_steps/collectstatic.py", "run"): (),  # the app's own code
    ("app_steps/hooks.py", "run"): (),
    ("app_steps/nltk_data.py", "download"): (OWN,),
    ("app_steps/nltk_data.py", "fetch_bytes"): (OWN,),
    ("byte_code.py", "capture"): (),
    ("make_python.py", "download"): (OWN,),
    ("packages/installer.py", "answer_status"): (OWN,),
    ("packages/installer.py", "run"): (),  # looks at what is there
    ("packages/pip_installer.py", "run"): ("pip", "git"),
    ("packages/tools.py", "capture"): (),
    ("packages/uv_installer.py", "run"): ("uv", "git"),
    ("packages/uv_lock.py", "run"): ("uv",),
    ("runtime/releases.py", "fetch_bytes"): (OWN,),
}
WHATS: Mapping[str, str] = {
    r"/simple/[^/]+/": "index page",
    r"/files/.*\.metadata": "metadata",
    r"/files/.*": "file",
    r"/runtimes/.*\.json": "list of runtimes",
    r"/runtimes/.*": "runtime",
    r"/nltk/.*\.xml": "NLTK index",
    r"/nltk/.*": "NLTK data",
    r"/git/.*/info/refs.*": "git's refs",
    r"/git/.* ls-refs": "git's list of refs",
    r"/git/.* fetch": "git's objects",
}
# In the buildpack's own process, whoever waits for another attempt need not wait.
HURRIED = """
import runpy, sys, time
wait, sys.argv = time.sleep, sys.argv[1:]
time.sleep = lambda seconds: wait(min(seconds, 0.01))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def what(asker: str, path: str) -> tuple[str, str]:
    """An exchange, whatever the app's packages are called."""
    kind = next(kind for pattern, kind in WHATS.items() if re.fullmatch(pattern, path))
    return asker, kind


COVERED = {what(*exchange) for row in EXCHANGES.values() for exchange in row}


class Watch:
    """Notes every exchange."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str]] = set()

    def __call__(self, handler: BaseHTTPRequestHandler, content: str, body: bytes) -> bool:
        asker = handler.headers.get("User-Agent", "").partition("/")[0]
        command = re.search(rb"command=(ls-refs|fetch)", getattr(handler, "asked", b""))
        path = f"{handler.path} {command[1].decode()}" if command else handler.path
        self.asked.add((asker, path))
        return self.disturb(handler, (asker, path), content, body)

    def disturb(
        self,
        handler: BaseHTTPRequestHandler,
        exchange: tuple[str, str],
        content: str,
        body: bytes,
    ) -> bool:
        """Whether it answered."""
        return False


class Fault(Watch):
    """Answers the first request of `exchange` in its own way; "refused": and no other one either."""

    def __init__(self, index: SimpleIndex, exchange: tuple[str, str], kind: str) -> None:
        super().__init__()
        self.index, self.exchange, self.kind, self.met = index, exchange, kind, False

    def disturb(
        self,
        handler: BaseHTTPRequestHandler,
        exchange: tuple[str, str],
        content: str,
        body: bytes,
    ) -> bool:
        if self.met and self.kind == "refused":
            _reset(handler)  # on a connection that was there before
            return True
        if self.exchange == (OWN, PAGE) and exchange == ("uv", PAGE):  # it is missing
            _answer(handler, "404")
            return True
        if self.met or exchange != self.exchange:
            return False
        self.met = True
        if self.kind == "refused":
            self.index.hang_up()
            _reset(handler)
        elif self.kind.isdecimal():
            _answer(handler, self.kind)
        else:
            handler.send_response(200)
            handler.send_header("Content-Type", content)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            if self.kind == "wrong bytes":
                handler.wfile.write(b"\0" * len(body))
                return True
            handler.wfile.write(body[: len(body) // 2])
            if self.kind == "slow":
                time.sleep(1)
                handler.wfile.write(body[len(body) // 2 :])
            else:
                _reset(handler)
        return True


def _answer(handler: BaseHTTPRequestHandler, status: str) -> None:
    handler.send_response(int(status))
    handler.send_header("Content-Length", "0")
    if status == "429":
        handler.send_header("Retry-After", "1")
    handler.end_headers()


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.rfile.close()  # else its next request would be read


def offered(index: SimpleIndex, kinds: tuple[str, ...], folder: Path) -> list[Source]:
    """A distribution of each of these kinds."""
    found = []
    for kind in kinds:
        if kind == "vcs":
            _, commit = write_git(Distribution(name="kept"), folder)
            index.repositories = folder
            found.append(Source(place="", kind=kind, name="kept", server=index, commit=commit))
            continue
        name, make = ("tiny", write_wheel) if kind == "wheel" else ("made", write_sdist)
        path = make(Distribution(name=name), folder)
        index.add(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(
            Source(place="", kind=kind, name=name, server=index, file=path.name, sha256=digest)
        )
    return found


def write_nltk(index: SimpleIndex, folder: Path) -> None:
    """NLTK itself, and a package of its data with its index."""
    index.add(write_wheel(Distribution(name="nltk"), folder / "wheels"))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(zipfile.ZipInfo("tiny/words.txt", (2020, 2, 2, 0, 0, 0)), "one two\n")
    digest = hashlib.sha256(data.getvalue()).hexdigest()
    listed = f'<package id="tiny" subdir="corpora" url="corpora/tiny.zip" unzip="1" sha256_checksum="{digest}"/>'
    write_files(folder, {"index.xml": f"<nltk_data><packages>{listed}</packages></nltk_data>"})
    (folder / "corpora").mkdir()
    (folder / "corpora" / "tiny.zip").write_bytes(data.getvalue())
    index.folders["nltk"] = folder


def write_runtime(buildpack: Path, url: str, folder: Path) -> None:
    """The package's own interpreter with the few modules that this build needs, and its list."""
    root = buildpack / "runtime" / "cpython"
    python = next((root / "bin").glob("python3.*[0-9]"))
    code = (
        "import __future__, ast, fcntl, gc, importlib.util, marshal, struct, types, warnings, encodings.ascii, sys\n"
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
        keep_previous(space.layout, root / "previous")
        shutil.copy(space.buildpack_layers / "python.toml", root)
        yield space


def stand_for(kind: str, space: Workspace, index: SimpleIndex, kinds: tuple[str, ...]) -> Stand:
    """An app of this kind, with a distribution of each of `kinds`."""
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
    base = index.url.removesuffix("simple/")
    settings["PIP_INDEX_URL"] = index.url
    if kind == "missing":
        settings["BP_PIP_INSTALLER"] = "uv"
    if kind == "runtime":
        write_runtime(stand.buildpack, f"{base}runtimes/", root / "runtimes")
        index.folders["runtimes"] = root / "runtimes"
        settings["BP_PYTHON_RELEASES"] = f"{base}runtimes/releases.json"
        return stand
    if kind == "nltk":
        write_nltk(index, root / "nltk")
        settings["BP_NLTK_INDEX"] = f"{base}nltk/index.xml"
        write_files(stand.app, {"requirements.txt": "nltk\n", "nltk.txt": "tiny\n"})
        return stand
    if kind == "setup.py":
        index.add(setuptools(root / "setuptools"))
    sources = offered(index, kinds, root / "wheels" / kind)
    author = AUTHORS.get(kind, AUTHORS["pip"])
    write_files(stand.app, author(sources, index, stand.buildpack / "uv" / "uv"))
    return stand


def start(stand: Stand) -> None:
    """The directories as a platform gives them to a build: the runtime's layer is reused."""
    stand.start_afresh()
    for folder in (stand.space.app, stand.space.root / "cache"):
        shutil.rmtree(folder)
    shutil.copytree(stand.app, stand.space.app)
    (stand.space.root / "cache").mkdir()
    if "BP_PYTHON_RELEASES" not in stand.settings:
        shutil.copy(stand.space.root / "python.toml", stand.space.buildpack_layers)


def undisturbed(stand: Stand) -> set[tuple[str, str]]:
    """Build, and note what comes of it; the exchanges that it took."""
    start(stand)
    stand.index.interfere = watch = Watch()
    built = stand.build()
    stand.index.interfere = None
    assert built.returncode == 0, built.stdout
    stand.tree = tree_digest(stand.space.buildpack_layers)
    return watch.asked


def hurried(stand: Stand) -> list[str]:
    """What bin/build starts."""
    python = next((stand.buildpack / "runtime" / "cpython" / "bin").glob("python3.*[0-9]"))
    main = stand.buildpack / "src" / "python_buildpack" / "__main__.py"
    return [str(python), "-I", "-c", HURRIED, str(main), "build"]


@pytest.fixture(scope="class")
def stand(space: Workspace, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """The app of the class's kind, and what undisturbed builds make of it."""
    kind = request.cls.kind
    with SimpleIndex() as index:
        stand = stand_for(kind, space, index, OFFERED.get(kind, ("wheel",)))
        asked = undisturbed(stand)
        stand.image = build_image(stand)
        assert {what(*exchange) for exchange in asked} <= COVERED
        if kind != "missing":
            assert set(EXCHANGES[kind]) <= asked
        yield stand


@pytest.fixture(scope="class")
def seen() -> set[str]:
    """How disturbed builds ended, and what they left."""
    return set()


class Exchanges:
    """What holds for the exchanges of every kind of app."""

    kind = ""

    @pytest.mark.parametrize("fault", FAULTS)
    def test_exchange_fails(
        self, stand: Stand, seen: set[str], exchange: tuple[str, str], fault: str
    ) -> None:
        """The build passes all the same, or ends with an error; the next one is as if nothing was."""
        layers = stand.space.buildpack_layers
        start(stand)
        stand.index.interfere = disturbing = Fault(stand.index, exchange, fault)
        command = hurried(stand) if exchange[0] == OWN else None
        try:
            # Whoever is refused need not wait.
            done = stand.build(command, **({"PIP_RETRIES": "1"} if fault == "refused" else {}))
        finally:
            stand.index.interfere = None
            if fault == "refused":
                stand.index.listen()
        assert disturbing.met
        # pip itself may show one.
        assert "src/python_buildpack" not in done.stdout, done.stdout
        assert list(stand.temporary.iterdir()) == []
        seen.add("failed" if done.returncode else "passed")
        if done.returncode:
            assert done.returncode == 1
            assert not (layers / "launch.toml").exists()
            if (layers / "venv").exists() and not (layers / "venv.toml").exists():
                seen.add("half a layer")
        stand.assert_mended()
        stand.assert_image()

    def test_half_done_work_was_there(self, seen: set[str]) -> None:
        """What was mended above was broken indeed; and some faults a build overcomes by itself."""
        # Nothing overcomes that a package is missing; a runtime is there whole or not at all, and
        # NLTK's data comes when the packages are there.
        passed = {"passed"} if self.kind != "missing" else set()
        half = {"half a layer"} if self.kind not in ("runtime", "nltk") else set()
        assert seen == {"failed"} | passed | half

    def test_by_the_platform(self, stand: Stand) -> None:
        """A whole build by the lifecycle is disturbed; the next one gives the undisturbed image."""
        fault = BY_PLATFORM[self.kind]
        exchange = EXCHANGES[self.kind][-1]
        start(stand)
        shutil.rmtree(stand.space.layout)
        shutil.copytree(stand.previous, stand.space.layout)
        stand.index.interfere = disturbing = Fault(stand.index, exchange, fault)
        try:
            done = create(stand.space, stand.app, stand.settings)
        finally:
            stand.index.interfere = None
            if fault == "refused":
                stand.index.listen()
        assert disturbing.met
        assert done.code in (0, 51), done.log
        if done.code:
            done = create(stand.space, stand.app, stand.settings)
            assert done.code == 0, done.log
        assert read_image(stand.space.layout, APP_IMAGE).digest == stand.image


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The exchanges of the class's kind."""
    if "exchange" in metafunc.fixturenames:
        rows = EXCHANGES[metafunc.cls.kind]
        metafunc.parametrize("exchange", rows, ids=[" ".join(row) for row in rows])


class TestPip(Exchanges):
    kind = "pip"


class TestPipByPip(Exchanges):
    kind = "pip by pip"


class TestPylock(Exchanges):
    kind = "pylock"


class TestUv(Exchanges):
    kind = "uv"


class TestVcs(Exchanges):
    kind = "vcs"


class TestMissing(Exchanges):
    kind = "missing"


class TestRuntime(Exchanges):
    kind = "runtime"


class TestNltk(Exchanges):
    kind = "nltk"


class TestTheTable:
    """No exchange of the product is without rows."""

    def test_every_kind_has_a_class(self) -> None:
        """Its rows are run."""
        assert {one.kind for one in Exchanges.__subclasses__()} == set(EXCHANGES)

    def test_every_manager_is_built(self) -> None:
        """A new one needs an author of apps."""
        assert set(AUTHORS) >= {m.NAME for m in (*managers.MANAGERS, *managers.FALLBACKS)}

    @pytest.mark.parametrize("kind", AUTHORS)
    def test_managers(self, space: Workspace, kind: str) -> None:
        """Whatever a build of its app asks for has rows."""
        with SimpleIndex() as index:
            asked = undisturbed(stand_for(kind, space, index, ("wheel", "vcs")))
        found = {what(*exchange) for exchange in asked}
        assert found <= COVERED
        assert {asker for asker, _ in found} >= {"git"}

    def test_every_call_is_known(self) -> None:
        """Of what asks servers and of what starts processes, in all of src/."""
        names = {"download", "fetch_bytes", "answer_status", "run", "capture"}
        root = ROOT / "src" / "python_buildpack"
        found = {
            (str(path.relative_to(root)), node.func.id)
            for path in root.rglob("*.py")
            if path.name not in ("fetch.py", "run.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in names
        }
        assert found == set(CALLS)
        assert {asker for askers in CALLS.values() for asker in askers} == {a for a, _ in COVERED}

    def test_nothing_else_asks(self) -> None:
        """The modules that may import what opens connections or starts processes."""
        modules = re.compile(
            r"^\s*(?:import|from) (requests|urllib3|urllib\.request|http|socket|subprocess|asyncio)\b",
            re.M,
        )
        root = ROOT / "src" / "python_buildpack"
        found = {
            str(path.relative_to(root))
            for path in root.rglob("*.py")
            if modules.search(path.read_text())
        }
        assert found == {"fetch.py", "run.py"}

    def test_a_refusing_index_keeps_its_port(self) -> None:
        """Else whoever opens a connection meanwhile may be given it, and it cannot come back."""
        with SimpleIndex() as index:
            host, port = index.host.split(":")
            index.hang_up()
            with socket.socket() as other:
                with pytest.raises(ConnectionRefusedError):
                    other.connect((host, int(port)))
                with pytest.raises(OSError, match="in use"):
                    other.bind((host, int(port)))
            index.listen()
            with socket.socket() as other:
                other.connect((host, int(port)))
