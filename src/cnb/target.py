"""The target that the image is built for (buildpack.md, Targets)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_OS_RELEASE_OF_VENDOR = Path("/usr/lib/os-release")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """Empty text where something is unknown."""

    os: str
    arch: str
    variant: str
    distro_name: str
    distro_version: str

    @property
    def distribution(self) -> str:
        return f"{self.distro_name} {self.distro_version}".strip()


def read_target(environ: Mapping[str, str], os_release: Path = Path("/etc/os-release")) -> Target:
    """The platform's word, else what this machine is (os-release(5))."""
    machine = os.uname().machine
    distro = _read_os_release(os_release) or _read_os_release(_OS_RELEASE_OF_VENDOR)
    return Target(
        os=environ.get("CNB_TARGET_OS") or "linux",
        arch=environ.get("CNB_TARGET_ARCH") or _ARCHITECTURES.get(machine, machine),
        variant=environ.get("CNB_TARGET_ARCH_VARIANT", ""),
        distro_name=environ.get("CNB_TARGET_DISTRO_NAME") or distro.get("ID", ""),
        distro_version=environ.get("CNB_TARGET_DISTRO_VERSION") or distro.get("VERSION_ID", ""),
    )


def _read_os_release(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (
        line.partition("=")
        for line in text.splitlines()
        if "=" in line and not line.startswith("#")
    )
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
