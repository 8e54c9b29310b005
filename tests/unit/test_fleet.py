"""The simulation of a fleet: sums that can be done by hand, and its table in the docs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from benchmarks import fleet
from benchmarks.fleet import HEROKU, KEYED, MODELS, OURS, PAKETO, App, Event, Fleet, simulate

SMALL = App(
    name="small",
    share=1,
    layers={
        "ours": {"python": 20, "venv": 3, "pip-cache": 0},
        "plain": {"python": 30, "venv": 4, "pip-cache": 2},
    },
    rest=1,
    seconds={
        "ours patch": 36,
        "ours release": 3.6,
        "plain patch": 72,
        "plain reinstall": 54,
        "plain release": 18,
    },
)
FLEET = Fleet(apps=100, versions=2, nodes=10, replicas=2)


def test_a_runtime_patch() -> None:
    """Every app pushes both layers; the registry and each node get a version's runtime once."""
    cost = simulate(OURS, Event.PATCH, [SMALL], FLEET)
    assert cost.pushed == 100 * (20 + 3 + 1)
    assert cost.stored == 100 * (3 + 1) + 2 * 20
    assert cost.pulled == 100 * 2 * (3 + 1) + 10 * 2 * 20
    assert cost.cache == 0
    assert cost.hours == pytest.approx(1)


def test_a_buildpack_release() -> None:
    """Only the configuration moves; peers read their caches, and write what has not changed not."""
    ours, heroku, paketo, keyed = (simulate(m, Event.RELEASE, [SMALL], FLEET) for m in MODELS)
    assert {one.pushed for one in (ours, heroku, paketo, keyed)} == {100}
    assert (ours.cache, heroku.cache, paketo.cache) == (0, 100 * 32, 100 * 36)
    assert keyed.cache == paketo.cache
    assert heroku.hours == pytest.approx(15 * ours.hours)
    assert keyed.hours == pytest.approx(5 * ours.hours)
    assert ours.moved == 100 + 200


def test_caches_are_written_where_their_layers_change() -> None:
    """After a patch a cached runtime is read and written."""
    assert simulate(HEROKU, Event.PATCH, [SMALL], FLEET).cache == 100 * (32 + 30)
    assert simulate(PAKETO, Event.PATCH, [SMALL], FLEET).cache == 100 * (36 + 34)


def test_shares() -> None:
    """Two halves of the same app are that app."""
    halves = [dataclasses.replace(SMALL, share=0.5)] * 2
    for event in Event:
        assert simulate(KEYED, event, halves, FLEET) == simulate(KEYED, event, [SMALL], FLEET)


def test_the_docs_have_these_tables() -> None:
    """docs/performance.md shows what `make fleet` prints."""
    apps = fleet.read_apps(json.loads(fleet.FIGURES.read_text()))
    assert sum(app.share for app in apps) == pytest.approx(1)
    page = (Path(fleet.__file__).parent.parent / "docs" / "performance.md").read_text()
    assert "\n".join(fleet.render(apps, Fleet())).strip() in page
