"""What 10,000 apps cost after a runtime patch and after a buildpack release: bytes and hours.

The inputs are figures of real builds (fleet.json, written by fleet_builds.py); the layer models are
written down here. `make fleet` prints the tables of docs/performance.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("fleet.json")
PYTHON, PACKAGES = "python", "venv"


class Event(Enum):
    """Why all apps are built again."""

    PATCH = "runtime patch"
    RELEASE = "buildpack release"


@dataclass(frozen=True, kw_only=True)
class Model:
    """How a buildpack types its layers, and what it makes anew.

    `made` are the layers that a build runs the installer or the unpacker for, `changed` those of
    them that come out as other bytes: only these are pushed and stored. `cached` are layers that
    are unpacked at the start of each build and packed and hashed at its end. `timed` names the
    measured build that is like it.
    """

    name: str
    cached: tuple[str, ...]
    made: Mapping[Event, tuple[str, ...]]
    changed: Mapping[Event, tuple[str, ...]]
    timed: Mapping[Event, str]


_BOTH = (PYTHON, PACKAGES)
OURS = Model(
    name="this buildpack",
    cached=(),
    made={Event.PATCH: _BOTH, Event.RELEASE: ()},
    changed={Event.PATCH: _BOTH, Event.RELEASE: ()},
    timed={Event.PATCH: "ours patch", Event.RELEASE: "ours release"},
)
# The installer runs in each build, from pip's cache; the bytes come out the same, at best.
HEROKU = Model(
    name="Heroku's layers",
    cached=(PYTHON, "pip-cache"),
    made={Event.PATCH: _BOTH, Event.RELEASE: (PACKAGES,)},
    changed={Event.PATCH: _BOTH, Event.RELEASE: ()},
    timed={Event.PATCH: "plain patch", Event.RELEASE: "plain reinstall"},
)
PAKETO = Model(
    name="Paketo's layers",
    cached=(PYTHON, PACKAGES, "pip-cache"),
    made=HEROKU.made,
    changed=HEROKU.changed,
    timed=HEROKU.timed,
)
# No peer does so well: layers of which nothing changed are left as they were restored.
KEYED = Model(
    name="cached layers, reused by key",
    cached=PAKETO.cached,
    made=OURS.made,
    changed=OURS.changed,
    timed={Event.PATCH: "plain patch", Event.RELEASE: "plain release"},
)
MODELS = (OURS, HEROKU, PAKETO, KEYED)


@dataclass(frozen=True, kw_only=True)
class App:
    """An app of the fleet, as measured: compressed bytes by layer, seconds by build.

    `layers` also has the `pip-cache` of the plain recipe, `rest` are the image's other bytes that
    each build writes anew: its configuration.
    """

    name: str
    share: float
    layers: Mapping[str, Mapping[str, int]]
    rest: int
    seconds: Mapping[str, float]

    def size(self, model: Model, layer: str) -> int:
        """Bytes of a layer as this model makes it."""
        return self.layers["ours" if model is OURS else "plain"][layer]


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """How many apps there are, on how many versions of Python, run by how many nodes."""

    apps: int = 10_000
    versions: int = 3
    nodes: int = 500
    replicas: int = 2


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes and hours of one event, for the whole fleet."""

    pushed: float
    stored: float
    pulled: float
    cache: float
    hours: float

    @property
    def moved(self) -> float:
        """All bytes that cross the network, where the cache is a registry."""
        return self.pushed + self.pulled + self.cache


def simulate(model: Model, event: Event, apps: Sequence[App], fleet: Fleet) -> Cost:
    """What the event costs.

    Each app has a repository of its own, so each pushes its layers; the registry keeps equal ones
    once, and a node pulls them once. The runtime of a version is the same layer in all apps, of
    every model. Caches are read in each build, and written where a cached layer has changed.
    """
    changed = model.changed[event]
    pushed = stored = pulled = cache = hours = 0.0
    for app in apps:
        count = fleet.apps * app.share
        new = sum(app.size(model, layer) for layer in changed)
        own = sum(app.size(model, layer) for layer in changed if layer != PYTHON)
        pushed += count * (new + app.rest)
        stored += count * (own + app.rest)
        pulled += count * fleet.replicas * (own + app.rest)
        read = sum(app.size(model, layer) for layer in model.cached)
        written = sum(app.size(model, layer) for layer in model.cached if layer in changed)
        cache += count * (read + written)
        hours += count * app.seconds[model.timed[event]] / 3600
    if PYTHON in changed:
        runtime = max(app.size(model, PYTHON) for app in apps)
        stored += fleet.versions * runtime
        pulled += fleet.nodes * fleet.versions * runtime
    return Cost(pushed=pushed, stored=stored, pulled=pulled, cache=cache, hours=hours)


def read_apps(table: Mapping[str, Any]) -> tuple[App, ...]:
    """The apps of fleet.json."""
    return tuple(App(name=name, **entry) for name, entry in table["apps"].items())


def render(apps: Sequence[App], fleet: Fleet) -> list[str]:
    """The tables, in Markdown."""
    lines = []
    for event in Event:
        lines += [
            f"| {event.value} | pushed | stored anew | pulled by nodes | through caches "
            "| all bytes moved | machine hours | ratio of hours |",
            "|---|---|---|---|---|---|---|---|",
        ]
        ours = simulate(OURS, event, apps, fleet).hours
        for model in MODELS:
            cost = simulate(model, event, apps, fleet)
            cells = [
                shown(n) for n in (cost.pushed, cost.stored, cost.pulled, cost.cache, cost.moved)
            ]
            lines.append(
                f"| {model.name} | {' | '.join(cells)} | {cost.hours:.0f} | {cost.hours / ours:.1f} |"
            )
        lines.append("")
    return lines


def shown(size: float) -> str:
    """Bytes in GB, small ones in MB."""
    return f"{size / 1e9:,.0f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def main() -> int:
    fleet = Fleet()
    apps = read_apps(json.loads(FIGURES.read_text()))
    mix = ", ".join(f"{app.share:.0%} like {app.name}" for app in apps)
    print(
        f"{fleet.apps:,} apps ({mix}) on {fleet.versions} versions of Python, "
        f"{fleet.replicas} replicas each on {fleet.nodes} nodes\n"
    )
    print("\n".join(render(apps, fleet)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
