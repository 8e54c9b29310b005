"""What is fuzzed: for each file of a user's a good one, and what the buildpack does with it."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import strategies as st
from tests.unit.mutations import mutated
from tests.unit.test_locks import MANIFEST, PDM_LOCK, PYLOCK, SHA, UV_LOCK

from cnb.bindings import read_bindings
from cnb.buildpack_plan import read_buildpack_plan
from cnb.launch import write_launch_toml
from cnb.layers import LayerTypes, write_layer_toml
from python_buildpack import detection, layers
from python_buildpack.app.facts import read_app_facts
from python_buildpack.app.files import AppFiles
from python_buildpack.app.sources import AppSources
from python_buildpack.app_steps.django_static import find_django_project
from python_buildpack.app_steps.nltk_data import read_index
from python_buildpack.app_steps.nltk_index import parse_nltk_txt, wanted_packages
from python_buildpack.describe.components import direct_names, package_components
from python_buildpack.errors import UserError
from python_buildpack.fetch import login
from python_buildpack.forbidden import refuse_forbidden
from python_buildpack.in_image.launch_wrapper import command, expand
from python_buildpack.launch.processes import LaunchInputs, plan_launch
from python_buildpack.log import Log
from python_buildpack.main import restored
from python_buildpack.managers import pdm_hash, pipenv_reader, poetry_reader
from python_buildpack.managers.lock_fields import Fields
from python_buildpack.packages import venv
from python_buildpack.packages.app_indexes import app_indexes
from python_buildpack.packages.credentials import secrets
from python_buildpack.packages.index_access import grant
from python_buildpack.packages.package_sources import parse_source, read_package_sources
from python_buildpack.packages.pylock_selection import (
    requirement_lines,
    select_packages,
    target_environment,
)
from python_buildpack.packages.shared_libraries import missing_libraries
from python_buildpack.packages.time_zones import user_of_time_zones
from python_buildpack.plan import Plan, make_plan
from python_buildpack.project import Project, read_project
from python_buildpack.redact import hider, redact, without_credentials, without_tokens
from python_buildpack.runtime.mirrors import replaced_url
from python_buildpack.runtime.releases import builtin_list, load_list
from python_buildpack.runtime.versions import Target as Machine
from python_buildpack.settings import TABLE, read_settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# What hurts: marks of encodings, halves of characters, deep and long things, ways out.
PIECES: tuple[bytes, ...] = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n", b"\x0c", b"\xc2\x85"),
    *(b"'", b'"', b"\\", b"[", b"]", b"{", b"}", b"(", b"=", b"==", b":", b";", b",", b"#", b"%", b"*"),
    *(b"://", b"@", b" @ ", b"${A}", b"$A", b"-r ", b"-e ", b"-", b"--hash=", b"../", b"/", b"~", b"."),
    *(b"\\ud800", b'"\\u0000"', b"null", b"1e999", b"NaN", b"true", b"1979-05-27", b"0" * 5000),
    *(b"[" * 3000, b"(" * 3000, b"{a=" * 500, b" " * 3000, b"not " * 500, b"a" * 5000),
    *(b"http://[", b"http://a:b@[::1", b"http://u:p@h:99999999/", b"file:///", b"git+https://a/b@c"),
)  # fmt: skip


@st.composite
def mutated_bytes(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with one to four places overwritten, cut out or filled."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from((0, 0, 1, 1, 2, 5, 20, 1000)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)))
        if len(piece) < 10 and draw(st.booleans()):
            piece *= draw(st.sampled_from((1, 2, 3000)))
        data[start : start + length] = piece
    return bytes(data)


def as_toml(table: Mapping[str, Any]) -> bytes:
    """As a file holds it."""
    return tomli_w.dumps(table).encode()


def as_json(table: Mapping[str, Any]) -> bytes:
    """As a file holds it."""
    return json.dumps(table).encode()


def odd(good: bytes, name: str) -> st.SearchStrategy[bytes]:
    """A file that went wrong: its bytes, or one of its values."""
    ways: list[st.SearchStrategy[bytes]] = [mutated_bytes(good), st.binary(max_size=64)]
    if name == "plan.toml":
        # The lifecycle's own: what other buildpacks say is its metadata only.
        return mutated(PLAN_METADATA).map(lambda values: as_toml(plan_of(values)))
    if name.endswith((".json", "Pipfile.lock")):
        ways += [mutated(json.loads(good)).map(as_json)] * 2
    elif name.endswith((".toml", ".lock", "Pipfile")):
        ways += [mutated(tomllib.loads(good.decode())).map(as_toml)] * 2
    return st.one_of(ways)


PLAN_METADATA = {"version": ">=3.12", "build": True}


def plan_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The build plan with a wish of another buildpack."""
    return {"entries": [{"name": "python", "metadata": dict(metadata)}]}


