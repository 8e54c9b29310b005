"""BP_KEEP_DOWNLOADS: what is there already is not fetched again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_wheel

from local_platform import Workspace, create


@pytest.mark.parametrize("installer", ["uv", "pip"])
@pytest.mark.parametrize("keep", [True, False])
def test_keep_downloads(
    space: Workspace, index: SimpleIndex, app: Path, installer: str, keep: bool
) -> None:
    """A requirement is added: only its own wheel is fetched, where they are kept."""
    for name in ("one", "two"):
        index.add(write_wheel(Distribution(name=name), app.parent / "wheels"))
    settings = {
        "PIP_INDEX_URL": index.url,
        "BP_PIP_INSTALLER": installer,
        "BP_KEEP_DOWNLOADS": str(keep).lower(),
        # pip keeps nothing of a host that it does not trust.
        **({"PIP_TRUSTED_HOST": "127.0.0.1"} if installer == "pip" else {}),
    }
    fetched = []
    for requirements in ("one\n", "one\ntwo\n"):
        (app / "requirements.txt").write_text(requirements)
        before = len(index.downloads())
        done = create(space, app, settings)
        assert done.code == 0, done.log
        fetched.append({name.partition("-")[0] for name in index.downloads()[before:]})
    assert fetched == [{"one"}, {"two"} if keep else {"one", "two"}]
