"""What nltk.txt names is in the image, where NLTK finds it."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

from tests.lifecycle.conftest import Host
from tests.lifecycle.test_app_steps import passed, reused, write_hook

import oci_layout
from local_platform import APP_IMAGE, Workspace, create, launch_environment

READ = """
import nltk
print(nltk.data.find("corpora/tiny"))
print(nltk.data.load("corpora/tiny/words.txt", format="raw"))
print(nltk.data.find("corpora/zipped/more.txt").open().read())
"""


def launched(space: Workspace, code: str) -> list[str]:
    """What Python prints, started by the real launcher as the user that owns the layers.

    NLTK reads no data that belongs to somebody else but root.
    """
    done = subprocess.run(
        ["launcher", "--", "python", "-c", code],
        executable=space.binaries / "launcher",
        env=launch_environment(space, 0),
        cwd=space.app,
        user=space.user,
        group=space.user,
        extra_groups=None if space.user is None else [],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def archive(name: str, text: str) -> bytes:
    """A package of the index: one directory with one file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(f"{name}/", "")
        file.writestr(name + ("/words.txt" if name == "tiny" else "/more.txt"), text)
    return data.getvalue()


def fill(host: Host) -> None:
    """An index of two packages and a collection."""
    tiny, zipped = archive("tiny", "one two\n"), archive("zipped", "three\n")
    host.files["/nltk/corpora/tiny.zip"] = tiny
    host.files["/nltk/corpora/zipped.zip"] = zipped
    host.files["/nltk/index.xml"] = (
        '<nltk_data><packages><package id="tiny" subdir="corpora" url="corpora/tiny.zip" '
        f'unzip="1" sha256_checksum="{hashlib.sha256(tiny).hexdigest()}"/>'
        '<package id="zipped" subdir="corpora" url="corpora/zipped.zip" unzip="0" '
        f'checksum="{hashlib.md5(zipped).hexdigest()}"/></packages>'
        '<collections><collection id="both"><item ref="tiny"/><item ref="zipped"/></collection>'
        "</collections></nltk_data>"
    ).encode()


def test_nltk_data(space: Workspace, host: Host, tmp_path: Path) -> None:
    """Fetched once, checked, found at launch; reused without a request, lent to a hook."""
    fill(host)
    app = tmp_path / "app"
    app.mkdir()
    (app / "requirements.txt").write_text("nltk\n")
    (app / "nltk.txt").write_text("# all of it\nboth\n")
    settings = {"BP_NLTK_INDEX": f"{host.url}/nltk/index.xml"}

    good = host.files["/nltk/corpora/tiny.zip"]
    host.files["/nltk/corpora/tiny.zip"] = good[:-1] + b"x"
    build = create(space, app, settings)
    assert build.code == 51 and "[checksum-mismatch]" in build.log, build.log
    host.files["/nltk/corpora/tiny.zip"] = good

    passed(create(space, app, settings))
    place = f"{space.buildpack_layers}/nltk-data/data/corpora/tiny"
    assert launched(space, READ) == [place, r"b'one two\n'", r"b'three\n'"]
    digest = oci_layout.read_image(space.layout, APP_IMAGE).digest
    asked = len(host.requests)
    assert reused(passed(create(space, app, settings))) == ["nltk-data", "python", "venv"]
    assert oci_layout.read_image(space.layout, APP_IMAGE).digest == digest
    assert len(host.requests) == asked

    find = (
        "import nltk; print(nltk.data.find('corpora/tiny'), nltk.data.find('corpora/zipped.zip'))"
    )
    write_hook(app, "post_compile", f'#!/bin/sh\npython -c "{find}"\n')
    for requests in (3, 0):
        asked = len(host.requests)
        build = passed(create(space, app, settings))
        assert f"{space.buildpack_layers}/nltk-data/data/corpora/tiny" in build.log
        assert reused(build) == ["nltk-data", "python", "venv"]
        assert len(host.requests) == asked + requests
    assert not (space.buildpack_layers / "nltk-data").exists()

    # From a copy in the app itself, with no network.
    shutil.rmtree(app / "bin")
    for name, data in host.files.items():
        (app / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        (app / name[1:]).write_bytes(data)
    build = passed(create(space, app, {"BP_NLTK_INDEX": "nltk/index.xml"}))
    assert "BP_NLTK_INDEX changed" in build.log
    assert len(host.requests) == asked + requests

    (app / "requirements.txt").write_text("")
    build = passed(create(space, app, settings))
    assert "nltk is not among the installed packages" in build.log