@dataclass(frozen=True, kw_only=True)
class Target:
    """`good` is what stands in the file `name`; `run` does with it what a build would.

    `run` is given the folder that holds the file and those `beside` it. `fresh` writes into a lock
    that it fits the manifest, which would otherwise be all that is ever said of it.
    """

    name: str
    good: bytes
    run: Callable[[Path, Mapping[str, str]], None]
    beside: Mapping[str, bytes] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    fresh: Callable[[Path], None] | None = None

    def try_with(self, content: bytes) -> None:
        """Raises what no build may raise."""
        with tempfile.TemporaryDirectory(prefix="fuzz") as name:
            folder = Path(name)
            for path, data in {**self.beside, self.name: content}.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
            try:
                if self.fresh is not None:
                    self.fresh(folder)
                self.run(folder, self.environ)
            except UserError as failure:
                error = failure
                _print(lambda log: log.error(error))
                assert error.title.strip() and error.body.strip()


def _print(write: Callable[[Log], None]) -> None:
    """Fails for what cannot be printed."""
    log = Log(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), debug=True)
    log.hide(["s3cret"])
    write(log)


def build(folder: Path, environ: Mapping[str, str]) -> None:
    """All that a build reads and decides before it acts, and what it would write."""
    app = folder / "app"
    app.mkdir(exist_ok=True)
    layers_dir = folder / "layers"
    layers_dir.mkdir(exist_ok=True)
    home = {"HOME": str(folder / "home"), **environ}
    # detect
    (folder / "platform").mkdir(exist_ok=True)
    with _working_directory(app), contextlib.redirect_stdout(io.StringIO()):
        assert detection.detect([str(folder), str(folder / "detect-plan.toml")], home) in (0, 100)
    settings = read_settings(home)
    refuse_forbidden(home)
    project = read_project(app, settings)
    bindings = read_bindings(folder / "platform", {})
    prefer_uv = project.packages.manager == "uv"
    sources = read_package_sources(home, bindings, project.root, prefer_uv=prefer_uv)
    plan_path = folder / "plan.toml"
    entries = read_buildpack_plan(plan_path) if plan_path.exists() else ()
    log = Log(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), debug=True)
    log.hide(secrets(sources, ()))
    releases = load_list(settings.releases, log, home) if settings.releases else builtin_list()
    plan = make_plan(
        project,
        settings,
        releases,
        restored(layers_dir),
        entries,
        sources,
        target=Machine(arch="amd64", distribution="debian 12"),
        today=datetime.date(2026, 1, 1),
        uv_version="0.9.0",
        layers_dir=str(layers_dir),
    )
    _carry_out(folder, project, plan, log)
    install = project.packages.install
    if install is not None:
        indexes = app_indexes(sources, install.indexes, home, install.pinned)
        work = folder / "work"
        work.mkdir(exist_ok=True)
        access = grant(sources, indexes, (), home, work, no_index=False, own_index=False)
        for environment in (access.uv_environment, access.pip_environment):
            assert not [value for value in environment.values() if "\0" in value]
            _ = [os.fsencode(value) for value in environment.values()]
        for source in access.sources:
            login(source.url, access.pip_environment.get("NETRC"))
        if install.lock and install.uv_export is None:
            environment = target_environment("3.13.1")
            table = AppFiles(app).toml(install.lock)
            chosen = select_packages(
                table, install.lock, app, environment, extras=install.extras, groups=install.groups
            )
            _ = "\n".join(requirement_lines(chosen)).encode()
    replaced_url("https://files.example/a.tar.gz", SHA, settings.mirror, bindings)


