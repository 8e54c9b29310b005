"""A packaged buildpack whose build is run directly, tools to compare it with, a loopback index."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.lifecycle.conftest import binaries, buildpack, shelter, space
from tests.managers.market import Market, open_market
from tests.managers.simple_index import SimpleIndex

import host_python
from cnb.toml import read_toml
from go_tools import cache_dir, made_once
from local_platform import Workspace, create, free_port, get, started
from python_buildpack.app.files import AppFiles
from python_buildpack.errors import UserError
from python_buildpack.managers import Manager
from python_buildpack.settings import read_settings

__all__ = ["binaries", "buildpack", "shelter", "space"]

ROOT = Path(__file__).resolve().parent.parent.parent
# Not part of what a distribution is:
EXCLUDED = {
    "INSTALLER": "names the tool that installed",
    "REQUESTED": "says that the user named it, which a lock does not know",
    "RECORD": "lists the files that are compared here, and the excluded ones",
    "direct_url.json": "each tool writes another selection of its fields; compared by itself",
    "uv_cache.json": "uv's note about its own cache",
    "uv_build.json": "uv's note about how it built",
}
# The environment's own, or made by the tool when it makes an environment.
NOT_PACKAGES = ("_virtualenv.py", "_virtualenv.pth", "_distutils_hack", "distutils-precedence.pth")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a direct run of bin/build printed and made."""

    code: int
    log: str
    app: Path
    layers: Path

    @property
    def venv(self) -> Path:
        return self.layers / "venv"

    @property
    def python(self) -> Path:
        """The runtime that the packages are installed for."""
        return next((self.layers / "python" / "cpython" / "bin").glob("python3.*[0-9]"))

    def metadata(self, layer: str) -> dict[str, Any]:
        """What the layer's TOML file holds for the next build."""
        return dict(read_toml(self.layers / f"{layer}.toml")["metadata"])

    def passed(self) -> Built:
        """This build, which must have passed."""
        assert self.code == 0, self.log
        return self

    def failed(self, id: str, *words: str) -> Built:
        """This build, which must have failed with this error, before anything was installed."""
        assert self.code == 1, self.log
        assert f"[{id}]" in self.log, self.log
        for word in words:
            assert word in self.log, self.log
        assert "Traceback" not in self.log
        assert not list(self.layers.glob("venv/lib/*/site-packages/*"))
        return self


Builder = Callable[..., Built]


