"""The cluster itself. Here it comes up and goes, before the other tests need theirs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from tests.kpack.conftest import say

from kubernetes_cluster import cluster, leftovers


class Failure(Exception):
    """What goes wrong in the test."""


def test_a_failure_leaves_nothing_behind() -> None:
    """With a pod running and something going wrong, all of it is taken down again."""
    with tempfile.TemporaryDirectory(prefix="pycnb-kpack-") as name:
        work = Path(name)
        with pytest.raises(Failure), cluster(work, say) as node:
            node.kubectl("wait", "--for=create", "--timeout=2m", "serviceaccount/default")
            node.kubectl("run", "idle", f"--image={node.registry}/pause:1", "--restart=Never")
            node.kubectl("wait", "--for=condition=Ready", "--timeout=2m", "pod/idle")
            assert {line.partition(":")[0] for line in leftovers(work)} == {
                "process", "mount", "network namespace", "file", "cgroup", "firewall rule",
                "network device",
            }  # fmt: skip
            raise Failure
        assert leftovers(work) == []
