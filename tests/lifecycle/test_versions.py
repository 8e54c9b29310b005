"""Which Python an app gets through the real lifecycle, and what its user reads about it.

A newer patch than the one that this machine has is simulated: the release list names the package's
own runtime by the newer number, too. What is installed says which it really is.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.lifecycle.conftest import EXAMPLES
from tests.lifecycle.test_build import passed, reused

import host_python
import oci_layout
import runtime_archive
from local_platform import APP_IMAGE, BUILDPACK_ID, Workspace, create
from python_buildpack.runtime.releases import DEFAULT_MINOR

Entry = dict[str, Any]
WARNING = " !     Warning: "


@pytest.fixture(scope="session")
def own(buildpack: Path) -> Entry:
    """The release that the package brings along."""
    return dict(json.loads((buildpack / "runtime" / "release.json").read_text()))


@pytest.fixture(scope="session")
def another(own: Entry, shelter: Path) -> Entry:
    """A CPython of another minor version, packed; on a machine without one, the package's own."""
    minor = minor_of(own["version"])
    for python in host_python.host_pythons():
        facts = runtime_archive.probe(str(python))
        if facts["version"].startswith("3.1") and not facts["version"].startswith(f"{minor}."):
            entry = runtime_archive.pack(str(python), shelter / "another")
            return {**entry, "url": (shelter / "another" / entry["url"]).as_uri()}
    return own


def minor_of(version: str) -> str:
    """`3.13.2` is of `3.13`."""
    return version.rpartition(".")[0]


def later(entry: Entry, patches: int = 1) -> Entry:
    """The same archive under the number of a later patch."""
    minor, _, patch = entry["version"].rpartition(".")
    return {**entry, "version": f"{minor}.{int(patch) + patches}"}


