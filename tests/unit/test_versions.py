"""Files, settings, the last build, the target and the day -> a release and warnings, or an error."""

from __future__ import annotations

import ast
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from python_buildpack import errors
from python_buildpack.app.files import AppFiles
from python_buildpack.detection import python_sign
from python_buildpack.errors import UserError
from python_buildpack.runtime import version_request, version_syntax, versions
from python_buildpack.runtime.releases import Release, ReleaseList, Support
from python_buildpack.runtime.version_request import read_version_requests
from python_buildpack.runtime.versions import Resolution, Target, resolve
from python_buildpack.settings import read_settings

TODAY = "2026-06-15"
NOT_ASKED = "no-version-asked-for"
OLD_PATCH = "patch-not-newest"
RUNTIME_TXT = "runtime-txt-deprecated"
MISSPELT = "version-file-misspelt"
NEAR_END = "end-of-life-near"
PAST_END = "end-of-life-past"
POETRYS = "poetrys-notation"
NOT_LISTED = "last-version-not-listed"


def release(version: str, arch: str) -> Release:
    """A release of which only the version matters; a `t` at its end: free-threaded."""
    return Release(
        version=version.rstrip("t"),
        arch=arch,
        free_threaded=version.endswith("t"),
        flavour="install_only_stripped",
        build="20260101",
        glibc="2.17",
        url=f"https://host.example/{version}.tar.gz",
        sha256="0" * 64,
    )


def until(end: str, refused: str, *only_on: str) -> Support:
    """Support dates."""
    return Support(
        end_of_life=datetime.date.fromisoformat(end),
        refused_from=datetime.date.fromisoformat(refused),
        only_on=only_on,
    )


