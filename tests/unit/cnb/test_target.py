"""The target: the platform's word, else this machine's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnb import target
from cnb.target import read_target


def test_the_platform_says_all(tmp_path: Path) -> None:
    """Nothing of this machine is mixed in."""
    environ = {
        "CNB_TARGET_OS": "linux",
        "CNB_TARGET_ARCH": "arm",
        "CNB_TARGET_ARCH_VARIANT": "v7",
        "CNB_TARGET_DISTRO_NAME": "ubuntu",
        "CNB_TARGET_DISTRO_VERSION": "24.04",
    }
    found = read_target(environ, tmp_path / "os-release")
    assert (found.os, found.arch, found.variant) == ("linux", "arm", "v7")
    assert (found.distro_name, found.distro_version) == ("ubuntu", "24.04")


@pytest.mark.parametrize(
    ("machine", "arch"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")]
)
def test_older_platforms_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, arch: str
) -> None:
    """The build image's os-release and the machine stand in, under the names of OCI."""
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "", "", "", machine)))
    path = tmp_path / "os-release"
    path.write_text("# a comment = no\nID=debian\nVERSION_ID=\"12\"\nNAME='De bian'\nodd\n")
    found = read_target({}, path)
    assert (found.os, found.arch, found.variant) == ("linux", arch, "")
    assert (found.distro_name, found.distro_version) == ("debian", "12")


def test_an_empty_value_is_none(tmp_path: Path) -> None:
    """A platform that sets a variable to nothing says nothing."""
    path = tmp_path / "os-release"
    path.write_text("ID=alpine\n")
    found = read_target({"CNB_TARGET_OS": "", "CNB_TARGET_DISTRO_NAME": ""}, path)
    assert (found.os, found.distro_name, found.distro_version) == ("linux", "alpine", "")


def test_the_vendors_file_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/etc/os-release may be missing; without both the distribution is unknown."""
    vendor = tmp_path / "vendor"
    monkeypatch.setattr(target, "_OS_RELEASE_OF_VENDOR", vendor)
    assert read_target({}, tmp_path / "nothing").distro_name == ""
    vendor.write_bytes(b"ID=odd\xff\n")
    assert read_target({}, tmp_path / "nothing").distro_name.startswith("odd")