@contextlib.contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _carry_out(folder: Path, project: Project, plan: Plan, log: Log) -> None:
    """What is written and printed of a plan."""
    layers_dir = folder / "layers"
    metadata = {
        "format": layers.FORMAT,
        "key": layers.as_table(plan.venv_key),
        "requirements": {name: list(lines) for name, lines in plan.shown.items()},
    }
    write_layer_toml(layers_dir, "venv", LayerTypes(launch=True), metadata)
    for warning in plan.warnings:
        log.warning(warning)
    log.info("; ".join((*plan.venv.reasons, *plan.changed_lines, *project.packages.notices)))
    launch = plan_launch(
        LaunchInputs(
            procfile=project.procfile,
            facts=read_app_facts(AppFiles(project.root)),
            packages={"flask": "3", "gunicorn": "23", "django": "5", "gradio": "5", "a": "1"},
            venv_dir="/v",
            root=str(project.root),
            app_dir=str(project.root),
            live_reload=True,
        )
    )
    write_launch_toml(layers_dir, launch.processes, ())
    for process in launch.processes:
        log.info(" ".join((*process.command, *process.args)))
        for word in (*process.command, *process.args):
            if len(process.command) > 1 and process.command[1] == "-IS":
                expand(word, {"A": " x  y "})
        if process.command[1:2] == ("-IS",):
            command([*process.command[4:]], [], {"A": " x  y "})
    install = project.packages.install
    if install is not None:
        lines = (*install.lines, *(line for some in install.pinned.values() for line in some))
        _ = "\n".join((*lines, *install.editables, *install.files)).encode()


def packages(folder: Path, environ: Mapping[str, str]) -> None:
    """What is read from installed packages, which anybody may have made."""
    del environ
    root = folder / "venv"
    venv.tidy(root)
    distributions = venv.installed_distributions(root)
    asked = [line for one in distributions for line in one.requires]
    parts = package_components(distributions, {}, target_environment("3.13.1"), asked)
    assert set(direct_names(parts, asked)) <= {part.name for part in parts}
    missing_libraries(venv.site_packages(root), [])


def static_files(folder: Path, environ: Mapping[str, str]) -> None:
    """Whether Django's collectstatic is to be run, and whether time zones are used."""
    user_of_time_zones({}, [str(path) for path in folder.rglob("*.py")], folder / "none")
    find_django_project(AppSources(folder / "app"), environ.get("DJANGO_SETTINGS_MODULE", ""))


def nltk_data(folder: Path, environ: Mapping[str, str]) -> None:
    """What nltk.txt asks for, by an index that lies beside it."""
    app = folder / "app"
    index = read_index("index.xml", app, environ, (), Log(io.StringIO()))
    wanted_packages(index, parse_nltk_txt(AppFiles(app).text("nltk.txt")), "index.xml")


def printed(folder: Path, environ: Mapping[str, str]) -> None:
    """A line of a tool's output."""
    del environ
    text = (folder / "line").read_bytes().decode("utf-8", "replace")
    _print(lambda log: log.info(text))
    redact(text)
    without_credentials(text)
    pattern = hider([text[:20]])
    assert pattern is None or not pattern.search(pattern.sub("****", text[:200]))
    for word in text.split()[:50]:
        with contextlib.suppress(UserError):
            without_tokens(parse_source("a variable", word).url)


def _fresh_pdm(folder: Path) -> None:
    files = AppFiles(folder / "app")
    lock = dict(PDM_LOCK)
    digest = pdm_hash.content_hash(files, "sha256")
    lock["metadata"] = {**lock["metadata"], "content_hash": f"sha256:{digest}"}
    (folder / "app" / "pdm.lock").write_bytes(as_toml(lock))


def _fresh_poetry(folder: Path) -> None:
    manifest = AppFiles(folder / "app").toml("pyproject.toml")
    digest = sorted(poetry_reader.content_hashes(manifest, lock_format=(2, 1), generator="2.1.0"))[
        0
    ]
    lock = {**POETRY_LOCK, "metadata": {**POETRY_LOCK["metadata"], "content-hash": digest}}
    (folder / "app" / "poetry.lock").write_bytes(as_toml(lock))


def _fresh_pipenv(folder: Path) -> None:
    values = AppFiles(folder / "app").toml("Pipfile")
    fields = Fields(file="Pipfile", values=values, repair="")
    digest = sorted(pipenv_reader.content_hashes(fields, None))[0]
    lock = {**PIPFILE_LOCK, "_meta": {**PIPFILE_LOCK["_meta"], "hash": {"sha256": digest}}}
    (folder / "app" / "Pipfile.lock").write_bytes(as_json(lock))


