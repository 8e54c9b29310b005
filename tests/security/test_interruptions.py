"""Whatever ends a build half-way: the next one, in its very directories or afresh, is as if nothing was."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lifecycle.conftest import BUILDER
from tests.lifecycle.test_stop import is_alive
from tests.managers.conftest import write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, source_files, write_wheel
from tests.security.stand import Stand, build_image, keep_previous, tree_digest
from tests.security.stopper_points import spread

import local_platform
import package
from local_platform import create, creator_arguments, fresh, start_phase

STOPPER = Path(__file__).with_name("stopper.py")
SIGNALS = (signal.SIGTERM, signal.SIGKILL)
AT_RUNTIME, AT_PACKAGES = 18, 28
# Building the project tells who builds it, and waits to be stopped, where a marker is asked for.
WAITING = """
import os, pathlib, subprocess, time
if os.environ.get("STOP_MARKER") and not pathlib.Path(os.environ["STOP_MARKER"]).exists():
    child = subprocess.Popen(["sleep", "3600"])
    pathlib.Path(os.environ["STOP_MARKER"]).write_text(f"{os.getpid()} {child.pid} ")
    time.sleep(3600)
"""


def command(stand: Stand, point: int, number: int) -> list[str]:
    """Build, stopped at a step."""
    python = next((stand.buildpack / "runtime" / "cpython" / "bin").glob("python3.*[0-9]"))
    script = stand.buildpack / "src" / "python_buildpack" / "__main__.py"
    record = stand.space.root / "steps"
    return [str(python), "-I", str(STOPPER), str(script), str(record), str(point), str(number)]


@pytest.fixture(scope="module")
def stand(
    shelter: Path, buildpack: Path, binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    """The app with a wheel and a project that is built; the previous image has the wheel only."""
    folder = tmp_path_factory.mktemp("app")
    with tempfile.TemporaryDirectory(prefix="f", dir=shelter) as name, SimpleIndex() as index:
        Path(name).chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        space = local_platform.prepare(Path(name), buildpack, package.version(), binaries, user)
        (space.root / "plan.toml").write_text("")
        index.add(
            write_wheel(Distribution(name="tiny"), folder),
            write_wheel(Distribution(name="more"), folder),
        )
        made = source_files(Distribution(name="made"))
        made["backend.py"] = WAITING + made["backend.py"]
        app = write_files(folder / "app", {"requirements.txt": "tiny\n", "Procfile": "web: true\n"})
        write_files(app / "made", made)
        stand = Stand(
            space=space,
            buildpack=next((space.root / "buildpacks" / "pycnb_python").iterdir()),
            index=index,
            app=app,
            previous=space.root / "previous",
            settings={"PIP_INDEX_URL": index.url, "BP_LOG_LEVEL": "debug"},
        )
        done = create(space, app, stand.settings)
        assert done.code == 0, done.log
        keep_previous(space.layout, stand.previous)
        write_files(app, {"requirements.txt": "tiny\nmore\n./made\n"})
        stand.image = build_image(stand)
        fresh(space, app, stand.settings)
        stand.start_afresh()
        built = stand.build(command(stand, 0, 0))
        assert built.returncode == 0, built.stdout
        stand.steps = (space.root / "steps").read_text().splitlines()
        stand.tree = tree_digest(space.buildpack_layers)
        yield stand


@pytest.fixture(scope="module")
def states() -> set[str]:
    """The kinds of half-done work that were seen."""
    return set()


def note_state(stand: Stand, states: set[str]) -> None:
    """What was left: a layer without its TOML is no layer."""
    layers = stand.space.buildpack_layers
    for name in ("python", "venv"):
        if (layers / name).exists() and not (layers / f"{name}.toml").exists():
            states.add(f"half a {name} layer")
    if (layers / "venv.toml").exists() and not (layers / "launch.toml").exists():
        states.add("layers without launch.toml")
    if any(stand.temporary.iterdir()):
        states.add("temporary files")


@pytest.mark.parametrize("number", range(AT_RUNTIME + AT_PACKAGES))
def test_stopped_at_a_step(stand: Stand, states: set[str], number: int) -> None:
    """SIGTERM and SIGKILL, between any two files that are written."""
    runtime = next(n for n, step in enumerate(stand.steps) if ".python.toml" in step)
    points = [
        *spread(1, runtime, AT_RUNTIME),
        *spread(runtime + 1, len(stand.steps) - 1, AT_PACKAGES),
    ]
    sent = SIGNALS[number % 2]
    stand.start_afresh()
    done = stand.build(command(stand, points[number], sent))
    assert not (stand.space.buildpack_layers / "build.toml").exists()
    if sent == signal.SIGKILL:
        assert done.returncode == -sent, done.stdout
    else:
        assert done.returncode == 1
        assert "[stopped]" in done.stdout
        assert "Traceback" not in done.stdout
        assert list(stand.temporary.iterdir()) == []
    note_state(stand, states)
    stand.assert_mended()
    stand.assert_image()


@pytest.mark.parametrize("installer", ["uv", "pip"])
@pytest.mark.parametrize("sent", SIGNALS, ids=["SIGTERM", "SIGKILL"])
def test_stopped_while_a_child_works(
    stand: Stand, tmp_path: Path, sent: signal.Signals, installer: str
) -> None:
    """An installer that builds a package, which has a child itself: none of them is left."""
    stand.start_afresh()
    marker = tmp_path / "marker"
    more = {"STOP_MARKER": str(marker), "BP_PIP_INSTALLER": installer}
    with subprocess.Popen(
        [stand.buildpack / "bin" / "build"],
        cwd=stand.space.app,
        env=stand.environ(more),
        stdout=subprocess.DEVNULL,
    ) as process:
        while not (marker.exists() and marker.read_text().count(" ") == 2):
            assert process.poll() is None
            time.sleep(0.02)
        children = [int(word) for word in marker.read_text().split()]
        if sent == signal.SIGKILL:
            # As the end of a container takes everything with it.
            for one in _below(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, sent)
        process.send_signal(sent)
        process.wait(timeout=60)
    for one in children:
        for _ in range(500):
            if not is_alive(one):
                break
            time.sleep(0.02)
        assert not is_alive(one)
    assert (stand.space.buildpack_layers / "venv").exists()
    assert not (stand.space.buildpack_layers / "venv.toml").exists()
    stand.assert_mended()
    stand.assert_image()


def _below(parent: int) -> list[int]:
    text = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    ).stdout
    return [pid for word in text.split() for pid in (int(word), *_below(int(word)))]


def test_half_done_work_was_there(states: set[str]) -> None:
    """What was mended above was broken indeed."""
    assert states >= {"half a python layer", "half a venv layer", "temporary files"}


LINES = ("Adding layer", "Adding label", "Saving", "Images", "Adding cache layer")


def stop_exporter(stand: Stand, line: str) -> int:
    """Build by the lifecycle, and kill it at this line of its log; how it ended."""
    shutil.rmtree(stand.space.layout)
    shutil.copytree(stand.previous, stand.space.layout)
    fresh(stand.space, stand.app, stand.settings)
    with start_phase(
        stand.space, "creator", creator_arguments(stand.space), own_session=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if text.decode().lstrip("* ").startswith(line):
                break
        else:
            raise AssertionError("it does not say so")
        os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


@pytest.mark.parametrize("line", LINES)
def test_stopped_exporter(stand: Stand, line: str) -> None:
    """SIGKILL as soon as the exporter says that it does this; the next build gives the same image."""
    for _ in range(10):  # on a busy machine it may be done before the signal is there
        if stop_exporter(stand, line) == -signal.SIGKILL:
            break
    else:
        raise AssertionError("it was never stopped")
    # A registry still has the previous image, where a layout directory is half overwritten; the
    # cache is as the exporter left it.
    stand.assert_image()


@contextlib.contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    """A disk of `size` bytes at `place`."""
    if os.getuid() != 0:
        pytest.fail("This test mounts a small disk: run it as root.")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("number", range(10))
def test_full_disk(stand: Stand, number: int) -> None:
    """Layers, or the temporary directory, on disks too small: an error; then there is room."""
    stand.start_afresh()
    layers = stand.space.buildpack_layers
    whole = sum(p.stat().st_blocks * 512 for p in _files(stand.buildpack / "runtime"))
    # The last two leave the runtime whole, and little for the packages.
    place = stand.temporary if number in (3, 6) else layers
    # uv unpacks beside the layers: a temporary directory holds a few small files.
    size = 4096 * number // 3 if place == stand.temporary else whole * (number + 1) // 8
    if number >= 8:
        size = whole + 4096 * (4, 20)[number - 8]
    with small_disk(place, size):
        done = stand.build()
        assert done.returncode == 1, done.stdout
        assert "disk-full]" in done.stdout, done.stdout
        # A package's build may show one of its own.
        assert "src/python_buildpack" not in done.stdout, done.stdout
        assert not (layers / "launch.toml").exists()
        subprocess.run(["mount", "-o", "remount,size=1g", place], check=True)
        stand.assert_mended()
    stand.assert_image()


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
