"""Layers on disk: names, types, metadata, environment files, removal."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnb.layers import (
    EnvFile,
    LayerTypes,
    UnreadableLayer,
    layer,
    read_layer_metadata,
    remove_layer,
    write_layer_env,
    write_layer_toml,
)
from cnb.sbom import MEDIA_TYPES, sbom_path
from cnb.toml import read_toml, write_toml


@pytest.mark.parametrize("name", ["build", "launch", "store", "a.b", ".", "..", "a/b", ""])
def test_reserved_and_odd_names_are_refused(tmp_path: Path, name: str) -> None:
    """The lifecycle would take them for something else, or cut them at the dot."""
    with pytest.raises(ValueError, match="name of a layer"):
        layer(tmp_path, name)
    with pytest.raises(ValueError, match="name of a layer"):
        write_layer_toml(tmp_path, name, LayerTypes(), {})


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (LayerTypes(), (False, False, False)),
        (LayerTypes(launch=True), (True, False, False)),
        (LayerTypes(build=True, cache=True), (False, True, True)),
        (LayerTypes(launch=True, build=True, cache=True), (True, True, True)),
    ],
)
def test_types_are_always_written(
    tmp_path: Path, types: LayerTypes, expected: tuple[bool, bool, bool]
) -> None:
    """A restored TOML has none: unset flags would have the layer ignored."""
    write_layer_toml(tmp_path, "venv", types, {"key": {"a": 1}})
    table = read_toml(tmp_path / "venv.toml")
    assert table["types"] == dict(zip(("launch", "build", "cache"), expected, strict=True))
    assert table["metadata"] == {"key": {"a": 1}}
    assert set(table) == {"types", "metadata"}


def test_metadata_comes_back(tmp_path: Path) -> None:
    """What was written is read; before that there is none."""
    metadata = {"format": 1, "key": {"lines": ["a\n", 'b"c'], "flag": True}}
    assert read_layer_metadata(tmp_path, "venv") is None
    write_layer_toml(tmp_path, "venv", LayerTypes(launch=True), metadata)
    assert read_layer_metadata(tmp_path, "venv") == metadata


def test_a_file_without_metadata_has_empty_metadata(tmp_path: Path) -> None:
    """The lifecycle restores such a file where the last build wrote none."""
    (tmp_path / "venv.toml").write_text("")
    assert read_layer_metadata(tmp_path, "venv") == {}


@pytest.mark.parametrize("content", [b"metadata = 3\n", b"not toml", b"\xff\xfe", b"[metadata\n"])
def test_unreadable_metadata_is_told_apart(tmp_path: Path, content: bytes) -> None:
    """The caller decides what it means; it is not a crash."""
    (tmp_path / "venv.toml").write_bytes(content)
    with pytest.raises(UnreadableLayer, match=r"venv\.toml"):
        read_layer_metadata(tmp_path, "venv")


def test_toml_is_whole_or_not_there(tmp_path: Path) -> None:
    """A value that cannot be written leaves the old file, and nothing beside it."""
    path = tmp_path / "venv.toml"
    path.write_text("old = 1\n")
    for bad in ({"a": object()}, {"a": "\ud800"}):
        with pytest.raises((TypeError, UnicodeEncodeError)):
            write_toml(path, bad)
    assert [p.name for p in tmp_path.iterdir()] == ["venv.toml"]
    assert path.read_text() == "old = 1\n"


def test_removal_takes_everything_of_one_layer(tmp_path: Path) -> None:
    """Directory, TOML and SBOM files; of no other layer, however alike its name."""
    for name in ("venv", "venv-2"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / f"{name}.toml").write_text("")
        (tmp_path / f"{name}.sbom.cdx.json").write_text("{}")
    remove_layer(tmp_path, "venv")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "venv-2",
        "venv-2.sbom.cdx.json",
        "venv-2.toml",
    ]
    remove_layer(tmp_path, "venv")


def test_removal_does_not_follow_a_link(tmp_path: Path) -> None:
    """A link in a layer's place is removed, what it points at is not."""
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "file").write_text("x")
    layers = tmp_path / "layers"
    layers.mkdir()
    (layers / "python").symlink_to(target)
    remove_layer(layers, "python")
    assert not (layers / "python").exists()
    assert (target / "file").read_text() == "x"


def files_below(root: Path) -> dict[str, bytes]:
    """Relative path -> content."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_environment_files(tmp_path: Path) -> None:
    """Every suffix, scope and process; values verbatim, without a newline; `.delim` beside them."""
    write_layer_env(
        tmp_path,
        [
            EnvFile(name="A", value="1"),
            EnvFile(name="B", value="b", action="append", delim=":", scope="build"),
            EnvFile(name="C", value=" c\n", action="prepend", delim="", scope="launch"),
            EnvFile(name="D", value="d", action="default", scope="launch"),
            EnvFile(name="D", value="ä", action="default", scope="launch", process="web"),
        ],
    )
    assert files_below(tmp_path) == {
        "env/A.override": b"1",
        "env.build/B.append": b"b",
        "env.build/B.delim": b":",
        "env.launch/C.prepend": b" c\n",
        "env.launch/C.delim": b"",
        "env.launch/D.default": b"d",
        "env.launch/web/D.default": "ä".encode(),
    }


@pytest.mark.parametrize(
    "file",
    [
        EnvFile(name="A.B", value=""),
        EnvFile(name="A/B", value=""),
        EnvFile(name="A=B", value=""),
        EnvFile(name="", value=""),
        EnvFile(name="A", value="", process="web"),
        EnvFile(name="A", value="", scope="build", process="web"),
        EnvFile(name="A", value="", scope="launch", process="a/b"),
        EnvFile(name="A", value="", scope="launch", process=""),
    ],
)
def test_impossible_environment_files_are_refused(tmp_path: Path, file: EnvFile) -> None:
    """A dot in the name would be read as a suffix; processes exist at launch only."""
    with pytest.raises(ValueError):
        write_layer_env(tmp_path, [file])
    assert files_below(tmp_path) == {}


def test_sbom_files(tmp_path: Path) -> None:
    """One per media type, of a layer or of all that is for launch or build."""
    assert MEDIA_TYPES["cdx.json"] == "application/vnd.cyclonedx+json"
    assert MEDIA_TYPES["spdx.json"] == "application/spdx+json"
    assert MEDIA_TYPES["syft.json"] == "application/vnd.syft+json"
    assert sbom_path(tmp_path, "venv", "cdx.json") == tmp_path / "venv.sbom.cdx.json"
    assert sbom_path(tmp_path, "launch", "spdx.json") == tmp_path / "launch.sbom.spdx.json"
    for owner, extension in (("venv", "json"), ("a.b", "cdx.json"), ("store", "cdx.json")):
        with pytest.raises(ValueError):
            sbom_path(tmp_path, owner, extension)
