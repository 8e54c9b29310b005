"""docs/security.md names the variables that stop a build, and every type of binding."""

from __future__ import annotations

from pathlib import Path

from python_buildpack.forbidden import FORBIDDEN

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text()


def test_forbidden_variables() -> None:
    """The table is made from the code."""
    rows = [f"| `{name}` | {reason} |" for name, reason in FORBIDDEN.items()]
    table = "\n".join(["| variable | why |", "|---|---|", *rows])
    assert table in TEXT


def test_types_of_bindings() -> None:
    """Each has its row."""
    for kind in (
        "pip", "netrc", "uv", "poetry", "pypi-index", "ca-certificates", "dependency-mirror",
        "dependency-mapping",
    ):  # fmt: skip
        assert f"| `{kind}` |" in TEXT