REQUIREMENTS = b"""# comment
-r more.txt
-c limits.txt
--index-url https://user:s3cret@index.example/simple/
--extra-index-url https://${A}:${B}@other.example/simple
-e ./lib[extra]
-e git+https://t0ken@git.example/a/b.git@main#egg=b
flask[async]>=3,<4 ; python_version >= "3.8" \\
    --hash=sha256:0000 --hash=sha256:1111
lib @ file:///app/lib
other @ https://files.example/other-1.0.tar.gz?token=abcdefgh#sha256=00
--no-index --find-links=./wheels -f file:///app/${A}
more@file:li%62#subdirectory=more ; python_version > "3"
wheel-1.0-py3-none-any.whl
./lib
"""
POETRY: dict[str, Any] = {
    "tool": {
        "poetry": {
            "name": "shop",
            "version": "1.0",
            "dependencies": {
                "python": "^3.10",
                "base": {"version": "^1", "extras": ["fast"], "markers": "os_name == 'posix'"},
                "driver": {"version": "1.0", "optional": True, "source": "ours"},
                "lib": {"path": "lib", "develop": True},
                "many": [{"version": "1", "python": "<3.12"}, {"version": "2", "python": ">=3.12"}],
            },
            "group": {"dev": {"optional": True, "dependencies": {"tester": "*"}}},
            "extras": {"pg": ["driver"]},
            "source": [{"name": "ours", "url": "https://ours.example/simple", "priority": "explicit"}],
        }
    }
}  # fmt: skip
POETRY_LOCK: dict[str, Any] = {
    "package": [
        {
            "name": "base", "version": "1.0", "description": "", "optional": False,
            "python-versions": ">=3.8", "groups": ["main"], "markers": "os_name == 'posix'",
            "files": [{"file": "base-1.0-py3-none-any.whl", "hash": f"sha256:{SHA}"}],
            "dependencies": {"deep": {"version": ">=1", "extras": ["fast"], "markers": "extra == 'fast'"}},
            "extras": {"fast": ["deep (>=1)"]},
        },
        {
            "name": "deep", "version": "1.0", "optional": True, "python-versions": "*",
            "groups": ["main", "dev"], "markers": {"main": "extra == 'pg'", "dev": "os_name == 'nt'"},
            "files": [], "source": {"type": "git", "url": "https://git.example/deep",
                                    "reference": "main", "resolved_reference": "c0ffee"},
        },
        {
            "name": "lib", "version": "1.0", "optional": False, "python-versions": "*", "develop": True,
            "groups": ["main"], "files": [], "source": {"type": "directory", "url": "lib"},
        },
        {
            "name": "ours", "version": "1.0", "optional": False, "python-versions": "*",
            "groups": ["main"], "files": [{"file": "o.whl", "hash": f"sha256:{SHA}"}],
            "source": {"type": "legacy", "url": "https://ours.example/simple", "reference": "ours"},
        },
    ],
    "extras": {"pg": ["driver"]},
    "metadata": {"lock-version": "2.1", "python-versions": "^3.10", "content-hash": ""},
}  # fmt: skip
PIPFILE: dict[str, Any] = {
    "source": [{"name": "main", "url": "https://${A}:${B}@main.example/simple", "verify_ssl": True}],
    "packages": {"base": "*", "lib": {"path": "lib", "editable": True}, "ours": {"version": "==1", "index": "main"}},
    "dev-packages": {"tester": "*"},
    "requires": {"python_version": "3.12"},
    "pipenv": {"allow_prereleases": True},
}  # fmt: skip
PIPFILE_LOCK: dict[str, Any] = {
    "_meta": {
        "hash": {"sha256": ""},
        "pipfile-spec": 6,
        "requires": {"python_version": "3.12", "python_full_version": "3.12.1"},
        "sources": [{"name": "main", "url": "https://main.example/simple", "verify_ssl": True}],
    },
    "default": {
        "base": {"hashes": [f"sha256:{SHA}"], "index": "main", "version": "==1.0",
                 "markers": "python_version >= '3.8'", "extras": ["fast"]},
        "lib": {"path": "lib", "editable": True},
        "vcs": {"git": "https://git.example/vcs@main", "ref": "c0ffee", "subdirectory": "a"},
        "direct": {"file": "https://files.example/direct-1.0.zip", "hashes": [f"sha256:{SHA}"]},
    },
    "develop": {"tester": {"version": "==1.0", "hashes": []}},
}  # fmt: skip
PEP_621: dict[str, Any] = {
    "project": {
        "name": "shop",
        "version": "1.0",
        "requires-python": ">=3.10",
        "dependencies": ["flask>=3", "lib @ https://u:s3cret@files.example/lib.whl"],
        "optional-dependencies": {"pg": ["driver"]},
        "dynamic": ["readme"],
        "scripts": {"shop": "shop:main"},
    },
    "build-system": {"requires": ["setuptools"], "backend-path": ["."]},
    "dependency-groups": {"dev": ["tester", {"include-group": "more"}], "more": ["pytest"]},
    "tool": {"uv": {"index": [{"url": "https://u:s3cret@index.example/simple", "name": "corp"}]}},
}
VERSIONED = {
    "project": {"name": "shop", "dynamic": ["version"]},
    "build-system": {"requires": [], "build-backend": "flit_core.buildapi", "backend-path": ["x"]},
    "tool": {
        "setuptools": {"dynamic": {"version": {"attr": "shop.__version__"}}},
        "hatch": {
            "version": {"path": "shop/v.py"},
            "build": {"hooks": {"custom": {"path": "b.py"}}},
        },
        "pdm": {"version": {"source": "call", "getter": "shop.v:get"}},
        "flit": {"module": {"name": "shop"}},
    },
}
APP_621 = {
    **{name: table for name, table in PEP_621.items() if name != "build-system"},
    "project": {
        **{name: value for name, value in PEP_621["project"].items() if name != "scripts"},
        "optional-dependencies": {"pg": ["driver; os_name == 'a'", "shop[pg]; os_name == 'posix'"]},
    },
}
SCRIPT = b"""#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["requests<3", "rich @ https://u:s3cret@files.example/rich.whl"]
# [tool.uv]
# exclude-newer = "2024-01-01T00:00:00Z"
# index = [{url = "https://index.example/simple", name = "corp", default = true}]
# ///
print()
"""
FLASK = b"""from flask import Flask
import flask as f
application: object = Flask(__name__)
def create_app(config=None):
    app = f.Flask(__name__)
    return app
"""
RELEASE = {
    "version": "3.13.7", "arch": "amd64", "flavour": "install_only", "build": "20250101",
    "sha256": SHA, "url": "https://files.example/a.tar.gz", "glibc": "2.17", "free_threaded": False,
}  # fmt: skip
RELEASES = {
    "format": 1,
    "releases": [RELEASE],
    "support": {"3.13": {"end_of_life": "2029-10-31", "refused": "2030-10-31"}},
}
KEY = {
    "python": "3.13.1", "python_sha256": SHA, "manager": "pip", "installer": "pip", "recipe": 1,
    "inputs": {"requirements.txt": "0"}, "options": ["index https://a"], "groups": [], "extras": [],
    "refresh": "", "location": "/layers:/app",
}  # fmt: skip
LAYER = {"metadata": {"format": 1, "key": KEY, "requirements": {"requirements.txt": ["flask"]}}}
PYTHON_LAYER = {
    "metadata": {
        "format": 1,
        "key": {
            "version": "3.13.1", "archive_sha256": SHA, "trim_recipe": 1, "arch": "amd64",
            "glibc": "2.17", "location": "/layers",
        },
    }
}  # fmt: skip
INFO = "venv/lib/python3.13/site-packages/a-1.0.dist-info"
INSTALLED = {
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: b>=1; extra == 'c'\n\nText\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
    f"{INFO}/RECORD": b'a.py,sha256=AAA,3\n"b,c.py",,\na-1.0.dist-info/RECORD,,\n',
    f"{INFO}/direct_url.json": b'{"url": "https://u:s3cret@files.example/a.whl", "archive_info": {}}',
}
# An ELF header, 64 bits and little-endian, with one section header.
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0\x01\0\0\0" + bytes(16) + b"\x40" + bytes(
    11) + b"\x40\0\x38\0\x01\0\x40\0\x01\0\0\0" + bytes(64)  # fmt: skip
