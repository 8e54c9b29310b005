"""Settings that are misspelt."""

from __future__ import annotations

import pytest

from python_buildpack.settings import TABLE, misspelt_settings


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BP_CPYTHON_VERSON", "BP_CPYTHON_VERSION"),
        ("BP_PYTHON_VERSION", "BP_CPYTHON_VERSION"),
        ("BP_PIP_REQUIREMENTS", "BP_PIP_REQUIREMENT"),
        ("BP_PYTHON_GROUP", "BP_PYTHON_GROUPS"),
        ("BP_NODE_VERSION", None),
        ("BP_PIP_VERSION", None),
        ("BPL_DEBUG_ENABLED", None),
    ],
)
def test_a_near_miss_is_told(name: str, meant: str | None) -> None:
    """Other buildpacks' settings are not."""
    assert misspelt_settings({name: "1"}) == ({name: meant} if meant else {})


def test_what_is_set_rightly_too_is_another_buildpacks() -> None:
    """Both may be set for two builders."""
    assert misspelt_settings({"BP_PYTHON_VERSION": "3", "BP_CPYTHON_VERSION": "3"}) == {}
    assert misspelt_settings({row.name: "1" for row in TABLE}) == {}