@pytest.fixture
def workplace(shelter: Path) -> Iterator[Path]:
    """An empty directory, with a path short enough for shebang lines: the same for each test."""
    path = shelter / "m"
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def build(shelter: Path, buildpack: Path, workplace: Path) -> Iterator[Builder]:
    """`build(app, PIP_INDEX_URL=...)` runs bin/build on `app` itself, with fresh layers.

    But for the runtime's: the one that the last test ended with is there, as it would be after an
    earlier build of another app's packages. `keep=True` leaves the layers' TOML files and the cache
    of the build before, as the lifecycle would restore them. The environment holds what is given,
    and no index of this machine's.
    """
    layers, runtime = workplace / "layers", shelter / "runtime"
    (workplace / "home").mkdir()
    plan = workplace / "plan.toml"
    plan.write_text("")
    (workplace / "platform" / "env").mkdir(parents=True)

    def run(
        app: Path, *, keep: bool = False, program: Path | None = None, **variables: str
    ) -> Built:
        if keep:
            for path in layers.iterdir():
                if path.is_dir() and path.name != "pip-cache":
                    shutil.rmtree(path)
        else:
            _move_runtime(layers, runtime)
            shutil.rmtree(layers, ignore_errors=True)
            layers.mkdir()
            _move_runtime(runtime, layers)
        done = subprocess.run(
            [program or buildpack / "bin" / "build"],
            cwd=app,
            env={
                **plain_environment(workplace / "home"),
                "CNB_BUILDPACK_DIR": str(buildpack),
                "CNB_LAYERS_DIR": str(layers),
                "CNB_PLATFORM_DIR": str(workplace / "platform"),
                "CNB_BP_PLAN_PATH": str(plan),
                "CNB_TARGET_OS": "linux",
                "CNB_NO_COLOR": "true",
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Built(code=done.returncode, log=done.stdout, app=app, layers=layers)

    yield run
    _move_runtime(layers, runtime)


def _move_runtime(source: Path, target: Path) -> None:
    """Move the runtime's layer, with what describes it, where one was made and is whole."""
    if (source / "python.toml").exists() and (source / "python").exists():
        shutil.rmtree(target / "python", ignore_errors=True)
        target.mkdir(exist_ok=True)
        for path in source.glob("python*"):
            path.rename(target / path.name)


def plain_environment(home: Path) -> dict[str, str]:
    """PATH, an empty home and no proxies: nothing of this machine's configuration of any tool."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "no_proxy": "127.0.0.1",
    }


@pytest.fixture
def index() -> Iterator[SimpleIndex]:
    """An index that this test fills."""
    with SimpleIndex() as made:
        yield made


@pytest.fixture
def other_index() -> Iterator[SimpleIndex]:
    """A second one, which wants credentials."""
    with SimpleIndex(user="alice", password="s3cret-pa55") as made:
        yield made


@pytest.fixture(scope="session")
def market(shelter: Path) -> Iterator[Market]:
    """What the tests of several managers choose from."""
    with SimpleIndex() as index, SimpleIndex(user="alice", password="s3cret-pa55") as private:
        yield open_market(shelter / "market", index, private)


@pytest.fixture
def app(workplace: Path) -> Path:
    """An empty app."""
    path = workplace / "app"
    path.mkdir()
    return path


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """`folder` with these files in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def uv(buildpack: Path) -> Path:
    """The uv that is in the package."""
    return buildpack / "uv" / "uv"


@pytest.fixture(scope="session")
def tool(uv: Path) -> Callable[[str], Path]:
    """`tool("pdm")`: the directory with the tool's commands, from requirements/tool-pdm.txt.

    It is installed once per machine and state of that file, through the machine's own index.
    """

    def install(name: str) -> Path:
        requirements = ROOT / "requirements" / f"tool-{name}.txt"
        digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
        target = cache_dir() / "tools" / f"{name}-{digest}"
        done = target / ".complete"
        if done.exists():
            return target / "bin"
        with made_once(target):
            if done.exists():
                return target / "bin"
            shutil.rmtree(target, ignore_errors=True)
            python = host_python.find_host_python()
            checked_run(
                [uv, "venv", "--no-config", "--no-python-downloads", "--python", python, target],
                env=os.environ,
            )
            checked_run(
                [
                    uv, "pip", "install", "--no-config", "--require-hashes", "--compile-bytecode",
                    "--python", target / "bin" / "python", "-r", requirements,
                ],
                env=os.environ,
            )  # fmt: skip
            done.touch()
        return target / "bin"

    return install


@pytest.fixture(scope="session")
def author(uv: Path, shelter: Path) -> Path:
    """An environment in which locks are made: nothing is ever installed into it."""
    target = shelter / "author"
    python = host_python.find_host_python()
    checked_run(
        [uv, "venv", "--no-config", "--no-python-downloads", "--python", python, target],
        env=plain_environment(shelter),
    )
    return target


def checked_run(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None
) -> str:
    """What a command that must succeed printed."""
    done = subprocess.run(
        [str(word) for word in command],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


class AppTool:
    """A package manager's own tool, on one app; locks are made in the environment `author`."""

    def __init__(
        self, command: Path, author: Path, app: Path, home: Path, variables: Mapping[str, str]
    ) -> None:
        self.command, self.author, self.app = command, author, app
        self.environ = {**plain_environment(home), **variables}

    def run(self, venv: Path, *words: str, **variables: str) -> str:
        """What the tool, which must succeed, prints for the app and this environment."""
        environ = {**self.environ, "VIRTUAL_ENV": str(venv), **variables}
        return checked_run([self.command, *words], env=environ, cwd=self.app)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What it says of the app, and whether it fails."""
        return subprocess.run(
            [self.command, *words],
            env={**self.environ, "VIRTUAL_ENV": str(self.author)},
            cwd=self.app,
            capture_output=True,
            text=True,
            check=False,
        )


def compare(
    built: Built,
    empty_venv: Callable[[Built], Path],
    sync: Callable[..., None],
    *options: str,
    **given: str,
) -> None:
    """Have the tool's `sync` install the same lock beside it, and hold the two to each other."""
    venv = empty_venv(built)
    sync(venv, *options, **given)
    assert_same_installation(built.venv, venv)


@pytest.fixture
def empty_venv(uv: Path, workplace: Path) -> Callable[[Built], Path]:
    """An environment beside the built one, for the tool to install into: the same interpreter."""

    def make(built: Built) -> Path:
        target = workplace / "other-venv"
        shutil.rmtree(target, ignore_errors=True)
        checked_run(
            [uv, "venv", "--no-config", "--no-python-downloads", "--python", built.python, target],
            env=plain_environment(workplace / "home"),
        )
        return target

    return make


# A module with a web server in it, which answers with what is installed beside it.
SERVER = """
import http.server, importlib.metadata, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = sorted(f"{d.name}=={d.version}" for d in importlib.metadata.distributions())
        body = " ".join(names).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

def main():
    address = ("127.0.0.1", int(os.environ["PORT"]))
    http.server.HTTPServer(address, Handler).serve_forever()
"""


def answer(space: Workspace, app: Path, settings: Mapping[str, str] | None = None) -> str:
    """Build `app` by the real lifecycle, start its web process, and get its page."""
    done = create(space, app, settings)
    assert done.code == 0, done.log
    port = free_port()
    with started(space, port) as process:
        return get(f"http://127.0.0.1:{port}/", process)


def distributions(venv: Path) -> set[str]:
    """`name-version` of everything installed, as its directory spells it."""
    found = venv.glob("lib/python3*/site-packages/*.dist-info")
    return {path.name.removesuffix(".dist-info") for path in found}


def names(venv: Path) -> set[str]:
    """The names of what is installed."""
    return {name.partition("-")[0] for name in distributions(venv)}


def installed_files(venv: Path) -> dict[str, str]:
    """Every file that the packages brought -> its digest; scripts by their names.

    Scripts start with the path of their environment, and each installer words the rest of a
    console script in its own way. Byte code belongs to the build.
    """
    found: dict[str, str] = {}
    site = next(venv.glob("lib/python3*/site-packages"))
    for path in sorted(site.rglob("*")):
        name = str(path.relative_to(site))
        if path.is_dir() or path.suffix == ".pyc" or name.startswith(NOT_PACKAGES):
            continue
        if path.parent.name.endswith(".dist-info") and path.name in EXCLUDED:
            continue
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted((venv / "bin").iterdir()):
        if not path.name.startswith(("python", "activate", "deactivate", "pydoc")):
            found[f"bin/{path.name}"] = "a script"
    return found


def assert_same_installation(ours: Path, theirs: Path, ignored: Sequence[str] = ()) -> None:
    """Both environments hold the same distributions and files; `ignored` are prefixes of names.

    Every call says beside it why it ignores something.
    """
    assert distributions(ours), "nothing was installed: nothing would be compared"
    assert distributions(ours) == distributions(theirs)
    first, second = (
        {name: digest for name, digest in files.items() if not name.startswith(tuple(ignored))}
        for files in (installed_files(ours), installed_files(theirs))
    )
    assert first == second


def reads(app: Path, manager: Manager) -> bool:
    """Whether a manager of the buildpack takes the app's lock; it must be stale if not."""
    try:
        manager.read(AppFiles(app), read_settings({}))
    except UserError as error:
        assert error.id == "lock-stale", error
        return False
    return True
