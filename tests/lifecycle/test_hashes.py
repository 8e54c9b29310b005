"""Every package is held to a hash: the index's own where the app states none."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from tests.lifecycle.conftest import Host

from cnb.toml import read_toml
from local_platform import Workspace, create

WHEEL = "lonely-1.0-py3-none-any.whl"


@pytest.fixture
def index(host: Host, flask_app: Path) -> Host:
    """An index with one package, which the app requires."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as wheel:
        wheel.writestr("lonely.py", "")
        info = "lonely-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    host.files[f"/{WHEEL}"] = data.getvalue()
    (flask_app / "requirements.txt").write_text(f"--index-url {host.url}/simple/\nlonely\n")
    (flask_app / "Procfile").write_text("web: python app.py\n")
    return host


def listed(index: Host, fragment: str) -> None:
    """Have the index name the wheel, with or without a hash."""
    index.files["/simple/lonely/"] = f'<a href="/{WHEEL}{fragment}">{WHEEL}</a>'.encode()


def test_the_hash_of_the_index_is_kept_in_the_metadata(
    space: Workspace, index: Host, flask_app: Path
) -> None:
    """The layer's metadata says which file a package came from."""
    digest = hashlib.sha256(index.files[f"/{WHEEL}"]).hexdigest()
    listed(index, f"#sha256={digest}")
    build = create(space, flask_app, {"BP_REQUIRE_HASHES": "true"})
    assert build.code == 0, build.log
    metadata = read_toml(space.buildpack_layers / "venv.toml")["metadata"]
    assert metadata["artifacts"] == {"lonely": {"file": WHEEL, "sha256": digest}}
    assert "1 package installed and byte-compiled\n" in build.log


def test_a_file_that_is_not_what_the_index_says(
    space: Workspace, index: Host, flask_app: Path
) -> None:
    """The build stops, with both digests."""
    digest = hashlib.sha256(index.files[f"/{WHEEL}"]).hexdigest()
    listed(index, f"#sha256={'0' * 64}")
    build = create(space, flask_app)
    assert build.code != 0
    assert "[install-hash-mismatch]" in build.log
    assert "0" * 64 in build.log and digest in build.log
    assert not (space.buildpack_layers / "venv.toml").exists()


def test_a_package_without_a_hash(space: Workspace, index: Host, flask_app: Path) -> None:
    """It is named in the log, and is an error where hashes are asked for."""
    line = f"lonely @ {index.url}/{WHEEL}"
    (flask_app / "requirements.txt").write_text(line + "\n")
    build = create(space, flask_app)
    assert build.code == 0, build.log
    assert (
        "1 package installed and byte-compiled; no hash vouches for lonely (a URL without a hash)"
        in build.log
    )
    for installer in ("uv", "pip"):
        settings = {"BP_REQUIRE_HASHES": "true", "BP_PIP_INSTALLER": installer}
        build = create(space, flask_app, settings)
        assert build.code != 0
        assert "[hashes-missing]" in build.log
        assert "lonely (a URL without a hash)" in build.log
    digest = hashlib.sha256(index.files[f"/{WHEEL}"]).hexdigest()
    (flask_app / "requirements.txt").write_text(f"{line}#sha256={digest}\n")
    build = create(space, flask_app, {"BP_REQUIRE_HASHES": "true"})
    assert build.code == 0, build.log


@pytest.mark.parametrize(
    ("switch", "installer"), [("PIP_REQUIRE_HASHES", "uv"), ("UV_REQUIRE_HASHES", "auto")]
)
def test_the_tools_own_switches(
    space: Workspace, index: Host, flask_app: Path, switch: str, installer: str
) -> None:
    """pip's and uv's demand that the app states every hash holds for whichever of them installs."""
    listed(index, f"#sha256={hashlib.sha256(index.files[f'/{WHEEL}']).hexdigest()}")
    build = create(space, flask_app, {switch: "1", "BP_PIP_INSTALLER": installer})
    assert build.code != 0
    assert "--require-hashes" in build.log
    assert not (space.buildpack_layers / "venv.toml").exists()
