"""What a person reads while an app is built, held to tests/lifecycle/golden (`make golden`)."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lifecycle.conftest import EXAMPLES, new_space
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_wheel

from local_platform import Workspace, create
from python_buildpack.describe.summary import table

GOLDEN = Path(__file__).with_name("golden")
FLASK = (
    *("blinker==1.9.0", "click==8.2.1", "flask==3.1.2", "gunicorn==23.0.0", "itsdangerous==2.2.0"),
    *("jinja2==3.1.6", "markupsafe==3.0.2", "packaging==25.0", "werkzeug==3.1.3"),
)
DJANGO = (
    "asgiref==3.8.1",
    "django==5.2.5",
    "gunicorn==23.0.0",
    "packaging==25.0",
    "sqlparse==0.5.3",
)
STATIC_FILES = """
INSTALLED_APPS = ["django.contrib.staticfiles", "website"]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
"""
STALE_LOCK = f"""package = []
[metadata]
lock-version = "2.1"
python-versions = "*"
content-hash = "{"0" * 64}"
"""
ESCAPES = {"\x1b[1m": "<bold>", "\x1b[31m": "<red>", "\x1b[33m": "<yellow>", "\x1b[0m": "</>"}

# Whatever depends on the machine alone, and what stands for it.
VARYING = (
    (r"\b\d+(\.\d+)? s\b", "0.0 s"),
    (r" in (\d+m )?\d+(\.\d+)?(s|ms)$", " in 0ms"),
    (r"\b\d+\.\d MB\b", "0.0 MB"),
    (r"\buv \d+\.\d+\.\d+", "uv 0.0.0"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:0"),
)
# Lines that are there only where something took its time, or that an index decides.
PASSING = re.compile(
    r"^       (\.\.\. |Downloading | Downloaded |  Downloading ).*\n", re.MULTILINE
)


def requirements(app: Path, *lines: str) -> None:
    """The app's requirements.txt."""
    (app / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))


@dataclass(frozen=True, kw_only=True)
class Place:
    """The workspace of all builds, one after the other, and their app: a copy of an example."""

    space: Workspace
    app: Path
    python: str

    def log(self, settings: Mapping[str, str] | None = None, *, colour: bool = False) -> str:
        """What the build phase prints, machine and speed taken out of it."""
        text = create(self.space, self.app, settings, colour=colour).log
        text = re.split(r"^.*===> BUILDING.*\n|^.*===> EXPORTING.*\n", text, flags=re.MULTILINE)[1]
        return normalised(text, self.space.root, self.python)


def first_build(place: Place) -> str:
    requirements(place.app, *FLASK)
    return place.log(colour=True)


def no_change(place: Place) -> str:
    return place.log({"NO_COLOR": "1"})


def code_changed(place: Place) -> str:
    with (place.app / "app.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    return place.log()


def requirement_changed(place: Place) -> str:
    requirements(place.app, *FLASK, "iniconfig==2.0.0")
    return place.log()


def resolution_failed(place: Place) -> str:
    """Two packages of an index of its own, since what pip says of an index is part of the log."""
    requirements(place.app, "shop==1.0", "basket<2")
    made = place.app.parent / "wheels"
    with SimpleIndex() as index:
        for one in (
            Distribution(name="shop", requires=("basket>=2",)),
            Distribution(name="basket", version="1.0"),
            Distribution(name="basket", version="2.0"),
        ):
            index.add(write_wheel(one, made))
        return place.log({"PIP_INDEX_URL": index.url})


def stale_lock(place: Place) -> str:
    (place.app / "requirements.txt").unlink()
    (place.app / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    (place.app / "poetry.lock").write_text(STALE_LOCK)
    return place.log()


def django(place: Place) -> str:
    """The example, with an asked-for version and static files."""
    shutil.rmtree(place.app)
    shutil.copytree(EXAMPLES / "django", place.app)
    requirements(place.app, *DJANGO)
    (place.app / ".python-version").write_text(place.python + "\n")
    with (place.app / "website" / "settings.py").open("a") as file:
        file.write(STATIC_FILES)
    (place.app / "website" / "static").mkdir()
    (place.app / "website" / "static" / "site.css").write_text("body { margin: 0 }\n")
    return place.log()


BUILDS: tuple[Callable[[Place], str], ...] = (
    first_build,
    no_change,
    code_changed,
    requirement_changed,
    resolution_failed,
    stale_lock,
    django,
)


def normalised(log: str, root: Path, python: str) -> str:
    """`log` as any machine would print it, colours shown by their names."""
    log = log.replace(str(root), "/ROOT").replace(python, "3.13.0")
    log = log.replace(f"'{python.rpartition('.')[0]}'", "'3.13'")
    for escape, shown in ESCAPES.items():
        log = log.replace(escape, shown)
    assert "\x1b" not in log
    log = PASSING.sub("", log)
    for pattern, stand_in in VARYING:
        log = re.sub(pattern, stand_in, log, flags=re.MULTILINE)
    return aligned(log)


def aligned(log: str) -> str:
    """`log`, its summary's columns as wide as they are with what stands in for others."""
    rows = [
        line for line in log.splitlines() if re.match(r" {7}(Python|Packages|Processes)  ", line)
    ]
    if not rows:
        return log
    cells = [[*re.split(r" {2,}", row.strip()), "", ""][:4] for row in rows]
    before = "\n".join(rows) + "\n"
    assert before in log
    return log.replace(before, "".join(f"       {row}\n" for row in table(cells).splitlines()))


def plain(log: str) -> str:
    """`log` without the colours' names."""
    return re.sub("|".join(map(re.escape, ESCAPES.values())), "", log)


@pytest.fixture(scope="module")
def logs(
    shelter: Path, buildpack: Path, binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Every log by the name of its file. The first one is shown in colour as well."""
    python = str(json.loads((buildpack / "runtime" / "release.json").read_text())["version"])
    app = tmp_path_factory.mktemp("logs") / "app"
    shutil.copytree(EXAMPLES / "flask", app)
    with new_space(shelter, buildpack, binaries) as space:
        place = Place(space=space, app=app, python=python)
        made = {build.__name__: build(place) for build in BUILDS}
    yield {**{name: plain(log) for name, log in made.items()}, "in_colour": made["first_build"]}


@pytest.mark.parametrize("name", [*(build.__name__ for build in BUILDS), "in_colour"])
def test_log(logs: dict[str, str], name: str) -> None:
    """The log is the one in the file, but for what depends on the machine and its speed."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(logs[name])
    assert lasting(logs[name]) == lasting(path.read_text())


def lasting(log: str) -> list[str]:
    """The lines without the times of steps, which short ones do not show."""
    return [line for line in log.splitlines() if not line.startswith("       took ")]


def test_every_file_is_a_log() -> None:
    """No file without a build that it is compared with."""
    known = {*(build.__name__ for build in BUILDS), "in_colour"}
    assert {path.stem for path in GOLDEN.iterdir()} == known


def test_colours(logs: dict[str, str]) -> None:
    """Headings are bold and warnings yellow, in whole lines; nothing else has a colour."""
    coloured = [line for line in logs["in_colour"].splitlines() if "<" in line]
    assert coloured
    for line in coloured:
        assert re.fullmatch(r"<bold>-----> [^<]+</>|<yellow> !     [^<]+</>", line), line