BOTH = (
    *("3.8.20", "3.9.25", "3.10.19", "3.11.1", "3.11.9", "3.11.14", "3.12.0", "3.12.7", "3.12.8"),
    *("3.13.0", "3.13.2", "3.13.11", "3.13.11t", "3.14.0", "3.14.2", "3.14.2t", "3.15.0rc1"),
)
LIST = ReleaseList(
    releases=(
        *(release(version, arch) for version in BOTH for arch in ("amd64", "arm64")),
        release("3.12.9", "arm64"),
        release("3.13.12", "amd64"),
    ),
    support={
        "3.8": until("2024-10-07", "2027-04-30", "ubuntu 20.04", "scalingo-20"),
        "3.9": until("2025-10-31", "2027-04-30"),
        "3.10": until("2026-10-31", "2027-10-31"),
        "3.11": until("2027-10-31", "2028-10-31"),
        "3.12": until("2028-10-31", "2029-10-31"),
        "3.13": until("2029-10-31", "2030-10-31"),
        "3.14": until("2030-10-31", "2031-10-31"),
    },
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One app in one build. `expected`: a release's name, or an error's id; `says`: words of it."""

    expected: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    manager: str = "pip"
    previous: str | None = None
    plan: Sequence[str] = ()
    arch: str = "amd64"
    distribution: str = "debian 12"
    stack: str = ""
    today: str = TODAY
    listed: ReleaseList = LIST
    origin: str = ""
    warnings: Sequence[str] = ()
    says: Sequence[str] = ()


def solve(row: Row, app: Path) -> Resolution:
    """Write the files, read them, and resolve."""
    for name, content in row.files.items():
        (app / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    requests = read_version_requests(AppFiles(app), read_settings(row.settings), row.manager)
    return resolve(
        requests,
        row.listed,
        target=Target(arch=row.arch, distribution=row.distribution, stack=row.stack),
        today=datetime.date.fromisoformat(row.today),
        previous=row.previous,
        plan=row.plan,
    )


def version_file(content: str | bytes, expected: str, *says: str, **more: object) -> Row:
    """An app that has `.python-version` alone."""
    return Row(expected=expected, files={".python-version": content}, says=says, **more)  # type: ignore[arg-type]


def pipfile_lock(**requires: object) -> str:
    """A Pipfile.lock as Pipenv writes it."""
    lines = ",\n".join(f'            "{key}": {value}' for key, value in requires.items())
    return (
        '{\n    "_meta": {\n        "hash": {"sha256": "0"},\n        "requires": {\n'
        + lines
        + '\n        }\n    },\n    "default": {},\n    "develop": {}\n}\n'
    )


def project(requires: str) -> str:
    """A pyproject.toml with a requires-python."""
    return f'[project]\nname = "a"\nversion = "1"\nrequires-python = {requires}\n'


def poetry(constraint: str) -> str:
    """A pyproject.toml of Poetry's."""
    return f'[tool.poetry]\nname = "a"\n\n[tool.poetry.dependencies]\npython = {constraint}\n'


BUILT_BY_POETRY = '[build-system]\nbuild-backend = "poetry.core.masonry.api"\n'
SCRIPT = '# /// script\n# requires-python = "{}"\n# dependencies = []\n# ///\nprint()\n'
FIX_13 = "Fix: echo '3.13' > .python-version"

WRITTEN = [
    version_file("3.13", "3.13.12", origin=".python-version line 1: 3.13"),
    version_file("3.13\n", "3.13.12"),
    version_file("3.13\r\n", "3.13.12"),
    version_file("3.13\r", "3.13.12"),
    version_file("  3.13 \t \n", "3.13.12"),
    version_file(
        "\n\n# Production\n3.12 # until May\n\n", "3.12.8", origin=".python-version line 4"
    ),
    version_file("# ünïcode \U0001f40d\u200d\n3.12\n", "3.12.8"),
    version_file("3.12.*", "3.12.8"),
    version_file("3.12.8", "3.12.8"),
    version_file("3.12.7", "3.12.7", warnings=[OLD_PATCH]),
    version_file("3.13.11", "3.13.11", warnings=[OLD_PATCH]),
    version_file("3.13.11", "3.13.11", arch="arm64"),
    version_file("3.13", "3.13.11", arch="arm64"),
    version_file("3.12", "3.12.9", arch="arm64"),
    version_file("3.11", "3.11.14"),
    version_file("3.14", "3.14.2"),
    version_file("3.14t", "3.14.2t"),
    version_file("3.14.2t", "3.14.2t"),
    version_file("3.13t", "3.13.11t"),
    version_file("3.15.0rc1", "3.15.0rc1"),
    version_file(">=3.11", "3.13.12", origin=".python-version line 1: >=3.11"),
    version_file(">=3.11,<3.13", "3.12.8"),
    version_file(">= 3.11, < 3.13", "3.12.8"),
    version_file(">=3.14", "3.14.2"),
    version_file(">3.13.12", "3.14.2"),
    version_file("~=3.12.0", "3.12.8"),
    version_file("~=3.11", "3.13.12"),
    version_file("==3.12.*", "3.12.8"),
    version_file("==3.12.7", "3.12.7", warnings=[OLD_PATCH]),
    version_file("==3.12", "3.12.0", warnings=[OLD_PATCH]),
    version_file("===3.12.7", "3.12.7"),
    version_file("!=3.13.12", "3.13.11"),
    version_file("!=3.13.*,!=3.14.*", "3.12.8"),
    version_file("<3.10", "3.9.25", warnings=[PAST_END]),
    version_file(">=3.8,<3.9", "3.8.20", distribution="ubuntu 20.04", warnings=[PAST_END]),
]

MISTAKES = [
    version_file("3", "python-version-major-only", ".python-version line 1", "'3'", FIX_13),
    version_file("\n3.x\n", "python-version-major-only", ".python-version line 2", "'3.x'", FIX_13),
    version_file("3.*", "python-version-major-only", FIX_13),
    version_file("python3", "python-version-major-only", FIX_13),
    version_file("v3", "python-version-major-only"),
    version_file("2", "python-version-major-only"),
    version_file("latest", "python-version-moving", "line 1", "'latest'", FIX_13),
    version_file("stable", "python-version-moving"),
    version_file("system", "python-version-moving"),
    version_file("python", "python-version-moving"),
    version_file("*", "python-version-moving"),
    version_file(
        "pypy3.10-7.3.17", "python-implementation-unsupported", "'pypy3.10-7.3.17'", FIX_13
    ),
    version_file("graalpy-24.1.1", "python-implementation-unsupported"),
    version_file("GraalPy-community-24", "python-implementation-unsupported"),
    version_file("miniconda3-latest", "python-implementation-unsupported"),
    version_file("anaconda3-2024.02-1", "python-implementation-unsupported"),
    version_file("jython-2.7.3", "python-implementation-unsupported"),
    version_file("my-project", "python-version-virtualenv", "'my-project'", "pyenv", FIX_13),
    version_file("shop-3.11", "python-version-virtualenv", "echo '3.11' > .python-version"),
    version_file(
        "3.12.4/envs/shop", "python-version-virtualenv", "echo '3.12.4' > .python-version"
    ),
    version_file("venv", "python-version-virtualenv"),
    version_file("python-3.12", "python-version-spelling", "echo '3.12' > .python-version"),
    version_file("python3.12", "python-version-spelling", "echo '3.12' > .python-version"),
    version_file("Python 3.12.3", "python-version-spelling", "echo '3.12.3' > .python-version"),
    version_file("v3.12", "python-version-spelling", "echo '3.12' > .python-version"),
    version_file(
        '"3.12"', "python-version-spelling", "'\"3.12\"'", "echo '3.12' > .python-version"
    ),
    version_file("version: 3.12", "python-version-spelling", "echo '3.12' > .python-version"),
    version_file("cpython-3.12.4-linux-x86_64-gnu", "python-version-spelling", "echo '3.12.4'"),
    version_file("3.13-dev", "python-version-spelling", FIX_13),
    version_file("3.13+freethreaded", "python-version-spelling", "echo '3.13t' > .python-version"),
    version_file("3.13.2.1", "python-version-spelling", "echo '3.13.2' > .python-version"),
    version_file("py312", "python-version-spelling", "echo '3.12' > .python-version"),
    version_file("3.13.x", "python-version-spelling", FIX_13),
    version_file("^3.11", "python-range-invalid", "Poetry", "echo '>=3.11,<4' > .python-version"),
    version_file(
        "~3.11", "python-range-invalid", "Poetry", "echo '>=3.11,<3.12' > .python-version"
    ),
    version_file(">=3.11 <3.13", "python-range-invalid", "commas", "echo '>=3.11,<3.13' >"),
    version_file("=>3.11", "python-range-invalid", "=>", "echo '>=3.11' > .python-version"),
    version_file("=3.12", "python-range-invalid", "two signs", "echo '==3.12.*' > .python-version"),
    version_file(">=", "python-range-invalid", "line 1", "'>='", FIX_13),
    version_file(">=3.11,oops", "python-range-invalid", "echo '3.11' > .python-version"),
    version_file(">=3." + "9" * 5000, "python-range-invalid", "line 1"),
    version_file("3,13", "python-version-invalid", "'3,13'", FIX_13),
    version_file("three dot thirteen", "python-version-invalid", "line 1", FIX_13),
    version_file("\N{FULLWIDTH DIGIT THREE}.13", "python-version-invalid", "line 1", FIX_13),
    version_file("", "version-file-empty", ".python-version", "line 1", "''", FIX_13),
    version_file("\n  \n", "version-file-empty", FIX_13),
    version_file("# 3.12\n", "version-file-empty", "'# 3.12\\n'", FIX_13),
    version_file(
        "3.12\n3.13\n", "version-file-several", "line 1: '3.12'", "line 2: '3.13'", "'3.12' >"
    ),
    version_file("3.12 3.11", "version-file-several", "line 1: '3.12 3.11'", "echo '3.12' >"),
    version_file("3.13\n\npypy3.10\n", "version-file-several", "(line 1, 3)", "line 3: 'pypy3.10'"),
    version_file(
        "cat > .python-version << 'EOF'\n3.12.7\nEOF\n",
        "version-file-holds-more",
        ".python-version holds more than a version (line 1, 2, 3)",
        "echo '3.12.7' >",
    ),
    version_file(
        b"\xef\xbb\xbf3.12\n", "version-file-bom", "line 1", "'\\ufeff3.12'", "echo '3.12' >"
    ),
    version_file(
        "3.12\r\n".encode("utf-16"), "version-file-utf16", "line 1", "\\xff\\xfe3", "'3.12' >"
    ),
    version_file("3.12\n".encode("utf-16-be"), "version-file-utf16", "echo '3.12' >"),
    version_file("3.12\n".encode("utf-16-le"), "version-file-utf16", "echo '3.12' >"),
    version_file("3.12\n".encode("utf-32"), "version-file-utf16", "echo '3.12' >"),
    version_file(
        b"# ok\n3.12\xff\n", "version-file-not-utf8", "line 2", "b'3.12\\xff'", "'3.12' >"
    ),
    version_file("# é\n".encode("latin-1"), "version-file-not-utf8", "line 1"),
    version_file(
        b"3.12\0\n", "version-file-control-characters", "line 1", "'3.12\\x00'", "'3.12' >"
    ),
    version_file(
        "\n3.12\u200b\n", "version-file-control-characters", "line 2", "\\u200b", "'3.12' >"
    ),
    version_file("3.12\xa0", "version-file-control-characters", "\\xa0", "echo '3.12' >"),
    version_file("\x1b[32m3.12", "version-file-control-characters", "\\x1b"),
]

UNAVAILABLE = [
    version_file("3.12.3", "python-version-unknown", "3.12.0, 3.12.7, 3.12.8", "echo '3.12' >"),
    version_file("3.13.99", "python-version-unknown", ".python-version line 1", "3.13.12"),
    version_file("==3.11", "python-version-unknown", "3.11.0 exactly", "3.11.1", "echo '3.11' >"),
    version_file("3.14.1t", "python-version-unknown", "3.14.2t", "echo '3.14t' >"),
    version_file(
        "3.12.9", "python-version-other-architecture", "only for arm64", "3.12.8", "echo '3.12' >"
    ),
    version_file(
        "3.13.12", "python-version-other-architecture", "only for amd64", "3.13.11", arch="arm64"
    ),
    version_file("3.16", "python-minor-unknown", "3.16", "3.14, 3.13", FIX_13),
    version_file("3.16.1", "python-minor-unknown"),
    version_file("3.15", "python-minor-unknown"),
    version_file("4.0", "python-minor-unknown"),
    version_file(">=3.16", "python-minor-unknown", "3.16"),
    version_file("2.7.18", "python-version-end-of-life", "2.7", "line 1", FIX_13),
    version_file("3.7", "python-version-end-of-life", "3.7"),
    version_file("3.6.15", "python-version-end-of-life"),
    version_file("<3.8", "python-version-end-of-life", "3.7"),
    version_file(">=2.7,<3", "python-version-end-of-life", "2.7"),
    version_file("3.8", "python-version-distribution", "ubuntu 20.04", "scalingo-20", FIX_13),
    version_file("3.8.20", "python-version-distribution", distribution="ubuntu 22.04"),
    version_file("<3.9", "python-version-distribution"),
    version_file(">=4", "python-range-empty", "'>=4'", FIX_13),
    version_file(">=3.13,<3.12", "python-range-empty"),
    version_file(">3.14.2,<3.15", "python-range-empty"),
    version_file("3.12t", "python-free-threaded-unknown", "3.14, 3.13", "echo '3.12' >"),
    version_file("3.13", "releases-lack-architecture", "s390x", "amd64, arm64", arch="s390x"),
    Row(expected="releases-lack-architecture", arch="s390x"),
    Row(
        expected="releases-lack-architecture",
        today="2099-01-01",
        says=["none that is supported", "BP_PYTHON_RELEASES"],
    ),
]

PRECEDENCE = [
    Row(
        expected="3.12.8",
        settings={"BP_CPYTHON_VERSION": "3.12"},
        files={"runtime.txt": "python-3.11", ".python-version": "3.14"},
        origin="BP_CPYTHON_VERSION: 3.12",
    ),
    Row(
        expected="3.12.8",
        settings={"BP_CPYTHON_VERSION": " 3.12 "},
        files={".python-version": "no version at all"},
    ),
    Row(
        expected="python-version-major-only",
        settings={"BP_CPYTHON_VERSION": "3"},
        says=["BP_CPYTHON_VERSION", "Fix: set BP_CPYTHON_VERSION=3.13"],
    ),
    Row(
        expected="python-version-invalid",
        settings={"BP_CPYTHON_VERSION": "3.12\u200b"},
        says=["\\u200b", "Fix: set BP_CPYTHON_VERSION=3.12"],
    ),
    Row(
        expected="3.12.8",
        files={"runtime.txt": "python-3.12\n", ".python-version": "3.14"},
        origin="runtime.txt line 1: 3.12",
        warnings=[RUNTIME_TXT],
    ),
    Row(
        expected="3.12.7", files={"runtime.txt": "python-3.12.7"}, warnings=[RUNTIME_TXT, OLD_PATCH]
    ),
    Row(expected="3.12.8", files={"runtime.txt": "3.12"}, warnings=[RUNTIME_TXT]),
    Row(
        expected="python-implementation-unsupported",
        files={"runtime.txt": "pypy3.10"},
        says=["runtime.txt line 1", "echo '3.13' > .python-version && git rm runtime.txt"],
    ),
    Row(expected="python-version-invalid", files={"runtime.txt": "java-17"}, says=["'java-17'"]),
    Row(expected="version-file-empty", files={"runtime.txt": "\n"}, says=["git rm runtime.txt"]),
    Row(
        expected="version-file-several",
        files={"runtime.txt": "python-3.12\npython-3.13"},
        says=["line 2: 'python-3.13'"],
    ),
    *(
        Row(
            expected="version-file-holds-more",
            files={"runtime.txt": text},
            says=["more than a version (line 1, 2", f"echo '{version}' > .python-version && git"],
        )
        for text, version in (
            ("Paste exactly this:\n```\npython-3.9.18\n```\n", "3.9.18"),
            ("python-3.8.7\npip-21.0.1\n", "3.8.7"),
            ("pip-21.0.1\npython-3.8.7\n", "3.8.7"),
            ("echo python-3.11.4 > runtime.txt\ngit add runtime.txt\n", "3.11.4"),
            ("pip-21.0.1\nsetuptools-60.1\n", "3.13"),
        )
    ),
    Row(expected="version-file-bom", files={"runtime.txt": b"\xef\xbb\xbfpython-3.12"}),
    Row(
        expected="3.12.8",
        files={"Pipfile.lock": pipfile_lock(python_version='"3.12"')},
        manager="pipenv",
        origin="Pipfile.lock line 5 (python_version): 3.12",
    ),
    Row(
        expected="3.12.7",
        files={
            "Pipfile.lock": pipfile_lock(python_full_version='"3.12.7"', python_version='"3.12"')
        },
        manager="pipenv",
        origin="Pipfile.lock line 5 (python_full_version)",
        warnings=[OLD_PATCH],
    ),
    Row(
        expected="3.13.12",
        files={"Pipfile.lock": pipfile_lock(python_version='"*"')},
        manager="pipenv",
        warnings=[NOT_ASKED],
    ),
    Row(
        expected="3.13.12",
        files={"Pipfile.lock": '{"_meta": []}'},
        manager="pipenv",
        warnings=[NOT_ASKED],
    ),
    Row(
        expected="3.13.12",
        files={"Pipfile.lock": pipfile_lock(python_version='"3.12"')},
        manager="pip",
        warnings=[NOT_ASKED],
    ),
    Row(
        expected="python-version-major-only",
        files={"Pipfile.lock": pipfile_lock(python_version='"3"')},
        manager="pipenv",
        says=["Pipfile.lock line 5", 'python_version = "3.13"', "pipenv lock"],
    ),
    Row(
        expected="python-version-not-text",
        files={"Pipfile.lock": pipfile_lock(python_version="3.12")},
        manager="pipenv",
        says=["Pipfile.lock line 5", 'python_version = "3.12"'],
    ),
    Row(
        expected="file-unreadable",
        files={"Pipfile.lock": '{\n"_meta": {,\n'},
        manager="pipenv",
        says=["Pipfile.lock line 2", "'\"_meta\": {,'"],
    ),
    Row(expected="file-unreadable", files={"Pipfile.lock": "[]"}, manager="pipenv"),
    Row(
        expected="file-unreadable",
        files={"Pipfile.lock": b"\xef\xbb\xbf{}"},
        manager="pipenv",
        says=["Pipfile.lock line 1", "byte order mark"],
    ),
    Row(
        expected="3.12.7",
        files={
            ".python-version": "3.12",
            "Pipfile.lock": pipfile_lock(python_full_version='"3.12.7"'),
        },
        manager="pipenv",
        origin=".python-version line 1: 3.12",
    ),
]

RANGES = [
    Row(
        expected="3.14.2",
        files={"pylock.toml": 'lock-version = "1.0"\nrequires-python = ">=3.14"\n'},
        manager="pylock",
        origin="pylock.toml line 2 (requires-python): >=3.14",
    ),
    Row(
        expected="3.12.8",
        files={
            "pylock.toml": 'requires-python = ">=3.14"',
            "pylock.prod.toml": 'requires-python = "==3.12.*"',
        },
        manager="pylock",
        settings={"BP_PYLOCK": "prod"},
        origin="pylock.prod.toml line 1",
    ),
    Row(
        expected="3.12.8",
        files={
            "pylock.dev.toml": 'requires-python = ">=3.14"',
            "pylock.prod.toml": 'requires-python = "==3.12.*"',
        },
        manager="pylock",
        settings={"BP_PYLOCK": "pylock.prod.toml"},
    ),
    Row(
        expected="3.12.8",
        files={"pylock.prod.toml": 'requires-python = "==3.12.*"'},
        manager="pylock",
    ),
    Row(
        expected="3.14.2",
        files={
            "uv.lock": 'version = 1\nrequires-python = ">=3.14"\n',
            "pyproject.toml": project('">=3.10"'),
        },
        manager="uv",
        origin="uv.lock line 2 (requires-python): >=3.14",
    ),
    Row(
        expected="3.12.8",
        files={
            "uv.lock": 'version = 1\nrequires-python = ">=3.11"\n',
            "pyproject.toml": project('">=3.10,<3.13"'),
        },
        manager="uv",
    ),
    Row(
        expected="3.13.12",
        files={
            "uv.lock": 'version = 1\nrequires-python = ">=3.14"\n',
            "pyproject.toml": project('">=3.10"'),
        },
        manager="pip",
        origin="pyproject.toml line 4 ([project] requires-python)",
    ),
    Row(
        expected="file-unreadable",
        files={"uv.lock": "version = 1\n<<<<<<< HEAD\n"},
        manager="uv",
        says=["uv.lock line 2", "'<<<<<<< HEAD'"],
    ),
    Row(expected="3.13.12", files={"pyproject.toml": project('">=3.10"')}),
    Row(expected="3.11.14", files={"pyproject.toml": project('">=3.9,<3.12"')}),
    Row(expected="3.14.2", files={"pyproject.toml": project('">3.13.12"')}),
    Row(expected="3.12.8", files={"pyproject.toml": project('"==3.12.*"')}),
    Row(expected="3.13.12", files={"pyproject.toml": project('""')}, warnings=[NOT_ASKED]),
    Row(expected="3.13.12", files={"pyproject.toml": "[tool.black]\n"}, warnings=[NOT_ASKED]),
    Row(expected="3.13.12", files={"pyproject.toml": "project = 3\n"}, warnings=[NOT_ASKED]),
    Row(
        expected="3.12.7",
        files={"pyproject.toml": project('"==3.12.7"')},
        warnings=[OLD_PATCH],
    ),
    Row(
        expected="python-range-invalid",
        files={"pyproject.toml": project('"3.12"')},
        says=["pyproject.toml line 4", "'3.12'", 'requires-python = "==3.12.*"'],
    ),
    Row(
        expected="python-range-invalid",
        files={"pyproject.toml": project('"^3.12"')},
        says=["Poetry", 'requires-python = ">=3.12,<4"'],
    ),
    Row(
        expected="python-version-not-text",
        files={"pyproject.toml": project("3.12")},
        says=["pyproject.toml line 4", "'3.12'", 'requires-python = ">=3.12"'],
    ),
    Row(
        expected="python-version-not-text",
        files={"pyproject.toml": '[project]\nrequires-python = [">=3.12"]\n'},
        says=["pyproject.toml line 2"],
    ),
    Row(expected="python-version-end-of-life", files={"pyproject.toml": project('"<3.8"')}),
    Row(
        expected="python-range-empty",
        files={"pyproject.toml": project('">=4"')},
        says=["pyproject.toml line 4", 'requires-python = ">=3.13"'],
    ),
    Row(
        expected="file-unreadable",
        files={"pyproject.toml": '[project]\nname = "a\n'},
        says=["pyproject.toml line 2", "'name = \"a'"],
    ),
    Row(expected="file-unreadable", files={"pyproject.toml": "a = " + "1" * 5000}),
    Row(
        expected="file-unreadable",
        files={"pyproject.toml": b"a = 1\nb = '\xff'\n"},
        says=["pyproject.toml line 2", "UTF-8", "\\xff"],
    ),
    *[
        Row(expected=expected, files={"pyproject.toml": poetry(f'"{constraint}"')}, **more)  # type: ignore[arg-type]
        for constraint, expected, more in [
            ("^3.11", "3.13.12", {"origin": "pyproject.toml line 5 ([tool.poetry.dependencies]"}),
            ("^3.13.2", "3.13.12", {}),
            ("^3.14", "3.14.2", {}),
            ("^3", "3.13.12", {}),
            ("~3.11", "3.11.14", {}),
            ("~3.12.7", "3.12.8", {}),
            ("~3", "3.13.12", {}),
            ("~=3.12.0", "3.12.8", {}),
            (">=3.10 <3.13", "3.12.8", {}),
            (">=3.10, <3.13", "3.12.8", {}),
            ("~3.11 || ~3.12", "3.12.8", {}),
            ("~3.11 | ^3.14", "3.14.2", {}),
            ("3.12.*", "3.12.8", {}),
            ("3.12", "3.12.0", {"warnings": [OLD_PATCH]}),
            ("=3.12.7", "3.12.7", {"warnings": [OLD_PATCH]}),
            ("3.11", "python-version-unknown", {"says": ["3.11.0 exactly", 'python = "^3.11"']}),
            ("*", "3.13.12", {}),
            ("!=3.13.*", "3.14.2", {}),
            (">=3.14.*", "3.14.2", {}),
            ("3.x", "python-range-invalid", {"says": ["Poetry", "line 5", "'3.x'"]}),
            ("", "python-range-invalid", {}),
            ("^3.12 ||", "python-range-invalid", {"says": ['python = "^3.12"']}),
            ("dev", "python-range-invalid", {}),
        ]
    ],
    Row(expected="3.12.8", files={"pyproject.toml": poetry('{ version = "~3.12" }')}),
    *(
        Row(
            expected=expected,
            files={"pyproject.toml": project(f'"{constraint}"') + more},
            manager=manager,
            warnings=[POETRYS],
            origin="pyproject.toml line 4 ([project] requires-python)",
            says=[f"line 4 ([project] requires-python): {constraint} is Poetry's notation", same],
        )
        for more, manager in (("", "poetry"), (BUILT_BY_POETRY, "pyproject"))
        for constraint, expected, same in (
            (
                "^3.11",
                "3.13.12",
                "For all of them: write into [project] of pyproject.toml: "
                'requires-python = ">=3.11,<4"',
            ),
            ("~3.11 || ~3.12", "3.12.8", "write it with >=, < and commas"),
            (">=3.10 <3.13", "3.12.8", 'requires-python = ">=3.10,<3.13"'),
        )
    ),
    Row(
        expected="python-range-invalid",
        files={"pyproject.toml": project('"^3.11"')},
        says=["This is Poetry's notation", ">=3.11,<4"],
    ),
    Row(
        expected="python-range-invalid",
        files={"pyproject.toml": project('"^3.x"')},
        manager="poetry",
        says=["Poetry does not understand this constraint."],
    ),
    Row(
        expected="python-version-not-text",
        files={"pyproject.toml": poetry("3.12")},
        says=["pyproject.toml line 5", 'python = "^3.12"'],
    ),
    Row(
        expected="3.12.8",
        files={"pyproject.toml": project('">=3.10"') + "\n" + poetry('"<3.13"')},
        origin="pyproject.toml line 4 ([project] requires-python)",
    ),
    Row(
        expected="3.12.8",
        files={"pdm.lock": '[metadata]\nrequires_python = ">=3.10,<3.13"\n'},
        manager="pdm",
        origin="pdm.lock line 2",
    ),
    Row(
        expected="3.14.2",
        files={
            "pdm.lock": '[metadata]\n\n[[metadata.targets]]\nrequires_python = ">=3.14"\n'
            '[[metadata.targets]]\nrequires_python = "==3.12.*"\n'
        },
        manager="pdm",
        origin="pdm.lock line 4",
    ),
    Row(
        expected="3.12.8",
        files={"pdm.lock": '[[metadata.targets]]\nrequires_python = ">=3.10 || ==3.8.*"\n'},
        manager="pdm",
        listed=ReleaseList(
            releases=tuple(r for r in LIST.releases if r.version < "3.13"), support=LIST.support
        ),
    ),
    Row(
        expected="3.13.12",
        files={"pdm.lock": "[[metadata.targets]]\n"},
        manager="pdm",
        warnings=[NOT_ASKED],
    ),
    Row(
        expected="3.11.14",
        files={
            "setup.cfg": "[metadata]\nname = a\n[options]\npython_requires = >=3.8,<3.12  # old\n"
        },
        origin="setup.cfg line 4 ([options] python_requires)",
    ),
    Row(
        expected="3.12.8",
        files={
            "setup.cfg": "[options]\npackages = find:\npython-requires:\n    >=3.10,\n    <3.13\n"
        },
    ),
    Row(
        expected="3.13.12",
        files={"setup.cfg": "[flake8]\npython_requires = 2\n%%%\n"},
        warnings=[NOT_ASKED],
    ),
    Row(
        expected="3.13.12",
        files={
            "setup.cfg": "[options]\npython_requires = <3.12\n",
            "pyproject.toml": project('">=3.12"'),
        },
        origin="pyproject.toml line 4",
    ),
    Row(
        expected="python-range-invalid",
        files={"setup.cfg": "[options]\npython_requires = 3.12\n"},
        says=["setup.cfg line 2", "python_requires = ==3.12.*"],
    ),
    Row(
        expected="3.14.2",
        files={"a.py": SCRIPT.format(">=3.14"), "Procfile": "web: python a.py"},
        manager="script",
        origin="a.py line 2 (requires-python): >=3.14",
    ),
    Row(
        expected="3.12.8",
        files={"a.py": SCRIPT.format("==3.12.*"), "b.py": SCRIPT.format(">=3.14")},
        manager="script",
        settings={"BP_PYTHON_SCRIPT": "a.py"},
    ),
    Row(
        expected="python-range-invalid",
        files={"a.py": SCRIPT.format("3.12")},
        manager="script",
        settings={"BP_PYTHON_SCRIPT": "a.py"},
        says=["a.py line 2", '# requires-python = "==3.12.*"'],
    ),
]

CONFLICTS = [
    Row(
        expected="python-version-conflict",
        files={".python-version": "3.13", "pyproject.toml": project('">=3.14"')},
        says=[
            ".python-version line 1",
            "'3.13'",
            "pyproject.toml line 4",
            "'>=3.14'",
            "- echo '3.14' > .python-version",
            'requires-python = ">=3.13"',
        ],
    ),
    Row(
        expected="python-version-conflict",
        files={".python-version": "3.13", "uv.lock": 'requires-python = "==3.12.*"'},
        manager="uv",
        says=["uv.lock line 1", "uv lock", "- echo '3.12' > .python-version"],
    ),
    Row(
        expected="python-version-conflict",
        files={".python-version": "3.13", "pylock.toml": 'requires-python = ">=3.14"'},
        manager="pylock",
        says=["pylock.toml line 1"],
    ),
    Row(
        expected="python-version-conflict",
        files={".python-version": "3.13", "pyproject.toml": poetry('"~3.12"')},
        manager="poetry",
        says=["[tool.poetry.dependencies] python", 'python = "^3.13"'],
    ),
    Row(
        expected="python-version-conflict",
        files={".python-version": "3.13", "pdm.lock": '[metadata]\nrequires_python = "<3.13"'},
        manager="pdm",
        says=["pdm.lock line 2", "pdm lock"],
    ),
    Row(
        expected="python-version-conflict",
        files={".python-version": "3.13", "Pipfile.lock": pipfile_lock(python_version='"3.12"')},
        manager="pipenv",
        says=["Pipfile.lock line 5", "pipenv lock"],
    ),
    Row(
        expected="python-version-conflict",
        settings={"BP_CPYTHON_VERSION": "3.12.7"},
        files={"Pipfile.lock": pipfile_lock(python_full_version='"3.12.8"')},
        manager="pipenv",
        says=["BP_CPYTHON_VERSION", "set BP_CPYTHON_VERSION=3.12"],
    ),
    Row(
        expected="python-version-conflict",
        files={"runtime.txt": "python-3.13", "setup.cfg": "[options]\npython_requires = <3.13"},
        says=["runtime.txt line 1", "setup.cfg line 2"],
    ),
    Row(
        expected="python-version-conflict",
        settings={"BP_CPYTHON_VERSION": ">=3.13", "BP_PYTHON_SCRIPT": "a.py"},
        files={"a.py": SCRIPT.format("<3.13")},
        manager="script",
    ),
    Row(
        expected="python-version-conflict",
        files={
            "uv.lock": 'requires-python = ">=3.14"',
            "pyproject.toml": project('"<3.14"'),
        },
        manager="uv",
        says=["uv.lock line 1", "pyproject.toml line 4"],
    ),
    Row(
        expected="3.13.11",
        files={".python-version": "3.13", "pyproject.toml": project('">=3.12,!=3.13.12"')},
        origin=".python-version line 1: 3.13",
    ),
    Row(
        expected="3.12.8",
        files={".python-version": ">=3.11", "pyproject.toml": project('"<3.13"')},
    ),
    Row(
        expected="3.14.2t",
        files={".python-version": "3.14t", "pyproject.toml": project('">=3.14"')},
    ),
]

BUILD_PLAN = [
    Row(expected="3.12.8", plan=["3.12"], warnings=[NOT_ASKED], origin="another buildpack"),
    Row(expected="3.13.12", plan=[">=3.10"], warnings=[NOT_ASKED]),
    Row(expected="3.13.12", plan=["3"], warnings=[NOT_ASKED]),
    Row(expected="3.13.12", plan=["*", "3.*", ""], warnings=[NOT_ASKED]),
    Row(expected="3.14.2t", plan=["3.14t"], warnings=[NOT_ASKED]),
    version_file("3.13", "3.13.2", plan=["3.13.2"]),
    version_file(">=3.11", "3.12.8", plan=["<3.13"]),
    version_file(">=3.11", "3.11.14", plan=["<3.13", "3.11.*"]),
    Row(expected="3.11.14", previous="3.11.1", plan=["<3.13"], warnings=[NOT_ASKED]),
    Row(expected="3.14.2", previous="3.11.1", plan=["3.14"], warnings=[NOT_ASKED]),
    Row(
        expected="3.11.14",
        files={"pyproject.toml": project('">=3.10"')},
        plan=["3.11"],
        origin="pyproject.toml line 4",
    ),
    version_file(
        "3.13", "build-plan-version-conflict", ".python-version line 1", "'3.12'", "echo '3.12' >",
        plan=["3.12"],
    ),
    version_file("3.14", "build-plan-version-conflict", "echo '3.14t' >", plan=["3.14t"]),
    Row(
        expected="build-plan-version-conflict",
        plan=[">=3.16"],
        says=["the buildpack's own choice", "'>=3.16'", "no Python that is offered meets it"],
    ),
    Row(
        expected="python-version-moving",
        plan=["latest"],
        says=["build plan", "'latest'", 'version = "3.13"'],
    ),
]  # fmt: skip

HABIT = [
    Row(expected="3.13.12", origin="the default", warnings=[NOT_ASKED]),
    Row(expected="3.13.11", arch="arm64", warnings=[NOT_ASKED]),
    Row(
        expected="3.12.8",
        previous="3.12.0",
        origin="3.12, as in the last build",
        warnings=[NOT_ASKED],
    ),
    Row(expected="3.14.2", previous="3.14.0", warnings=[NOT_ASKED]),
    Row(expected="3.14.2t", previous="3.14.0t", warnings=[NOT_ASKED]),
    Row(expected="3.9.25", previous="3.9.1", warnings=[NOT_ASKED, PAST_END]),
    Row(
        expected="3.13.12",
        previous="3.15.0",
        origin="the default",
        warnings=[NOT_ASKED, NOT_LISTED],
    ),
    Row(expected="3.13.12", previous="not a version", warnings=[NOT_ASKED]),
    Row(expected="3.13.12", previous="3.13.99", warnings=[NOT_ASKED]),
    Row(
        expected="python-version-distribution",
        previous="3.8.20",
        says=["the last build", "echo '3.13' > .python-version"],
    ),
    Row(
        expected="python-version-end-of-life",
        previous="3.9.25",
        today="2027-04-30",
        says=["the last build", "2025-10-31", "2027-04-30", "echo '3.13' > .python-version"],
    ),
    version_file("3.14", "3.14.2", previous="3.12.8"),
    Row(expected="3.13.12", files={"pyproject.toml": project('">=3.10"')}, previous="3.12.8"),
    Row(
        expected="3.14.2",
        listed=ReleaseList(
            releases=tuple(r for r in LIST.releases if not r.version.startswith("3.13.")),
            support=LIST.support,
        ),
        warnings=[NOT_ASKED],
    ),
]

AGES = [
    version_file("3.11", "3.11.14", today="2027-04-29"),
    version_file("3.11", "3.11.14", today="2027-04-30", warnings=[NEAR_END]),
    version_file("3.11", "3.11.14", today="2027-10-31", warnings=[NEAR_END]),
    version_file("3.11", "3.11.14", today="2027-11-01", warnings=[PAST_END]),
    version_file("3.11", "3.11.14", today="2028-10-30", warnings=[PAST_END]),
    version_file("3.11", "python-version-end-of-life", "2028-10-31", today="2028-10-31"),
    version_file("3.11.9", "3.11.9", today="2027-11-01", warnings=[OLD_PATCH, PAST_END]),
    version_file("3.11.9", "python-version-end-of-life", today="2029-01-01"),
    version_file(">=3.9,<3.12", "3.11.14", today="2027-12-01", warnings=[PAST_END]),
    version_file(">=3.9,<3.12", "python-version-end-of-life", "3.11", today="2030-01-01"),
    version_file(">=3.9", "3.14.2", today="2030-12-01", warnings=[PAST_END]),
    Row(expected="3.13.12", today="2029-06-01", warnings=[NOT_ASKED, NEAR_END]),
    Row(expected="3.13.12", today="2030-06-01", warnings=[NOT_ASKED, PAST_END]),
    Row(expected="3.14.2", today="2030-10-31", warnings=[NOT_ASKED, NEAR_END]),
    version_file("3.8", "3.8.20", distribution="ubuntu 20.04", warnings=[PAST_END]),
    version_file("3.8", "3.8.20", stack="scalingo-20", warnings=[PAST_END]),
    version_file(
        "3.8", "python-version-end-of-life", distribution="ubuntu 20.04", today="2027-04-30"
    ),
    version_file("3.15.0rc1", "3.15.0rc1", today="2040-01-01"),
]

MISSPELT_VERSION_FILES = [
    ".python_version", "python-version", "python_version", ".pythonversion", ".Python-Version",
    ".python-version.txt", "python-version.txt", ".python-versions", ".python.version",
    ".python-verison", ".python-vesion", ".pyhton-version", ".pyton-version", ".phyton-version",
    ".python\u2013version", "PYTHON-VERSION", ".python-version ", ".pyversion",
]  # fmt: skip
MISSPELT_RUNTIME_FILES = [
    "runtime.text", "runtimes.txt", "Runtime.txt", "RUNTIME.TXT", "runtime.txt.txt", "runtim.txt",
    "run-time.txt", "rumtime.txt",
]  # fmt: skip
SPELLING = [
    *[
        Row(
            expected="version-file-misspelt",
            files={name: "3.12\n"},
            says=[name, "must be .python-version", "git mv "],
        )
        for name in MISSPELT_VERSION_FILES
    ],
    *[
        Row(
            expected="version-file-misspelt",
            files={name: "python-3.12.7\n"},
            says=[name, "must be runtime.txt", "echo '3.12.7' > .python-version && git rm "],
        )
        for name in MISSPELT_RUNTIME_FILES
    ],
    version_file("3.12", "3.12.8"),
    Row(
        expected="3.12.8",
        files={".python-version": "3.12", "python-version": "3.13"},
        warnings=[MISSPELT],
    ),
    Row(
        expected="3.12.8",
        files={"runtime.text": "3.13"},
        settings={"BP_CPYTHON_VERSION": "3.12"},
        warnings=[MISSPELT],
    ),
    Row(
        expected="3.12.8",
        files={"runtime.txt": "python-3.12", ".python_version": "3.13"},
        warnings=[MISSPELT, RUNTIME_TXT],
    ),
]

TABLE: tuple[Row, ...] = (
    *WRITTEN,
    *MISTAKES,
    *UNAVAILABLE,
    *PRECEDENCE,
    *RANGES,
    *CONFLICTS,
    *BUILD_PLAN,
    *HABIT,
    *AGES,
    *SPELLING,
)


def name_of(row: Row) -> str:
    """What a failing test is called."""
    shown = [f"{name}={content!r}"[:60] for name, content in row.files.items()]
    return " ".join([*shown, *map(str, row.plan), row.previous or "", row.today, row.expected])


@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_table(row: Row, tmp_path: Path) -> None:
    """Each row gives its release, with its origin and warnings, or its error, with its words."""
    try:
        found = solve(row, tmp_path)
    except UserError as error:
        assert error.id == row.expected, f"{error.title}\n{error.body}"
        text = f"{error.title}\n{error.body}"
        assert [word for word in row.says if word not in text] == [], text
        return
    assert found.release.name == row.expected
    assert [warning.kind for warning in found.warnings] == list(row.warnings), found.warnings
    said = "\n".join(warning.text for warning in found.warnings)
    assert [word for word in row.says if word not in said] == [], said
    assert row.origin in found.origin
    assert found.release.arch == row.arch


def syntax(module: object) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())


