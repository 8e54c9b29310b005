"""What fuzzing found: each is an error for the user now, or means nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cnb.bindings import Binding
from python_buildpack.app.files import AppFiles
from python_buildpack.app_steps.nltk_index import parse_index
from python_buildpack.errors import UserError
from python_buildpack.layers import changed_lines
from python_buildpack.log import Log
from python_buildpack.managers import pip, pyproject
from python_buildpack.managers.requirement_files import read_requirements
from python_buildpack.managers.script import script_metadata
from python_buildpack.packages.package_sources import parse_source
from python_buildpack.packages.pip_config import read_pip_options
from python_buildpack.packages.venv import (
    create_venv,
    installed_distributions,
    site_packages,
    tidy,
)
from python_buildpack.runtime.mirrors import replaced_url
from python_buildpack.settings import read_settings


def error_of(run: object, *arguments: object, **named: object) -> str:
    """The id of the user's error that comes of a call."""
    assert callable(run)
    with pytest.raises(UserError) as caught:
        run(*arguments, **named)
    return caught.value.id


def test_extras_of_no_project(tmp_path: Path) -> None:
    """Groups alone, and an extra asked for."""
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\ndev = ["a"]\n')
    chosen = {"BP_PYTHON_GROUPS": "dev", "BP_PYTHON_EXTRAS": "pg"}
    assert error_of(pyproject.read, AppFiles(tmp_path), read_settings(chosen)) == "extra-unknown"


@pytest.mark.parametrize("name", ["a" * 300, "b/" * 3000, "c\0d"])
def test_names_that_no_file_system_takes(tmp_path: Path, name: str) -> None:
    """They are missing files."""
    (tmp_path / "requirements.txt").write_text(f"-r {name}\n")
    read = error_of(read_requirements, AppFiles(tmp_path), ["requirements.txt"], {})
    assert read == "requirements-file-missing"


def test_directories_of_the_machine_are_no_input(tmp_path: Path) -> None:
    """A path that leads out of the app is not read, however much lies there."""
    (tmp_path / "app").mkdir()
    (tmp_path / "secret").write_text("")
    (tmp_path / "app" / "requirements.txt").write_text("-e ..\n../..\n/\n")
    declared = pip.read(AppFiles(tmp_path / "app"), read_settings({}))
    assert set(declared.inputs) == {"requirements.txt"}


def test_nul_in_configuration(tmp_path: Path) -> None:
    """It could stand in no variable."""
    (tmp_path / "pip.conf").write_bytes(b"[global]\nindex-url = \0\n")
    assert error_of(read_pip_options, {}, [tmp_path / "pip.conf"]) == "file-unreadable"
    assert error_of(parse_source, "here", "https://a/\0") == "index-url-invalid"
    assert error_of(parse_source, "here", "//[") == "index-url-invalid"


def test_variables_that_are_no_text() -> None:
    """They could be written into no layer's metadata."""
    assert error_of(read_settings, {"PIP_X": "\udc80"}) == "setting-invalid"
    assert error_of(read_settings, {"PIP_\udc80INDEX_URL": "x"}) == "setting-invalid"
    for name in ("BP_PIP_FIND_LINKS", "BP_PYTHON_RELEASES", "PIP_PROXY"):
        assert error_of(read_settings, {name: "https://[x]/"}) == "setting-invalid"
        assert error_of(read_settings, {name: "https://u:s3cret@["}) == "setting-invalid"
    assert read_settings({"OTHER": "\udc80", "BP_PYTHON_GROUPS": "é"}).groups == ("é",)


@pytest.mark.parametrize("text", ["//[", "https://[", "ftp://a"])
def test_mirrors_that_are_no_url(tmp_path: Path, text: str) -> None:
    """An unreadable binding."""
    (tmp_path / "default").write_text(text)
    bound = Binding(
        name="m", type="dependency-mirror", provider="", path=tmp_path, keys=("default",)
    )
    assert error_of(replaced_url, "https://a/b", "0", None, [bound]) == "binding-unreadable"


def test_odd_metadata_of_layers_and_packages(tmp_path: Path) -> None:
    """Lists of lists where lines should be; a package without a name."""
    assert changed_lines({"a": [[1], "x"]}, {}) == ["removed x"]
    create_venv(tmp_path / "venv", Path("/python3.13"))
    info = site_packages(tmp_path / "venv") / "a-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name:\nVersion: 1\n")
    assert installed_distributions(tmp_path / "venv") == ()


def test_halves_of_characters_are_printed() -> None:
    """JSON can name a package so, which then is in the error."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    log = Log(stream, debug=True)
    log.error(UserError("lock-unusable", "Pipfile.lock: default.\ud800base", "\ud800base"))
    log.warning("\ud800base")
    log.debug("\ud800base")
    stream.seek(0)
    assert stream.read().count("\\ud800base") == 4


@pytest.mark.parametrize("text", ["x" + ".a" * 2000 + " = 1\n", "[x" + ' . "a"' * 2000 + "]\n"])
def test_keys_of_thousands_of_parts(tmp_path: Path, text: str) -> None:
    """Tables within tables, which no digest could follow."""
    (tmp_path / "pyproject.toml").write_text(f"{text}[project]\nname = 'a'\n")
    assert error_of(AppFiles(tmp_path).toml, "pyproject.toml") == "file-unreadable"
    script = "# /// script\n# " + text.rstrip() + "\n# ///\n"
    assert error_of(script_metadata, script.encode(), "run.py") == "script-metadata-invalid"


def test_an_origin_that_is_no_text(tmp_path: Path) -> None:
    """No record of an origin at all."""
    create_venv(tmp_path / "venv", Path("/python3.13"))
    info = site_packages(tmp_path / "venv") / "a-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: a\nVersion: 1.0\n")
    (info / "direct_url.json").write_text('{"url": "https://\\ud800/a.whl", "archive_info": {}}')
    tidy(tmp_path / "venv")
    assert [one.direct_url for one in installed_distributions(tmp_path / "venv")] == [{}]


def test_nltk_data_at_no_url() -> None:
    """As if it were not listed."""
    listed = '<x><package id="a" subdir="corpora" url="http://[::1a.zip" checksum="00"/></x>'
    assert error_of(parse_index, listed.encode(), "here", "https://a/") == "nltk-index-unusable"