def settings(
    space: Workspace, *entries: Entry, support: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """A release list of these entries, supported for long, and the setting that names it."""
    long = {"end_of_life": "2098-12-31", "refused_from": "2099-12-31"}
    dates = {minor_of(entry["version"]): long for entry in entries}
    path = space.root / "releases.json"
    listed = {"format": 1, "releases": entries, "support": support or dates}
    path.write_text(json.dumps(listed))
    return {"BP_PYTHON_RELEASES": str(path)}


def label(space: Workspace) -> str:
    """The version that the image says it has."""
    return oci_layout.read_image(space.layout, APP_IMAGE).labels["io.pycnb.python.version"]


def running(space: Workspace) -> str:
    """The version that the layer's interpreter says it is."""
    python = space.buildpack_layers / "python" / "bin" / "python3"
    command = [str(python), "-I", "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def upgrade(space: Workspace, default: str) -> None:
    """From here on the platform has a later release of the buildpack, with another default."""
    link = next((space.root / "buildpacks" / BUILDPACK_ID).iterdir())
    made = space.root.parent / f"{space.root.name}-next"
    shutil.copytree(link.resolve(), made, symlinks=True, copy_function=os.link)
    module = made / "src" / "python_buildpack" / "runtime" / "releases.py"
    changed = module.read_text().replace(
        f'DEFAULT_MINOR = "{DEFAULT_MINOR}"', f'DEFAULT_MINOR = "{default}"'
    )
    assert changed != module.read_text()
    for file in (module, *module.parent.glob("__pycache__/releases.*.pyc")):
        file.unlink()
    module.write_text(changed)
    link.unlink()
    link.symlink_to(made)


def test_the_minor_version_stays_when_the_default_moves(space: Workspace, own: Entry) -> None:
    """A first build takes the default and says what to commit; later ones stay on its minor."""
    app = EXAMPLES / "flask"
    minor = minor_of(own["version"])
    newer = f"3.{int(minor.split('.')[1]) + 1}"
    absent = {**own, "version": f"{newer}.0", "sha256": "0" * 64, "url": "file:///absent.tar.gz"}

    build = passed(create(space, app, settings(space, own, absent)))
    assert minor == DEFAULT_MINOR, "this test needs a CPython of the default minor version"
    assert f"Python {own['version']} (the default)" in build.log
    assert f"To choose one: echo '{minor}' > .python-version" in build.log
    assert label(space) == own["version"]

    upgrade(space, newer)
    build = passed(create(space, app, settings(space, own, absent)))
    assert f"Python {own['version']} ({minor}, as in the last build)" in build.log
    assert reused(build) == ["python", "venv"]

    build = passed(create(space, app, settings(space, own, later(own), absent)))
    assert f"Python {later(own)['version']} ({minor}, as in the last build)" in build.log
    assert f"Python {own['version']} -> {later(own)['version']}" in build.log
    assert f"To choose one: echo '{minor}' > .python-version" in build.log
    assert label(space) == later(own)["version"]
    assert "Installing packages" in build.log
    assert "venv" in reused(build), "packages are the same bytes for every patch of a minor version"

    # The default has moved indeed: without an earlier image the same app gets it.
    shutil.rmtree(oci_layout.image_path(space.layout, APP_IMAGE))
    build = create(space, app, settings(space, own, later(own), absent))
    assert build.code != 0
    assert f"Python {newer}.0 (the default)" in build.log


def test_another_version_rebuilds_and_says_why(
    space: Workspace, own: Entry, another: Entry, flask_app: Path
) -> None:
    """`.python-version` decides; an exact old patch is installed with a warning."""
    listed = settings(space, another, own, later(own, 2))
    file = flask_app / ".python-version"

    file.write_text(f"# as in production\r\n{minor_of(another['version'])}\r\n")
    build = passed(create(space, flask_app, listed))
    assert ".python-version line 2" in build.log
    assert WARNING not in build.log
    before = label(space)
    assert running(space) == another["version"]

    file.write_text(f"{own['version']}\n")
    build = passed(create(space, flask_app, listed))
    change = f"Python {before} -> {own['version']}"
    assert f"Installing Python {own['version']}: {change}" in build.log
    assert f"Installing packages: {change}" in build.log
    assert f"is not the newest patch: {later(own, 2)['version']} has later" in build.log
    assert f"echo '{minor_of(own['version'])}' > .python-version" in build.log
    assert (label(space), running(space)) == (own["version"], own["version"])

    build = passed(create(space, flask_app, listed))
    assert reused(build) == ["python", "venv"]
    assert "is not the newest patch" in build.log


def test_an_app_ages(space: Workspace, own: Entry, flask_app: Path) -> None:
    """The same app, while its version's dates pass: a warning, a louder one, an error.

    The dates are moved, not the clock: a release list may bring its own.
    """
    minor = minor_of(own["version"])
    (flask_app / ".python-version").write_text(f"{minor}\n")

    def dates(end: int, refused: int) -> dict[str, str]:
        today = datetime.datetime.now(datetime.timezone.utc).date()
        days = {"end_of_life": end, "refused_from": refused}
        return settings(
            space,
            own,
            support={
                minor: {
                    name: str(today + datetime.timedelta(days=shift))
                    for name, shift in days.items()
                }
            },
        )

    build = passed(create(space, flask_app, dates(400, 800)))
    assert WARNING not in build.log

    build = passed(create(space, flask_app, dates(100, 500)))
    assert f"{WARNING}Python {minor} gets security fixes until" in build.log
    assert reused(build) == ["python", "venv"]

    build = passed(create(space, flask_app, dates(-2, 100)))
    assert f"{WARNING}PYTHON {minor} IS DEPRECATED" in build.log
    assert reused(build) == ["python", "venv"]

    build = create(space, flask_app, dates(-100, -1))
    assert build.code != 0
    assert f"Python {minor} is past its end of life and no longer offered" in build.log
    assert ".python-version line 1" in build.log
    assert "[python-version-end-of-life]" in build.log
    assert "Traceback" not in build.log


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({".python_version": "3.13\n"}, ["git mv .python_version .python-version"]),
        (
            {".python-version": "3.13\n".encode("utf-16")},
            [".python-version line 1", "UTF-16", "echo '3.13' > .python-version"],
        ),
        (
            {
                ".python-version": b"3.13\n",
                "pyproject.toml": b'[project]\nname = "a"\nversion = "1"\nrequires-python = "<3"\n',
            },
            ["pyproject.toml line 4", ".python-version line 1", "'<3'"],
        ),
    ],
    ids=["misspelt", "UTF-16", "conflict"],
)
def test_mistakes_are_explained_before_anything_is_installed(
    space: Workspace, tmp_path: Path, files: Mapping[str, bytes | str], words: list[str]
) -> None:
    """Detect passes, build says what to do, and no layer is begun."""
    app = tmp_path / "app"
    app.mkdir()
    for name, content in files.items():
        (app / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    build = create(space, app)
    assert build.code != 0
    assert [word for word in words if word not in build.log] == [], build.log
    assert "Installing" not in build.log
    assert "Traceback" not in build.log
    assert not (space.buildpack_layers / "python").exists()
