"""What users read is what the code does: the tables of settings and of support dates."""

from __future__ import annotations

from pathlib import Path

from packaging.version import Version

from python_buildpack.releases import DEFAULT_MINOR, builtin_support
from python_buildpack.settings import markdown_table

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"
VERSIONS = ROOT / "docs" / "python-versions.md"


def test_settings_table() -> None:
    """Between its marks the README holds the table as the code renders it."""
    text = README.read_text()
    between = text.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert between == markdown_table()


def test_support_dates() -> None:
    """The page on Python versions has the dates of the data, and the default."""
    rows = ["| Python | security fixes until | refused from | offered |", "|---|---|---|---|"]
    support = builtin_support()
    for minor in sorted(support, key=Version, reverse=True):
        dates = support[minor]
        where = f"on {' and '.join(dates.only_on)}" if dates.only_on else "everywhere"
        rows.append(f"| {minor} | {dates.end_of_life} | {dates.refused_from} | {where} |")
    text = VERSIONS.read_text()
    between = text.partition("<!-- support -->\n")[2].partition("<!-- /support -->")[0]
    assert between.splitlines() == rows
    assert f"the default | {DEFAULT_MINOR}, newest patch" in text
    assert f"the app gets Python {DEFAULT_MINOR}" in README.read_text()