LIB = {"app/lib/pyproject.toml": b'[project]\nname = "lib"\nversion = "1"\n'}
UV_WORKSPACE = {
    **LIB,
    "app/services/api/pyproject.toml": b'[project]\nname = "api"\nversion = "1"\n',
}
REACHED = {**LIB, "app/more.txt": b"more\n", "app/limits.txt": b"more<2\n"}
GROUPS = {"BP_PYTHON_GROUPS": "dev"}
CHOSEN = {"BP_PYTHON_GROUPS": "dev", "BP_PYTHON_EXTRAS": "pg"}
SECRET_ENV = {"A": "alice", "B": "s3cret/p@ss"}
PIP_CONF = (
    b"[global]\nindex-url = https://u:s3cret@index.example/simple\nno_binary = a\n"
    b"extra-index-url =\n    https://a\n    https://b\n[install]\ntrusted-host = a b\n"
)
NETRC = b'machine index.example login u password s3cret\nmachine a login "b c" password d\nmacdef x\n y\n\ndefault login e\n'
UV_TOML = (
    b'[[index]]\nurl = "https://u:s3cret@index.example/simple"\nname = "corp"\ndefault = true\n'
    b'[pip]\nextra-index-url = ["https://a"]\n'
)
AUTH = b'[http-basic.corp]\nusername = "u"\npassword = "s3cret"\n'


