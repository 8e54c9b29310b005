"""launch.toml, build.toml, store.toml: what the specification allows, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnb.launch import Label, Process, Slice, write_build_toml, write_launch_toml
from cnb.store import read_store, write_store
from cnb.toml import read_toml

WEB = Process(type="web", command=("python",), args=("-m", "app"), default=True)


def test_processes_labels_and_slices(tmp_path: Path) -> None:
    """The command is a list, there is no `direct`, and a working directory only where asked for."""
    worker = Process(type="Worker_1.x-y", command=("a", "b"), working_dir="/app/sub")
    write_launch_toml(
        tmp_path,
        [WEB, worker],
        [Label(key="a", value="1"), Label(key="b", value="")],
        [Slice(paths=("static/*", "media")), Slice(paths=())],
    )
    assert read_toml(tmp_path / "launch.toml") == {
        "processes": [
            {"type": "web", "command": ["python"], "args": ["-m", "app"], "default": True},
            {
                "type": "Worker_1.x-y",
                "command": ["a", "b"],
                "args": [],
                "default": False,
                "working-dir": "/app/sub",
            },
        ],
        "labels": [{"key": "a", "value": "1"}, {"key": "b", "value": ""}],
        "slices": [{"paths": ["static/*", "media"]}, {"paths": []}],
    }


def test_nothing_to_say_is_an_empty_file(tmp_path: Path) -> None:
    """An app without processes has none."""
    write_launch_toml(tmp_path, [])
    assert read_toml(tmp_path / "launch.toml") == {}


@pytest.mark.parametrize(
    ("processes", "words"),
    [
        ([Process(type="a b", command=("x",))], "process type"),
        ([Process(type="", command=("x",))], "process type"),
        ([Process(type="web\n", command=("x",))], "process type"),
        ([Process(type="wéb", command=("x",))], "process type"),
        ([WEB, Process(type="web", command=("x",))], "used twice"),
        ([WEB, Process(type="b", command=("x",), default=True)], "default"),
        ([Process(type="web", command=())], "no command"),
    ],
)
def test_forbidden_processes(tmp_path: Path, processes: list[Process], words: str) -> None:
    """The lifecycle does not notice all of these; none is written."""
    with pytest.raises(ValueError, match=words):
        write_launch_toml(tmp_path, processes)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_unique(tmp_path: Path) -> None:
    """A key is given once."""
    with pytest.raises(ValueError, match="label"):
        write_launch_toml(tmp_path, [], [Label(key="a", value="1"), Label(key="a", value="2")])


def test_unmet_entries(tmp_path: Path) -> None:
    """build.toml names what was asked for and is not there."""
    write_build_toml(tmp_path, ["node", "java"])
    assert read_toml(tmp_path / "build.toml") == {"unmet": [{"name": "node"}, {"name": "java"}]}


def test_the_store_comes_back(tmp_path: Path) -> None:
    """Its metadata outlives the build."""
    assert read_store(tmp_path) == {}
    write_store(tmp_path, {"seen": ["a"], "count": 2})
    assert read_store(tmp_path) == {"seen": ["a"], "count": 2}


@pytest.mark.parametrize("content", [b"metadata = 1\n", b"nonsense", b"\xff"])
def test_an_unreadable_store_is_empty(tmp_path: Path, content: bytes) -> None:
    """Nothing that matters is kept there alone."""
    (tmp_path / "store.toml").write_bytes(content)
    assert read_store(tmp_path) == {}
