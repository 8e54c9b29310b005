"""Build Kubernetes' and kpack's own programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from go_tools import ensure_tools

KUBERNETES = "k8s.io/kubernetes"
KPACK = "github.com/pivotal/kpack"


def ensure_kubernetes(log: Callable[[str], None]) -> Path:
    """The directory that holds the programs of one node: control plane and kubelet."""
    programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
    return ensure_tools(
        "kubernetes",
        KUBERNETES,
        tuple(f"cmd/{program}" for program in programs),
        log,
        flags=_kubernetes_flags,
        minutes=8,
    )


def _kubernetes_flags(version: str) -> str:
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    base = "k8s.io/component-base/version"
    return " ".join(f"-X {base}.{name}={value}" for name, value in values.items())


def ensure_kpack(log: Callable[[str], None]) -> Path:
    """The directory that holds kpack's controller and the programs of its build pods."""
    programs = ("build-init", "build-waiter", "completion", "controller", "rebase")
    return ensure_tools(
        "kpack", KPACK, tuple(f"cmd/{program}" for program in programs), log, minutes=6
    )