NLTK_INDEX = b"""<nltk_data><packages><package id="stopwords" subdir="corpora" url="stopwords.zip"
unzip="1" checksum="0123456789abcdef0123456789abcdef"/></packages>
<collections><collection id="all"><item ref="stopwords"/></collection></collections></nltk_data>"""


def _pdm_locks() -> list[dict[str, Any]]:
    """A lock of PDM's of each strategy, fit for the manifest."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "pyproject.toml").write_bytes(as_toml(MANIFEST))
        digest = pdm_hash.content_hash(AppFiles(Path(name)), "sha256")
    metadata = {**PDM_LOCK["metadata"], "content_hash": f"sha256:{digest}"}
    return [
        {**PDM_LOCK, "metadata": {**metadata, "strategy": strategy}}
        for strategy in (["inherit_metadata"], [])
    ]


PDM_NEW, PDM_OLD = _pdm_locks()
PDM_BESIDE = {**LIB, "app/pyproject.toml": as_toml(MANIFEST)}


def _app(
    name: str, good: bytes, key: str = "", beside: Mapping[str, bytes] | None = None, **more: Any
) -> dict[str, Target]:
    """A target for a file of the app, with nothing of the kind beside it."""
    return {
        key or name: Target(name=f"app/{name}", good=good, run=build, beside=beside or {}, **more)
    }


def _bound(kind: str, entry: str, good: bytes, **others: bytes) -> dict[str, Target]:
    """A target for an entry of a service binding, and an app that names an index by `corp`."""
    folder = "platform/bindings/one"
    beside = {
        f"{folder}/type": kind.encode(),
        **{f"{folder}/{name}": data for name, data in others.items()},
        "app/run.py": SCRIPT,
    }
    return {
        f"binding {kind}/{entry}": Target(
            name=f"{folder}/{entry}",
            good=good,
            run=build,
            beside=beside,
            environ={"BP_PYTHON_SCRIPT": "run.py"},
        )
    }


def _variables(folder: Path, environ: Mapping[str, str]) -> None:
    """`name=value` lines as the build's environment."""
    lines = (folder / "variables").read_bytes().decode("utf-8", "surrogateescape").split("\n")
    given = dict(line.partition("=")[::2] for line in lines if "\0" not in line)
    build(folder, {**environ, **{name: value for name, value in given.items() if name != "HOME"}})


VARIABLES = "\n".join(
    [
        "PIP_INDEX_URL=https://u:s3cret@index.example/simple",
        "PIP_EXTRA_INDEX_URL=https://a https://b",
        "UV_INDEX=corp=https://c.example/simple",
        "UV_INDEX_CORP_USERNAME=u",
        "UV_INDEX_CORP_PASSWORD=s3cret",
        "PIP_NO_BINARY=a,b",
        "PIP_PROXY=http://u:s3cret@proxy.example:3128",
        *(f"{row.name}={row.default}" for row in TABLE if row.name != "BP_PYTHON_RELEASES"),
    ]
).encode()

