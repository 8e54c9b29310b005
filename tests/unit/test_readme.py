"""What users read is what the code does: the tables of settings and of support dates."""

from __future__ import annotations

from pathlib import Path

from packaging.version import Version

from python_buildpack.in_image.launch_variables import ALCHEMY_URLS
from python_buildpack.launch.environment import launch_environment
from python_buildpack.runtime.releases import DEFAULT_MINOR, builtin_support
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


def test_launch_environment() -> None:
    """Each default of the launch environment has its row, with its value; each computed one too."""
    rows = {
        cells[1].strip(): cells[2].strip()
        for line in (ROOT / "docs" / "launch.md").read_text().splitlines()
        if len(cells := line.split("|")) == 5
    }
    for file in launch_environment("the packages' layer", "/workspace", "25.0.3"):
        if file.action == "default":
            shown = file.value if file.name == "VIRTUAL_ENV" else f"`{file.value}`"
            assert rows[f"`{file.name}`"] == shown
    (newer,) = (
        file.value
        for file in launch_environment("/venv", "/workspace", "25.1.0")
        if file.name == "GUNICORN_CMD_ARGS"
    )
    assert newer.endswith(" --no-control-socket")
    assert rows["`WEB_CONCURRENCY`"] == rows["`DYNO_RAM`"] == "computed"
    assert ", ".join(f"`{name}`" for name in sorted(ALCHEMY_URLS)) in rows
