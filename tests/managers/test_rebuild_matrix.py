"""What changes -> which layers are made anew, what is downloaded, and what the log says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.managers.conftest import Builder, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_wheel

from cnb.toml import read_toml, write_toml
from python_buildpack.layers import PythonKey, VenvKey

PASSWORDS = ("s3cret-pa55", "an0ther-pa55")
MANIFEST = """[project]
name = "shop"
version = "1.0"
dependencies = ["alpha"]
[project.optional-dependencies]
fast = ["beta"]
[dependency-groups]
jobs = ["gamma"]
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One change to what the build before saw: each row starts from the one before.

    `files` that are None are removed; `settings` stay as well. `earlier` is what the keys of the
    build before held in place of what they hold: a field of a layer's key -> its value. `password`
    is the index's from then on. `made` are the layers' directories that are written, `reasons` what
    the log says of them. Bytes are downloaded where `venv` is made, and only there.
    """

    name: str
    files: Mapping[str, str | None] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    password: str = ""
    fields: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


BOTH = ("python", "venv")
VENV = ("venv",)
ROWS = (
    Row(name="nothing"),
    Row(name="the app's code", files={"main.py": "import alpha, sys\n"}),
    Row(name="another process", files={"Procfile": "web: python -m main\n"}),
    Row(name="the index's password", password=PASSWORDS[1]),
    Row(
        name="a requirement",
        files={"requirements.txt": "alpha\nbeta\n"},
        fields=("inputs",),
        made=VENV,
        reasons=("requirements.txt changed; added beta",),
    ),
    Row(
        name="a file that is reached",
        files={"requirements.txt": "alpha\n-r ${STAGE}.txt\n", "more.txt": "gamma\n"},
        settings={"STAGE": "more"},
        made=VENV,
        reasons=(
            "requirements.txt changed; more.txt is new; requirements.txt (${VARIABLES}) is new; "
            "added -r ${STAGE}.txt, gamma; removed beta",
        ),
    ),
    Row(
        name="variables of uv's",
        files={"limits.txt": "alpha<2\n"},
        settings={"UV_RESOLUTION": "highest", "UV_CONSTRAINT": "limits.txt"},
        fields=("options",),
        made=VENV,
        reasons=("limits.txt (--constraint) is new", "UV_CONSTRAINT limits.txt, UV_RESOLUTION highest"),
    ),
    Row(
        name="what a file of the configuration says",
        files={"limits.txt": "alpha<3\n"},
        fields=("inputs",),
        made=VENV,
        reasons=("Installing packages: limits.txt (--constraint) changed",),
    ),
    Row(
        name="the installer",
        settings={"BP_PIP_INSTALLER": "pip"},
        fields=("installer",),
        made=VENV,
        reasons=(
            "the installer changed: uv ", " -> pip",
            "Without effect: UV_CONSTRAINT, UV_RESOLUTION. pip installs (BP_PIP_INSTALLER=pip)",
        ),
    ),
    Row(
        name="an option",
        settings={"BP_PIP_INSTALLER": "uv", "BP_REQUIRE_HASHES": "true"},
        fields=("options",),
        made=VENV,
        reasons=("the installer changed: pip -> uv ", "the installer's options changed: ", "BP_REQUIRE_HASHES"),
    ),
    Row(
        name="a refresh",
        settings={"BP_PYTHON_REFRESH": "today"},
        fields=("refresh",),
        made=VENV,
        reasons=("BP_PYTHON_REFRESH changed: ", " -> today"),
    ),
    Row(
        name="the package manager",
        files={"requirements.txt": None, "more.txt": None, "pyproject.toml": MANIFEST},
        settings={"BP_PYTHON_REFRESH": ""},
        fields=("manager",),
        made=VENV,
        reasons=("the package manager changed: pip -> ", "requirements.txt is gone", "more.txt is gone"),
    ),
    Row(
        name="extras and groups",
        settings={"BP_PYTHON_EXTRAS": "fast", "BP_PYTHON_GROUPS": "jobs"},
        fields=("extras", "groups"),
        made=VENV,
        reasons=("BP_PYTHON_EXTRAS changed: none -> fast", "BP_PYTHON_GROUPS changed: none -> jobs"),
    ),
    Row(name="nothing, after all of that"),
    Row(
        name="another Python",
        earlier={
            ("python", "version"): "3.13.999", ("python", "archive_sha256"): "0",
            ("venv", "python"): "3.13.999", ("venv", "python_sha256"): "0",
        },
        fields=("version", "python"),
        made=BOTH,
        reasons=("Installing Python 3", "Python 3.13.999 -> 3", "Installing packages: Python 3.13.999"),
    ),
    Row(
        name="another archive of the same Python",
        earlier={("python", "archive_sha256"): "0", ("venv", "python_sha256"): "0"},
        fields=("archive_sha256", "python_sha256"),
        made=BOTH,
        reasons=("the runtime's archive changed",),
    ),
    Row(
        name="how the runtime is made, and for what",
        earlier={
            ("python", "trim_recipe"): 1, ("python", "arch"): "m68k", ("python", "glibc"): "2.99",
        },
        fields=("trim_recipe", "arch", "glibc"),
        made=("python",),
        reasons=(
            "how the runtime is trimmed changed: 1 -> ", "the architecture changed: m68k -> ",
            "the runtime's minimum glibc changed: 2.99 -> ",
        ),
    ),
    Row(
        name="how packages are installed",
        earlier={("venv", "recipe"): 1},
        fields=("recipe",),
        made=VENV,
        reasons=("how packages are installed changed: 1 -> ",),
    ),
    Row(
        name="the layers' place",
        earlier={("python", "location"): "/else", ("venv", "location"): "/else:/app"},
        fields=("location",),
        made=BOTH,
        reasons=("the layers' or the app's path changed",),
    ),
)  # fmt: skip


def test_every_part_of_the_keys_has_a_row() -> None:
    """Whatever is added to a key is added to the table."""
    parts = {one.name for key in (PythonKey, VenvKey) for one in dataclasses.fields(key)}
    assert {name for row in ROWS for name in row.fields} == parts


def test_rebuilds(build: Builder, app: Path, workplace: Path) -> None:
    """Each row, one after the other."""
    with SimpleIndex(user="alice", password=PASSWORDS[0]) as index:
        for name in ("alpha", "beta", "gamma"):
            index.add(write_wheel(Distribution(name=name), workplace / "wheels"))
        write_files(app, {"requirements.txt": "alpha\n", "main.py": "import alpha\n"})
        settings: dict[str, str] = {}
        built = build(app, PIP_INDEX_URL=index.url_with_credentials).passed()
        for row in ROWS:
            for path, text in row.files.items():
                if text is None:
                    (app / path).unlink()
                else:
                    (app / path).write_text(text)
            settings |= row.settings
            index.password = row.password or index.password
            for (layer, part), value in row.earlier.items():
                table = read_toml(built.layers / f"{layer}.toml")
                assert part in table["metadata"]["key"]
                table["metadata"]["key"][part] = value
                write_toml(built.layers / f"{layer}.toml", table)
            sent, requests = index.sent, len(index.requests)
            built = build(
                app, keep=True, PIP_INDEX_URL=index.url_with_credentials, **settings
            ).passed()
            written = tuple(name for name in BOTH if (built.layers / name).exists())
            assert written == row.made, f"{row.name}: {built.log}"
            missing = [reason for reason in row.reasons if reason not in built.log]
            assert not missing, f"{row.name}: {built.log}"
            python_kept, venv_kept = (name not in row.made for name in BOTH)
            assert ("Reusing Python" in built.log) == python_kept, row.name
            assert ("Reusing packages" in built.log) == venv_kept, row.name
            assert (index.sent == sent) == venv_kept, row.name
            assert (len(index.requests) == requests) == venv_kept, row.name
