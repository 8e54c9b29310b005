"""A directory in one file, and back."""

from __future__ import annotations

import builtins
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from python_buildpack.kept_trees import keep_tree, restore_tree


def make_tree(root: Path) -> None:
    """Files of several sizes and modes, links, empty directories, byte code."""
    (root / "bin").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "bin" / "tool").write_bytes(b"#!/x\n")
    (root / "bin" / "tool").chmod(0o755)
    (root / "bin" / "link").symlink_to("/somewhere/else")
    (root / "linked").symlink_to("bin")
    (root / "large").write_bytes(random.Random(1).randbytes(3_000_000))
    (root / "none").write_bytes(b"")
    (root / "ünï \n name").write_bytes(b"x")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "a.pyc").write_bytes(b"code")


def tree(root: Path) -> dict[str, Any]:
    """Everything below `root`."""
    found: dict[str, Any] = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o111))
        else:
            found[name] = "directory"
    return found


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
@pytest.mark.parametrize("byte_code", [True, False])
def test_there_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, byte_code: bool
) -> None:
    """Bytes, modes and links; byte code only where it is wanted; with and without zstandard."""
    if compression == "gzip":
        real = builtins.__import__

        def without(name: str, *rest: Any) -> Any:
            if name == "zstandard":
                raise ImportError
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", without)
    make_tree(tmp_path / "tree")
    kept = tmp_path / "cache" / "kept"
    keep_tree(tmp_path / "tree", kept, byte_code=byte_code)
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "stale").write_text("")
    assert restore_tree(kept, tmp_path / "back")
    expected = tree(tmp_path / "tree")
    if not byte_code:
        expected = {name: one for name, one in expected.items() if "__pycache__" not in name}
    assert tree(tmp_path / "back") == expected


def test_files_are_read_in_pieces(tmp_path: Path) -> None:
    """A library of some gigabytes needs no such memory."""
    size = 100_000_000
    (tmp_path / "tree").mkdir()
    with (tmp_path / "tree" / "libtorch_cuda.so").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    keep_tree(tmp_path / "tree", tmp_path / "kept", byte_code=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2


def test_absent(tmp_path: Path) -> None:
    """A cache that was cleared."""
    assert not restore_tree(tmp_path / "kept", tmp_path / "back")


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "other"])
def test_damaged(tmp_path: Path, damage: str) -> None:
    """It counts as absent, and is removed; nothing of it is left."""
    make_tree(tmp_path / "tree")
    kept = tmp_path / "kept"
    keep_tree(tmp_path / "tree", kept, byte_code=True)
    data = kept.read_bytes()
    middle = len(data) // 2
    kept.write_bytes(
        {
            "cut": data[:middle],
            "changed": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "emptied": b"",
            "other": b"something else entirely",
        }[damage]
    )
    assert not restore_tree(kept, tmp_path / "back")
    assert not kept.exists()
    assert not (tmp_path / "back").exists()
