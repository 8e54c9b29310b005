"""Service bindings, in the new form and in the older ones."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from cnb.bindings import UnreadableBinding, read_bindings


def bind(root: Path, name: str, **entries: str) -> Path:
    """A binding of the new form."""
    folder = root / name
    folder.mkdir(parents=True)
    for key, value in entries.items():
        (folder / key).write_text(value)
    return folder


def test_new_form(tmp_path: Path) -> None:
    """$SERVICE_BINDING_ROOT/<name>/{type,provider,entries}, by name; types ignore case."""
    bind(tmp_path, "z-index", type="PyPI-Index\n", provider=" corp \n", url="https://x\n")
    bind(tmp_path, "a-pip", type="pip", **{"pip.conf": "[global]\n"})
    first, second = read_bindings(Path("/platform"), {"SERVICE_BINDING_ROOT": str(tmp_path)})
    assert (first.name, first.type, first.keys) == ("a-pip", "pip", ("pip.conf",))
    assert (second.type, second.provider, second.keys) == ("pypi-index", "corp", ("url",))
    # An entry's bytes are the entry's: a newline may be part of a secret.
    assert second.read("url") == b"https://x\n"


def test_mounted_secrets(tmp_path: Path) -> None:
    """Kubernetes mounts entries as links into a hidden directory, which is no entry itself."""
    folder = tmp_path / "index"
    (folder / "..2026_01_01").mkdir(parents=True)
    (folder / "..data").symlink_to("..2026_01_01")
    for name, value in {"type": "netrc", ".netrc": "x", "netrc": "machine x"}.items():
        (folder / "..2026_01_01" / name).write_text(value)
        (folder / name).symlink_to(f"..data/{name}")
    (tmp_path / "..data").mkdir()
    (binding,) = read_bindings(Path("/platform"), {"SERVICE_BINDING_ROOT": str(tmp_path)})
    assert (binding.type, binding.keys) == ("netrc", ("netrc",))
    assert binding.read("netrc") == b"machine x"


def test_platform_directory(tmp_path: Path) -> None:
    """Without $SERVICE_BINDING_ROOT, <platform>/bindings counts."""
    bind(tmp_path / "bindings", "certs", type="ca-certificates", **{"a.pem": "x"})
    (binding,) = read_bindings(tmp_path, {})
    assert (binding.type, binding.keys) == ("ca-certificates", ("a.pem",))
    other = tmp_path / "other"
    other.mkdir()
    assert read_bindings(tmp_path, {"SERVICE_BINDING_ROOT": str(other)}) == ()


def test_older_form(tmp_path: Path) -> None:
    """`metadata/kind` and `secret/` of the former CNB bindings; $CNB_BINDINGS names their place."""
    folder = tmp_path / "index"
    for name in ("metadata", "secret"):
        (folder / name).mkdir(parents=True)
    (folder / "metadata" / "kind").write_text("pip\n")
    (folder / "metadata" / "provider").write_text("corp")
    (folder / "secret" / "pip.conf").write_text("[global]\n")
    (binding,) = read_bindings(Path("/platform"), {"CNB_BINDINGS": str(tmp_path)})
    assert (binding.type, binding.provider, binding.keys) == ("pip", "corp", ("pip.conf",))
    assert binding.read("pip.conf") == b"[global]\n"


def test_what_is_no_binding(tmp_path: Path) -> None:
    """Directories without a type, files, hidden directories and a missing root."""
    bind(tmp_path, "no-type", url="x")
    bind(tmp_path, "empty-type", type=" \n")
    bind(tmp_path, ".hidden", type="pip")
    (tmp_path / "file").write_text("x")
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "type").write_bytes(b"\xff\xfe")
    assert read_bindings(Path("/platform"), {"SERVICE_BINDING_ROOT": str(tmp_path)}) == ()
    assert read_bindings(tmp_path / "nothing", {}) == ()


@pytest.mark.parametrize("closed", [".", "index", "index/type"])
def test_what_may_not_be_read_is_not_ignored(closed: str) -> None:
    """Bindings of another user's, one, or its type alone: the build would go on without them."""
    with tempfile.TemporaryDirectory() as name:  # pytest's are closed to others
        root = Path(name)
        bind(root, "index", type="pypi-index", url="https://x")
        root.chmod(0o755)
        (root / closed).chmod(0)
        user = os.geteuid()
        os.seteuid(user or 65534)
        try:
            with pytest.raises(UnreadableBinding) as caught:
                read_bindings(Path("/platform"), {"SERVICE_BINDING_ROOT": name})
        finally:
            os.seteuid(user)
            (root / closed).chmod(0o700)
    found = caught.value
    place = f"{name}/*" if closed == "." else "index"
    assert (found.name, found.key, found.why) == (place, "type", "Permission denied")
