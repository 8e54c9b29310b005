"""What builds cost: bytes counted at the registry, and times, as one table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The state of the registry at a time: what it held, and how long its log was."""

    blobs: frozenset[str]
    log_size: int


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes that a repository received, and that builds and nodes fetched from it."""

    pushed: int
    fetched_by_builds: int
    fetched_by_nodes: int


class Registry:
    """Counts at the registry of a cluster: on its disk, and in its log."""

    def __init__(self, work: Path) -> None:
        self._data = work / "registry" / "docker" / "registry" / "v2"
        self._log = work / "logs" / "registry.log"

    def now(self) -> Moment:
        blobs = frozenset(path.parent.name for path in self._data.glob("blobs/sha256/*/*/data"))
        return Moment(blobs=blobs, log_size=self._log.stat().st_size)

    def blob(self, digest: str) -> Path:
        """The file that holds a blob."""
        value = digest.removeprefix("sha256:")
        return self._data / "blobs" / "sha256" / value[:2] / value / "data"

    def digests(self, repository: str) -> frozenset[str]:
        """All that a repository ever received: layers, configurations, manifests."""
        folder = self._data / "repositories" / repository
        links = (*folder.glob("_layers/*/*/link"), *folder.glob("_manifests/revisions/*/*/link"))
        return frozenset(link.parent.name for link in links)

    def traffic(self, since: Moment, *repositories: str) -> Traffic:
        """What moved to and from these repositories, and no others, since a moment."""
        new = frozenset().union(*(self.digests(name) for name in repositories)) - since.blobs
        fetched = {"builds": 0, "nodes": 0}
        with self._log.open("rb") as file:
            file.seek(since.log_size)
            for line in file:
                entry = json.loads(line) if line.startswith(b"{") else {}
                path = re.fullmatch(
                    r"/v2/(.+)/(blobs|manifests)/.*", str(entry.get("http.request.uri", ""))
                )
                if (
                    path
                    and path[1] in repositories
                    and entry.get("http.request.method") == "GET"
                    and "http.response.written" in entry
                ):
                    agent = str(entry.get("http.request.useragent", ""))
                    who = "nodes" if agent.startswith("containerd") else "builds"
                    fetched[who] += int(entry["http.response.written"])
        return Traffic(
            pushed=sum(self.blob(digest).stat().st_size for digest in new),
            fetched_by_builds=fetched["builds"],
            fetched_by_nodes=fetched["nodes"],
        )


def pod_seconds(pod: Mapping[str, Any]) -> float:
    """From the making of a build's pod to the end of its last step."""
    statuses = (
        *pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"]
    )  # fmt: skip
    ended = max(status["state"]["terminated"]["finishedAt"] for status in statuses)
    return (_time(ended) - _time(pod["metadata"]["creationTimestamp"])).total_seconds()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def step_seconds(log: str) -> float | None:
    """The time of the buildpack's own step, as its log has it; None where it did not run."""
    found = re.search(r"Python buildpack done in ([\d.]+) s", log)
    return float(found[1]) if found else None


@dataclass
class Ledger:
    """The costs of the builds of a run, in the order in which they were measured."""

    rows: list[Sequence[str]] = field(default_factory=list)

    def note(self, what: str, traffic: Traffic | None, pod: Mapping[str, Any], log: str) -> None:
        """A build; `traffic` is left out where others ran at the same time."""
        step = step_seconds(log)
        moved = (f"{traffic.pushed:,}", f"{traffic.fetched_by_builds:,}") if traffic else ("", "")
        self.rows.append(
            (what, *moved, f"{step:.2f}" if step is not None else "-", f"{pod_seconds(pod):.0f}")
        )

    def table(self) -> str:
        """As Markdown."""
        head = ("build", "bytes pushed", "bytes fetched", "build step, s", "whole pod, s")
        lines = [head, ("---", "--:", "--:", "--:", "--:"), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