def test_every_error_and_warning_has_a_row() -> None:
    """Whatever these modules can say is said in a row of the table, of which there are many."""
    ids = {
        function.name: call.args[0].value
        for function in syntax(errors).body
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "UserError"
        and isinstance(call.args[0], ast.Constant)
    }
    modules = [syntax(module) for module in (version_syntax, version_request, versions)]
    nodes = [node for tree in modules for node in ast.walk(tree)]
    raised = {
        ids[node.attr]
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "errors"
        and node.attr in ids
    }
    kinds = {
        node.value.value
        for node in nodes
        if isinstance(node, ast.keyword)
        and node.arg == "kind"
        and isinstance(node.value, ast.Constant)
    }
    assert len(raised) >= 25
    assert kinds == {
        NOT_ASKED,
        OLD_PATCH,
        RUNTIME_TXT,
        MISSPELT,
        NEAR_END,
        PAST_END,
        NOT_LISTED,
        POETRYS,
    }
    assert raised | {"file-unreadable"} <= {row.expected for row in TABLE}
    assert kinds == {kind for row in TABLE for kind in row.warnings}
    assert len(TABLE) >= 120


def test_warnings_say_what_to_do(tmp_path: Path) -> None:
    """The old patch names the newest, the end of life its days, each the line to write."""
    row = version_file("3.11.9", "3.11.9", today="2027-11-01")
    texts = [warning.text for warning in solve(row, tmp_path).warnings]
    assert "3.11.14" in texts[0] and "echo '3.11' > .python-version" in texts[0]
    assert "DEPRECATED" in texts[1] and "2028-10-31" in texts[1] and "'3.13' >" in texts[1]
    (tmp_path / ".python-version").unlink()
    texts = [warning.text for warning in solve(Row(expected=""), tmp_path).warnings]
    assert texts == [
        "No Python version is asked for. "
        "To choose one: echo '3.13' > .python-version  (and commit that file)"
    ]


