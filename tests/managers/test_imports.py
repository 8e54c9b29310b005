"""What a build that changes nothing imports: all that it does without is time in every build."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.managers.conftest import Builder, Built, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.test_indexes import APPS
from tests.managers.wheel_factory import Distribution, write_wheel

from python_buildpack.managers import FALLBACKS, MANAGERS

READERS = {
    **{name: f"python_buildpack.managers.{name}_reader" for name in ("pip", "pipenv", "poetry")},
    **{name: f"python_buildpack.managers.{name}_reader" for name in ("pdm", "uv")},
}
# How the app is named in the table of apps, where that is not its manager's name.
VARIANTS = {"pip-with-hashes": "pip"}
TRIED = sorted(set(APPS) - {"pip-installed-by-pip"})  # of a reused layer, that is the same
# What makes or lends layers, reaches indexes, or looks at the app's modules.
OURS = {
    *(f"python_buildpack.{name}" for name in ("fetch", "kept_trees", "lent_python")),
    *(f"python_buildpack.{name}" for name in ("make_python", "make_venv", "compile_script")),
    *(f"python_buildpack.app.{name}" for name in ("facts", "meanings", "module_scope")),
    *(f"python_buildpack.app_steps.{name}" for name in ("collectstatic", "transient")),
    *(f"python_buildpack.describe.{name}" for name in ("components", "sbom", "sizes")),
    *(f"python_buildpack.launch.{name}" for name in ("environment", "inferred", "servers")),
    *(f"python_buildpack.packages.{name}" for name in ("app_indexes", "index_access", "venv")),
    *(f"python_buildpack.packages.{name}" for name in ("index_pins", "installer", "resolution")),
    *(f"python_buildpack.runtime.{name}" for name in ("archive", "contents")),
}
OTHERS = {
    *("bisect", "bz2", "calendar", "configparser", "csv", "email.parser", "gzip", "lzma"),
    *("random", "requests", "shutil", "site", "tarfile", "tempfile", "zipfile"),
}
# packaging imports these to read a lock's markers and ranges of Pythons; pip's files have neither.
OF_RANGES = {"logging", "packaging.specifiers", "platform", "sysconfig", "traceback"}
# How many modules; of all, those of the standard library differ from version to version.
MOST_OF_OURS, MOST_FOR_PIP, MOST = 85, 200, 225


def rebuilt(build: Builder, buildpack: Path, app: Path, workplace: Path, **variables: str) -> Built:
    """The second of two builds, each of whose imports is in its log."""
    launcher = (buildpack / "bin" / "build").read_text()
    assert launcher.count('"$python" -IS ') == 1
    program = workplace / "build"
    program.write_text(launcher.replace('"$python" -IS ', '"$python" -IS -X importtime '))
    program.chmod(0o755)
    build(app, **variables).passed()
    return build(app, keep=True, program=program, **variables).passed()


def imported(built: Built) -> set[str]:
    """The modules."""
    return set(re.findall(r"import time:\s+\d+ \|\s+\d+ \|\s+(\S+)", built.log))


@pytest.fixture
def plain(workplace: Path, index: SimpleIndex) -> dict[str, str]:
    """The variables of a build that knows the one index, and nothing of this machine's."""
    index.add(write_wheel(Distribution(name="secret"), workplace / "wheels"))
    return {"PIP_INDEX_URL": index.url, "PIP_CONFIG_FILE": "/dev/null"}


@pytest.mark.parametrize("name", TRIED)
def test_a_build_that_changes_nothing_imports_little(
    build: Builder,
    buildpack: Path,
    app: Path,
    workplace: Path,
    index: SimpleIndex,
    plain: dict[str, str],
    name: str,
) -> None:
    """Of all managers' readers the one that is used, and nothing that makes a layer."""
    files, settings = APPS[name](index)
    code = {"Procfile": "web: python app.py\n", "app.py": "print('hello')\n"}
    write_files(app, {**code, **files})
    again = rebuilt(build, buildpack, app, workplace, **plain, **settings)
    assert again.log.count(" from the previous image") == 2
    found = imported(again)
    assert "python_buildpack.execute" in found
    manager = VARIANTS.get(name, name)
    readers = {reader for reader in READERS.values() if reader in found}
    assert readers == ({READERS[manager]} if manager in READERS else set())
    unused = OURS | OTHERS | (OF_RANGES if manager == "pip" else set())
    assert sorted(found & unused) == []
    ours = {one for one in found if one.split(".")[0] in ("cnb", "python_buildpack")}
    assert len(ours) <= MOST_OF_OURS
    assert len(found) <= (MOST_FOR_PIP if manager == "pip" else MOST)


def test_every_manager_is_tried() -> None:
    """The table above has an app of each; setup.py alone is one of pyproject's kind."""
    tried = {VARIANTS.get(name, name) for name in TRIED}
    assert tried == {one.NAME for one in (*MANAGERS, *FALLBACKS)} - {"setup.py"}