TARGETS: dict[str, Target] = {
    **_app("requirements.txt", REQUIREMENTS, beside=REACHED, environ=SECRET_ENV),
    **_app("more.txt", REQUIREMENTS, beside={"app/requirements.txt": b"-r more.txt\n"}),
    **_app(".python-version", b"# ours\n3.13.1\r\n", beside={"app/app.py": b""}),
    **_app("runtime.txt", b"python-3.12.8\n", beside={"app/app.py": b""}),
    **_app("python-version", b"3.13\n", "a misspelt version file"),
    **_app("runtime.text", b"python-3.13\n", "a misspelt runtime.txt"),
    **_app("Procfile", b"web: gunicorn -b 0.0.0.0:$PORT \"app:${A}\" 'x'\n# c\nworker: exec python w.py\n"),
    **_app("Procfile", b"web: python run.py\n", "Procfile with a script", {"app/run.py": SCRIPT}),
    **_app("run.py", SCRIPT, "script", environ={"BP_PYTHON_SCRIPT": "run.py"}),
    **_app("run.py.lock", as_toml(UV_LOCK), beside={**UV_WORKSPACE, "app/run.py": SCRIPT},
           environ={"BP_PYTHON_SCRIPT": "run.py"}),
    **_app("app.py", FLASK),
    **_app("manage.py", b"import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.settings')\n",
           beside={"app/a/settings.py": b"WSGI_APPLICATION = 'a.wsgi.application'\n"}),
    **_app("a/settings.py", b"WSGI_APPLICATION = 'a.wsgi.application'\n", "Django's settings",
           {"app/manage.py": b"import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.settings')\n"}),
    **_app("pyproject.toml", as_toml(PEP_621), environ=CHOSEN),
    **_app("pyproject.toml", as_toml(APP_621), "pyproject.toml without a backend", environ=CHOSEN),
    **_app("setup.py", b"from setuptools import setup\nsetup(name='a', install_requires=open('requirements.in'))\n",
           beside={"app/requirements.in": b"a\n"}),
    **_app("pyproject.toml", as_toml(VERSIONED), "pyproject.toml with a version in the code", {
        "app/shop/__init__.py": b"from .v import v as __version__\n", "app/shop/v.py": b"v = '1'\n"}),
    **_app(".git/packed-refs", b"# pack-refs with: peeled \n" + b"1" * 40 + b" refs/tags/v1\n^" + b"2" * 40 + b"\n",
           beside={"app/.git/HEAD": b"ref: refs/heads/main\n",
                   "app/setup.py": b"from setuptools import setup\nsetup(use_scm_version=True, setup_requires=['setuptools_scm'])\n"}),
    **_app("setup.cfg", b"[metadata]\nname = a\n[options]\npython_requires = >=3.9,\n  <4\n", environ=CHOSEN),
    **_app("Pipfile", as_toml(PIPFILE), beside=LIB, environ=SECRET_ENV, fresh=_fresh_pipenv),
    **_app("Pipfile.lock", as_json({**PIPFILE_LOCK, "_meta": {**PIPFILE_LOCK["_meta"], "hash": {
        "sha256": sorted(pipenv_reader.content_hashes(Fields(file="", values=PIPFILE, repair=""), None))[0]}}}),
        beside={**LIB, "app/Pipfile": as_toml(PIPFILE)}, environ={**SECRET_ENV, **GROUPS}),
    **_app("pyproject.toml", as_toml(POETRY), "pyproject.toml of Poetry", LIB, environ=CHOSEN,
           fresh=_fresh_poetry),
    **_app("poetry.lock", as_toml({**POETRY_LOCK, "metadata": {**POETRY_LOCK["metadata"], "content-hash":
        sorted(poetry_reader.content_hashes(POETRY, lock_format=(2, 1), generator="2.1.0"))[0]}}),
        beside={**LIB, "app/pyproject.toml": as_toml(POETRY)}, environ=CHOSEN),
    **_app("poetry.lock", as_toml({**POETRY_LOCK, "metadata": {
        "lock-version": "1.1", "python-versions": "^3.10", "files": {"base": []}, "content-hash":
        sorted(poetry_reader.content_hashes(POETRY, lock_format=(1, 1), generator=""))[0]}}), "poetry.lock of Poetry 1.1",
        {**LIB, "app/pyproject.toml": as_toml(POETRY)}),
    **_app("poetry.toml", b"[installer]\nno-binary = ['base']\nonly-binary = 'true'\n", "poetry.toml", {
        **LIB, "app/pyproject.toml": as_toml(POETRY)}, fresh=_fresh_poetry),
    **_app("uv.lock", as_toml(UV_LOCK), beside={**UV_WORKSPACE, "app/pyproject.toml": as_toml(MANIFEST)},
           environ=CHOSEN),
    **_app("pyproject.toml", as_toml(MANIFEST), "pyproject.toml of uv",
           {**UV_WORKSPACE, "app/uv.lock": as_toml(UV_LOCK)}, environ=CHOSEN),
    **_app("pyproject.toml", as_toml(MANIFEST), "pyproject.toml above the app",
           {**UV_WORKSPACE, "app/uv.lock": as_toml(UV_LOCK)},
           environ={"BP_PYTHON_PROJECT_DIR": "services/api"}),
    **_app("uv.toml", UV_TOML, beside={**UV_WORKSPACE, "app/pyproject.toml": as_toml(MANIFEST),
                                       "app/uv.lock": as_toml(UV_LOCK)}),
    **_app("pyproject.toml", as_toml(MANIFEST), "pyproject.toml of PDM", LIB, fresh=_fresh_pdm),
    **_app("pdm.lock", as_toml(PDM_OLD), beside=PDM_BESIDE, environ=CHOSEN),
    **_app("pdm.lock", as_toml(PDM_NEW), "pdm.lock with markers", PDM_BESIDE, environ=CHOSEN),
    **_app("vendor/a-1.0-py3-none-any.whl", b"PK", "a wheel at hand", {"app/requirements.txt": b"a\n"}),
    **_app("pylock.toml", as_toml(PYLOCK), beside={**LIB, "app/sdists/base-1.0.tar.gz": b""}, environ=CHOSEN),
    "pip.conf": Target(name="home/.config/pip/pip.conf", good=PIP_CONF, run=build,
                       beside={"app/requirements.txt": b"a\n"}),
    "netrc": Target(name="home/.netrc", good=NETRC, run=build, beside={"app/requirements.txt": b"a\n"},
                    environ={"PIP_INDEX_URL": "https://index.example/simple"}),
    **_bound("pip", "pip.conf", PIP_CONF),
    **_bound("netrc", ".netrc", NETRC),
    **_bound("uv", "uv.toml", UV_TOML),
    **_bound("poetry", "auth.toml", AUTH),
    **_bound("poetry", "config.toml", AUTH),
    **_bound("pypi-index", "url", b"https://u:s3cret@index.example/simple"),
    **_bound("pypi-index", "username", b"u\n", url=b"https://index.example/simple"),
    **_bound("pypi-index", "password", b"s3cret\n", url=b"https://index.example/simple", username=b"u"),
    **_bound("ca-certificates", "ca.pem", b"-----BEGIN CERTIFICATE-----\n"),
    **_bound("dependency-mirror", "default", b"https://u:s3cret@mirror.example/{originalHost}"),
    **_bound("dependency-mapping", SHA, b"https://u:s3cret@mirror.example/a"),
    **_bound("any", "type", b"pip\n"),
    "variables": Target(name="variables", good=VARIABLES, run=_variables, beside={"app/run.py": SCRIPT}),
    "releases.json": Target(name="app/releases.json", good=as_json(RELEASES), run=build,
                            environ={"BP_PYTHON_RELEASES": "app/releases.json"}),
    "venv.toml": Target(name="layers/venv.toml", good=as_toml(LAYER), run=build,
                        beside={"app/requirements.txt": b"flask\n"}),
    "python.toml": Target(name="layers/python.toml", good=as_toml(PYTHON_LAYER), run=build,
                          beside={"app/requirements.txt": b"flask\n"}),
    "plan.toml": Target(name="plan.toml", good=as_toml(plan_of(PLAN_METADATA)), run=build, beside={"app/app.py": b""}),
    **{f"a package's {name.rpartition('/')[2]}": Target(
        name=name, good=good, run=packages, beside=INSTALLED) for name, good in INSTALLED.items()},
    "a package's library": Target(name="venv/lib/python3.13/site-packages/a.so", good=ELF, run=packages,
                                  beside=INSTALLED),
    "nltk.txt": Target(name="app/nltk.txt", good=b"# all\nstopwords\nall\n", run=nltk_data,
                       beside={"app/index.xml": NLTK_INDEX}),
    "NLTK's index": Target(name="app/index.xml", good=NLTK_INDEX, run=nltk_data,
                           beside={"app/nltk.txt": b"stopwords\n"}),
    "Django's static files": Target(
        name="app/a/settings.py", good=b"INSTALLED_APPS = ['django.contrib.staticfiles']\n",
        run=static_files, beside={"app/manage.py": b""}, environ={"DJANGO_SETTINGS_MODULE": "a.settings"}),
    "a line of output": Target(
        name="line",
        good=b"Looking at https://user:s3cret/pa@ss@index.example/simple?token=abc&x=1 authorization: basic YTpi",
        run=printed,
    ),
}  # fmt: skip
