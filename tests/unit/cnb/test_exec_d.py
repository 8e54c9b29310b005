"""exec.d programs: where they go, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnb import exit_codes
from cnb.exec_d import exec_d_output, install_exec_d
from cnb.toml import read_toml

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(NAMES, VALUES))
def test_output_is_toml(tmp_path_factory: Any, variables: dict[str, str]) -> None:
    """Bare keys and basic strings, whatever the values hold."""
    output = exec_d_output(variables)
    path: Path = tmp_path_factory.getbasetemp() / "exec-d.toml"
    path.write_text(output, encoding="utf-8")
    assert read_toml(path) == variables
    assert output.count("\n") == len(variables)


@pytest.mark.parametrize("name", ["", "A-B", "1A", "A.B", "A B", "Ä", "A\n"])
def test_names_are_those_of_variables(name: str) -> None:
    """Anything else would be another key, or no variable."""
    with pytest.raises(ValueError, match="name of a variable"):
        exec_d_output({name: ""})


def test_installation(tmp_path: Path) -> None:
    """Executable, for all processes or for one."""
    source = tmp_path / "source"
    source.write_bytes(b"#!/bin/true\n")
    install_exec_d(tmp_path / "venv", "workers", source)
    install_exec_d(tmp_path / "venv", "workers", source, process="web")
    for path in ("exec.d/workers", "exec.d/web/workers"):
        found = tmp_path / "venv" / path
        assert found.read_bytes() == b"#!/bin/true\n"
        assert found.stat().st_mode & 0o777 == 0o755


def test_exit_codes() -> None:
    """As the specification numbers them."""
    assert (exit_codes.PASS, exit_codes.ERROR, exit_codes.FAIL) == (0, 1, 100)
