"""The README's table of settings is the code's."""

from __future__ import annotations

from pathlib import Path

from python_buildpack.settings import markdown_table

README = Path(__file__).resolve().parent.parent.parent / "README.md"


def test_settings_table() -> None:
    """Between its marks the README holds the table as the code renders it."""
    text = README.read_text()
    between = text.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert between == markdown_table()