def test_the_clock_ages_an_app(tmp_path: Path) -> None:
    """One app, day by day: nothing, a warning, a louder one, an error."""
    (tmp_path / ".python-version").write_text("3.12\n")

    def on(day: str) -> str:
        try:
            found = solve(Row(expected="", today=day), tmp_path)
        except UserError as error:
            return error.id
        assert found.release.version == "3.12.8"
        return ", ".join(warning.kind for warning in found.warnings)

    assert on("2028-04-29") == ""
    assert on("2028-05-01") == NEAR_END
    assert on("2028-11-01") == PAST_END
    assert on("2029-10-31") == "python-version-end-of-life"


@pytest.mark.parametrize("name", [*MISSPELT_VERSION_FILES, *MISSPELT_RUNTIME_FILES])
def test_detect_passes_for_misspelt_files(name: str, tmp_path: Path) -> None:
    """A near miss passes detect, so that build can explain it."""
    (tmp_path / name).write_text("3.12\n")
    assert python_sign(str(tmp_path)) == name


@pytest.mark.parametrize("name", ["runtime", "python", "version", "VERSION", ".tool-versions"])
def test_detect_leaves_other_names_alone(name: str, tmp_path: Path) -> None:
    """Names that other apps have are no sign of Python."""
    (tmp_path / name).write_text("3.12\n")
    assert python_sign(str(tmp_path)) is None


def test_a_directory_is_no_sign(tmp_path: Path) -> None:
    """Other apps keep papers in `requirements/`; build would find nothing to explain."""
    for name in ("requirements", "setup.py", "pylock.toml"):
        (tmp_path / name).mkdir()
    assert python_sign(str(tmp_path)) is None
    (tmp_path / "main.py").write_text("")
    assert python_sign(str(tmp_path)) == "main.py"
