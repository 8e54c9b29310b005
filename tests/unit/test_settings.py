"""Settings that are misspelt."""

from __future__ import annotations

import pytest

from python_buildpack.errors import UserError
from python_buildpack.settings import TABLE, given_settings, misspelt_settings, read_settings


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


@pytest.mark.parametrize("name", [row.name for row in TABLE if row.kind == "true|false"])
def test_words_for_true_and_false(name: str) -> None:
    """As detect takes them; anything else is an error."""
    on, off = read_settings({name: "true"}), read_settings({name: "false"})
    for word in ("1", "YES", "on", "True"):
        assert read_settings({name: word}) == on
    for word in ("0", "no", "OFF", ""):
        assert read_settings({name: word or "false"}) == off
    assert (on != off) == (name != "BP_PYTHON_DISABLE")  # that one is detect's
    with pytest.raises(UserError, match="maybe"):
        read_settings({name: "maybe"})


def test_a_level_of_other_buildpacks() -> None:
    """BP_LOG_LEVEL is for all of a builder's: a level that is not known here ends no build."""
    assert not read_settings({"BP_LOG_LEVEL": "WARN"}).debug
    assert read_settings({"BP_LOG_LEVEL": "DEBUG"}).debug


def test_what_is_no_url_is_told_without_its_text() -> None:
    """The log at debug level names the settings before one of them is found wrong."""
    given = {"BP_DEPENDENCY_MIRROR": "https://u:s3cret@[bad", "BP_PYLOCK": "dev"}
    assert given_settings(given) == ["BP_DEPENDENCY_MIRROR=…", "BP_PYLOCK=dev"]
