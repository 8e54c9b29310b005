"""uv.lock, pdm.lock and pylock.toml, read as data: tables, and properties over odd documents.

And pyproject.toml without any of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.pylock import Pylock
from packaging.requirements import Requirement
from tests.unit.mutations import mutated

from python_buildpack.app.files import AppFiles
from python_buildpack.errors import UserError
from python_buildpack.managers import pdm, pdm_hash, pylock, pyproject, uv, uv_workspace
from python_buildpack.managers.declaration import Declaration, Index
from python_buildpack.managers.pdm_graph import Node, group_requirements, markers, parse_need
from python_buildpack.packages.pylock_selection import (
    as_pylock,
    requirement_lines,
    select_packages,
    target_environment,
)
from python_buildpack.settings import read_settings

SHA = "0" * 64
MANIFEST: dict[str, Any] = {
    "project": {
        "name": "shop",
        "version": "1.0",
        "dependencies": ["base", "ours"],
        "optional-dependencies": {"pg": ["driver"]},
    },
    "dependency-groups": {"dev": ["tester"]},
    "tool": {
        "uv": {
            "index": [
                {"name": "ours", "url": "https://ours.example/simple/", "explicit": True},
                {"name": "main", "url": "https://main.example/simple", "default": True},
            ],
            "no-binary-package": ["base"],
            "config-settings": {"a": "b"},
            "workspace": {"members": ["services/*"]},
        },
        "pdm": {
            "distribution": False,
            "source": [{"name": "pypi", "url": "https://main.example/simple"}],
        },
    },
}


def registry(name: str, url: str = "https://main.example/simple", **more: Any) -> dict[str, Any]:
    """A package of uv.lock."""
    return {"name": name, "version": "1.0", "source": {"registry": url}, **more}


UV_LOCK: dict[str, Any] = {
    "version": 1,
    "revision": 3,
    "requires-python": ">=3.10",
    "manifest": {"members": ["shop", "api"]},
    "package": [
        registry("base", dependencies=[{"name": "deep", "extra": ["fast"]}]),
        {**registry("deep"), "optional-dependencies": {"fast": [{"name": "speedup"}]}},
        registry("driver"),
        registry("ours", "https://ours.example/simple"),
        registry("queue"),
        registry("speedup"),
        registry("tester"),
        {
            "name": "shop",
            "version": "1.0",
            "source": {"virtual": "."},
            "dependencies": [{"name": "base"}, {"name": "ours"}],
            "optional-dependencies": {"pg": [{"name": "driver"}]},
            "dev-dependencies": {"dev": [{"name": "tester"}]},
        },
        {
            "name": "api",
            "version": "1.0",
            "source": {"editable": "services/api"},
            "dependencies": [{"name": "queue"}],
        },
    ],
}
PYLOCK: dict[str, Any] = {
    "lock-version": "1.0",
    "created-by": "tests",
    "requires-python": ">=3.9",
    "environments": ["sys_platform == 'linux'"],
    "extras": ["pg"],
    "dependency-groups": ["dev", "main"],
    "default-groups": ["main"],
    "packages": [
        {
            "name": "base",
            "version": "1.0",
            "marker": "'main' in dependency_groups",
            "index": "https://main.example/simple",
            "wheels": [
                {
                    "url": "https://u:p@files.example/base-1.0-py3-none-any.whl",
                    "hashes": {"sha256": SHA},
                }
            ],
            "sdist": {
                "path": "sdists/base-1.0.tar.gz",
                "hashes": {"sha512": SHA, "md5": "1"},
            },
        },
        {"name": "lib", "directory": {"path": "lib", "editable": True}},
        {
            "name": "vcs",
            "marker": "'pg' in extras",
            "vcs": {"type": "git", "url": "https://git.example/vcs", "commit-id": "c0ffee",
                    "subdirectory": "sub"},
        },
        {
            "name": "arch",
            "marker": "'dev' in dependency_groups",
            "archive": {"url": "https://files.example/arch.zip", "hashes": {"sha256": SHA}},
        },
    ],
}  # fmt: skip
PDM_LOCK: dict[str, Any] = {
    "metadata": {
        "groups": ["default", "dev", "pg"],
        "strategy": ["inherit_metadata"],
        "lock_version": "4.5.0",
        "content_hash": "",
    },
    "package": [
        {
            "name": "base",
            "version": "1.0",
            "groups": ["default"],
            "marker": "os_name == 'posix'",
            "dependencies": ["deep[fast]>=1"],
            "files": [{"file": "base-1.0-py3-none-any.whl", "hash": f"sha256:{SHA}"}],
        },
        {"name": "tester", "version": "1.0", "groups": ["dev"], "git": "https://git.example/t",
         "revision": "c0ffee"},
        {"name": "lib", "version": "1.0", "groups": ["default"], "path": "./lib", "editable": True},
    ],
}  # fmt: skip


def app(root: Path, **tables: Mapping[str, Any]) -> AppFiles:
    """An app with these TOML files; `lib` and `services/api` are projects in it."""
    for folder in ("lib", "services/api"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    (root / "sdists").mkdir(exist_ok=True)
    (root / "sdists" / "base-1.0.tar.gz").write_text("")
    for name, table in tables.items():
        (root / name.replace("_", ".")).write_text(tomli_w.dumps(table))
    return AppFiles(root)


def fresh(root: Path, lock: Mapping[str, Any], manifest: Mapping[str, Any]) -> AppFiles:
    """An app with this pdm.lock, whose content hash is right."""
    files = app(root, pyproject_toml=manifest)
    metadata = {
        **lock["metadata"],
        "content_hash": f"sha256:{pdm_hash.content_hash(files, 'sha256')}",
    }
    return app(root, pyproject_toml=manifest, pdm_lock={**lock, "metadata": metadata})


def shown(declaration: Declaration) -> set[str]:
    """The names of what may be installed."""
    lines = [line for lines in declaration.shown.values() for line in lines]
    return {Requirement(line).name for line in lines}


# uv.lock


@pytest.mark.parametrize(
    ("environ", "names", "export"),
    [
        ({}, {"base", "deep", "speedup", "ours"}, ()),
        ({"BP_PYTHON_EXTRAS": "pg"}, {"base", "deep", "speedup", "ours", "driver"},
         ("--extra", "pg")),
        ({"BP_PYTHON_GROUPS": "dev"}, {"base", "deep", "speedup", "ours", "tester"},
         ("--group", "dev")),
        ({"BP_UV_PACKAGE": "api"}, {"queue"}, ("--package", "api")),
    ],
)  # fmt: skip
def test_uv_reaches(
    tmp_path: Path, environ: Mapping[str, str], names: set[str], export: Sequence[str]
) -> None:
    """What may be installed: through extras of dependencies, chosen extras, groups and members."""
    files = app(tmp_path, pyproject_toml=MANIFEST, uv_lock=UV_LOCK)
    declaration = uv.read(files, read_settings(environ))
    assert shown(declaration) == names
    assert declaration.install is not None
    assert declaration.install.uv_export == export


def test_uv_dynamic_extras(tmp_path: Path) -> None:
    """Extras that setuptools reads from elsewhere: the lock knows them, pyproject.toml does not."""
    project = {"name": "shop", "dynamic": ["optional-dependencies", "dependencies", "version"]}
    shop = {**UV_LOCK["package"][-2], "metadata": {"provides-extras": ["pg"]}}
    lock = {**UV_LOCK, "package": [*UV_LOCK["package"][:-2], shop, UV_LOCK["package"][-1]]}
    files = app(tmp_path, pyproject_toml={**MANIFEST, "project": project}, uv_lock=lock)
    declaration = uv.read(files, read_settings({"BP_PYTHON_EXTRAS": "pg"}))
    assert "driver" in shown(declaration)
    with pytest.raises(UserError, match="nope") as caught:
        uv.read(files, read_settings({"BP_PYTHON_EXTRAS": "nope"}))
    assert caught.value.id == "extra-unknown"
    assert "pg" in caught.value.body


def test_uv_install_set(tmp_path: Path) -> None:
    """Indexes with their names, what is built, and the settings that concern building."""
    files = app(tmp_path, pyproject_toml=MANIFEST, uv_lock=UV_LOCK)
    install = uv.read(files, read_settings({})).install
    assert install is not None
    assert install.indexes == (
        Index(name="main", url="https://main.example/simple", default=True),
        Index(name="ours", url="https://ours.example/simple", default=False),
    )
    assert install.uv_settings == {"no-binary-package": ["base"], "config-settings": {"a": "b"}}
    member = uv.read(files, read_settings({"BP_UV_PACKAGE": "api"})).install
    assert member is not None
    assert member.built == ("services/api",)


def test_uv_unnamed_registry_is_the_default(tmp_path: Path) -> None:
    """A lock made with an index of the author's environment: no manifest names it."""
    manifest = {**MANIFEST, "tool": {}}
    install = uv.read(
        app(tmp_path, pyproject_toml=manifest, uv_lock=UV_LOCK), read_settings({})
    ).install
    assert install is not None
    assert [index.default for index in install.indexes] == [True, True]


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ({"tool": {**MANIFEST["tool"], "ruff": {"line-length": 9}}}, False),
        ({"project": {**MANIFEST["project"], "dependencies": ["base"]}}, True),
        ({"tool": {"uv": {**MANIFEST["tool"]["uv"], "no-build": True}}}, True),
    ],
)
def test_uv_inputs(tmp_path: Path, table: Mapping[str, Any], changes: bool) -> None:
    """A linter's settings are no input; dependencies and uv's own settings are."""
    before = uv.read(app(tmp_path, pyproject_toml=MANIFEST, uv_lock=UV_LOCK), read_settings({}))
    after = uv.read(
        app(tmp_path, pyproject_toml={**MANIFEST, **table}, uv_lock=UV_LOCK), read_settings({})
    )
    assert (before.inputs != after.inputs) is changes


@pytest.mark.parametrize(
    ("members", "exclude", "folder", "expected"),
    [
        (["services/*"], [], "services/api", True),
        (["services/*"], ["services/a*"], "services/api", False),
        (["services"], [], "services/api", False),
        (["**"], [], "services/api", True),
        (["./services/api"], [], "services/api", True),
        ([], [], "services/api", False),
        (3, [], "services/api", False),
        ([3, "services/api"], 3, "services/api", True),
    ],
)
def test_workspace_members(
    tmp_path: Path, members: object, exclude: object, folder: str, expected: bool
) -> None:
    """The lock above an app counts where the manifest beside it has the app as a member."""
    workspace = {"members": members, "exclude": exclude}
    app(tmp_path, uv_lock={}, pyproject_toml={"tool": {"uv": {"workspace": workspace}}})
    files = AppFiles(tmp_path / folder, tmp_path)
    assert uv_workspace.lock_above(files) == (frozenset({"../../uv.lock"}) if expected else set())
    # Nothing above what was uploaded is looked at.
    assert uv_workspace.lock_above(AppFiles(tmp_path / folder)) == frozenset()


@settings(max_examples=200)
@given(lock=mutated(UV_LOCK), manifest=mutated(MANIFEST))
def test_odd_uv_lock(lock: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Whatever stands in the files: a declaration, or an error for the user."""
    for pair in ((lock, MANIFEST), (UV_LOCK, manifest)):
        with tempfile.TemporaryDirectory() as root:
            files = app(Path(root), uv_lock=pair[0], pyproject_toml=pair[1])
            for environ in ({}, {"BP_PYTHON_GROUPS": "dev", "BP_UV_PACKAGE": "shop"}):
                try:
                    uv.read(files, read_settings(environ))
                except UserError as error:
                    assert error.title


# pylock.toml


def selected(
    table: Mapping[str, Any], extras: Sequence[str] = (), groups: Sequence[str] = ("main",)
) -> list[dict[str, Any]]:
    """What applies on this machine for 3.12."""
    environment = target_environment("3.12.1")
    return select_packages(
        table, "pylock.toml", Path("/app"), environment, extras=extras, groups=groups
    )


@settings(max_examples=100)
@given(
    conditions=st.lists(
        st.sampled_from(
            ["", "'pg' in extras", "'dev' in dependency_groups", "python_version < '3.12'",
             "python_full_version >= '3.12.1'", "'pg' in extras and 'main' in dependency_groups",
             "implementation_name == 'cpython' or 'x' in extras"]
        ),
        max_size=6,
    ),
    extras=st.sets(st.sampled_from(["pg", "x"])),
    groups=st.sets(st.sampled_from(["dev", "main"])),
)  # fmt: skip
def test_selection_is_the_standards(
    conditions: list[str], extras: set[str], groups: set[str]
) -> None:
    """The packages that packaging's own implementation selects."""
    packages = [
        {
            "name": f"p{number}",
            **({"marker": marker} if marker else {}),
            "directory": {"path": "lib"},
        }
        for number, marker in enumerate(conditions)
    ]
    table = {**PYLOCK, "packages": packages, "environments": []}
    parsed = Pylock.from_dict(table)
    environment: Any = target_environment("3.12.1")
    wanted = parsed.select(
        environment=environment, tags=[], extras=extras, dependency_groups=groups
    )
    found = selected(table, sorted(extras), sorted(groups))
    assert [one["name"] for one in found] == [package.name for package, _ in wanted]
    Pylock.from_dict(as_pylock(found))


def test_requirement_lines() -> None:
    """Files by name, version and hash; sources of other kinds as they are."""
    found = selected(PYLOCK, ["pg"], ["main", "dev"])
    assert list(requirement_lines(found)) == [
        f"base==1.0 --hash=sha256:{SHA} --hash=sha512:{SHA}",
        "-e /app/lib",
        "vcs @ git+https://git.example/vcs@c0ffee#subdirectory=sub",
        f"arch @ https://files.example/arch.zip --hash=sha256:{SHA}",
    ]


def test_ambiguous_lock() -> None:
    """A package that is there twice for one environment is an error."""
    table = {**PYLOCK, "packages": [PYLOCK["packages"][1]] * 2}
    with pytest.raises(UserError) as caught:
        selected(table)
    assert caught.value.id == "lock-ambiguous"


@settings(max_examples=200)
@given(lock=mutated(PYLOCK))
def test_odd_pylock(lock: dict[str, Any]) -> None:
    """Whatever stands in the file: what is installed from it, or an error for the user."""
    with tempfile.TemporaryDirectory() as root:
        files = app(Path(root), pylock_toml=lock, pyproject_toml=MANIFEST)
        try:
            install = pylock.read(files, read_settings({"BP_PYTHON_EXTRAS": "pg"})).install
            assert install is not None
            found = selected(files.toml("pylock.toml"), install.extras, install.groups)
            list(requirement_lines(found))
        except UserError as error:
            assert error.title


def test_pylock_declaration(tmp_path: Path) -> None:
    """Default groups and chosen ones; credentials are in no digest and in no line."""
    files = app(tmp_path, pylock_toml=PYLOCK)
    declaration = pylock.read(files, read_settings({"BP_PYTHON_GROUPS": "Dev"}))
    assert declaration.install is not None
    assert declaration.install.groups == ("main", "dev")
    assert set(declaration.inputs) == {"pylock.toml", "lib (editable)"}
    text = (tmp_path / "pylock.toml").read_text()
    (tmp_path / "pylock.toml").write_text(text.replace("u:p@", "v:q@"))
    again = pylock.read(AppFiles(tmp_path), read_settings({"BP_PYTHON_GROUPS": "Dev"}))
    assert again.inputs == declaration.inputs


# pdm.lock


@pytest.mark.parametrize(
    ("environ", "lines"),
    [
        ({}, [f"base==1.0 ; os_name == 'posix' --hash=sha256:{SHA}"]),
        ({"BP_PYTHON_GROUPS": "dev"}, [f"base==1.0 ; os_name == 'posix' --hash=sha256:{SHA}",
                                       "tester @ git+https://git.example/t@c0ffee"]),
    ],
)  # fmt: skip
def test_pdm_lines(tmp_path: Path, environ: Mapping[str, str], lines: list[str]) -> None:
    """Pins with markers and hashes; the groups that are chosen; an editable project."""
    install = pdm.read(fresh(tmp_path, PDM_LOCK, MANIFEST), read_settings(environ)).install
    assert install is not None
    assert list(install.lines) == [*lines, f"-e {tmp_path}/lib"]
    assert install.indexes == (Index(name="pypi", url="https://main.example/simple", default=True),)


@pytest.mark.parametrize(
    ("resolution", "environ", "options"),
    [
        ({"no-binary": ["Base", "lib"]}, {}, ["--no-binary base"]),
        ({"only-binary": ":all:"}, {}, ["--only-binary base"]),
        ({"no-binary": ":all:", "only-binary": "base, x"}, {}, ["--only-binary base"]),
        ({"no-binary": ["x"]}, {"PDM_NO_BINARY": "x,base"}, ["--no-binary base"]),
    ],
)
def test_pdm_builds(
    tmp_path: Path,
    resolution: Mapping[str, Any],
    environ: Mapping[str, str],
    options: Sequence[str],
) -> None:
    """What PDM would build from source, or not; only what an index serves; it is an input."""
    table = {**MANIFEST["tool"]["pdm"], "resolution": resolution}
    manifest = {**MANIFEST, "tool": {"pdm": table}}
    before = pdm.read(fresh(tmp_path, PDM_LOCK, MANIFEST), read_settings({}))
    after = pdm.read(fresh(tmp_path, PDM_LOCK, manifest), read_settings(environ))
    assert after.install is not None
    assert [line for line in after.install.lines if line.startswith("--")] == options
    assert before.inputs["pdm.lock"] != after.inputs["pdm.lock"]


@settings(max_examples=200)
@given(lock=mutated(PDM_LOCK), manifest=mutated(MANIFEST), inherits=st.booleans())
def test_odd_pdm_lock(lock: dict[str, Any], manifest: dict[str, Any], inherits: bool) -> None:
    """Whatever stands in the files: a declaration, or an error for the user."""
    for pair in ((lock, MANIFEST), (PDM_LOCK, manifest)):
        with tempfile.TemporaryDirectory() as root:
            table = pair[0]
            try:
                if isinstance(table.get("metadata"), dict):
                    if not inherits:
                        table = {**table, "metadata": {**table["metadata"], "strategy": []}}
                    files = fresh(Path(root), table, pair[1])
                else:
                    files = app(Path(root), pyproject_toml=pair[1], pdm_lock=table)
                pdm.read(files, read_settings({"BP_PYTHON_EXTRAS": "pg"}))
            except UserError as error:
                assert error.title


EDGES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["", "m1", "m2", "m3"])),
    max_size=14,
)


@settings(max_examples=200)
@given(edges=EDGES, holding=st.sets(st.sampled_from(["m1", "m2", "m3"])))
def test_markers_of_a_graph(edges: list[tuple[int, int, str]], holding: set[str]) -> None:
    """A package's marker holds where, and only where, a chain of requirements leads to it."""
    variable = {"m1": "os_name", "m2": "sys_platform", "m3": "platform_machine"}

    def line(target: int, marker: str) -> str:
        return f"p{target}" + (f" ; {variable[marker]} == 'yes'" if marker else "")

    nodes = [
        Node(
            name=f"p{number}",
            version="1.0",
            extras=frozenset(),
            path="",
            needs=tuple(
                line(target, marker) for source, target, marker in edges if source == number
            ),
        )
        for number in range(6)
    ]
    found = markers(nodes, ["p0"])
    environment: Any = {name: "yes" if mark in holding else "no" for mark, name in variable.items()}
    reached = {0}
    while True:
        more = {t for s, t, m in edges if s in reached and (not m or m in holding)} - reached
        if not more:
            break
        reached |= more
    installed = {
        number
        for number, marker in found.items()
        if not marker or Marker(marker).evaluate(environment)
    }
    assert installed == reached


@pytest.mark.parametrize(
    ("line", "name", "path"),
    [
        ("Base_x[A]>=1; os_name == 'nt'", "base-x", ""),
        ("plain @ file:///${PROJECT_ROOT}/libs/plain", "plain", "libs/plain"),
        ("-e file:///${PROJECT_ROOT}/libs/live#egg=live", "live", "libs/live"),
        ("-e ./libs/live", "", "libs/live"),
        ("-e git+https://git.example/x@main#egg=x", "x", ""),
    ],
)
def test_needs(line: str, name: str, path: str) -> None:
    """Requirement lines as PDM's files have them."""
    need = parse_need(line)
    assert need is not None
    assert (need.name, need.path) == (name, path)


def test_groups_include_groups() -> None:
    """`include-group`, and the project's own extras, are followed; each group counts once."""
    lines = group_requirements(
        ["default", "docs", "all"],
        ["base"],
        {"pg": ["driver"], "all": ["shop[pg,all]", "cache"]},
        {"docs": ["writer", {"include-group": "Theme"}], "theme": ["theme"]},
        "shop",
    )
    assert sorted(lines) == ["base", "cache", "driver", "theme", "writer"]


# pyproject.toml alone


BUILT = {"build-system": {"requires": []}, "project": {"name": "shop", "dependencies": ["one"]}}


def test_a_project_with_sources(tmp_path: Path) -> None:
    """uv alone may install it; local sources are built, so that their code counts."""
    sources = {
        "one": {"path": "libs/one"},
        "two": [{"index": "ours"}, {"git": "https://h.example"}],
    }
    files = app(tmp_path, pyproject_toml={**BUILT, "tool": {"uv": {"sources": sources}}})
    (tmp_path / "libs" / "one").mkdir(parents=True)
    before = pyproject.read(files, read_settings({}))
    assert before.install is not None
    assert before.install.uv_only == "[tool.uv.sources]"
    (tmp_path / "libs" / "one" / "one.py").write_text("x = 1\n")
    after = pyproject.read(files, read_settings({}))
    changed = {name for name, one in after.inputs.items() if one != before.inputs[name]}
    assert changed == {"libs/one"}


@pytest.mark.parametrize(
    ("tool", "named"),
    [
        ({"uv": {"index": [{"name": "ours", "url": "https://h.example"}]}}, "[[tool.uv.index]]"),
        ({"uv": {"index": [{"name": "ours", "explicit": True}]}}, ""),
        ({"poetry": {"source": [{"name": "ours"}]}}, "[[tool.poetry.source]]"),
        ({"poetry": {"source": [{"name": "ours", "priority": "explicit"}]}}, ""),
        ({"pdm": {"source": [{"name": "ours"}]}}, "[[tool.pdm.source]]"),
        ({"pdm": {"source": "odd"}}, ""),
    ],
)
def test_indexes_without_a_lock(tmp_path: Path, tool: Mapping[str, Any], named: str) -> None:
    """Those of another tool's table are not asked, and that is said."""
    files = app(tmp_path, pyproject_toml={**BUILT, "tool": tool})
    warnings = pyproject.read(files, read_settings({})).warnings
    assert [named in one for one in warnings] == ([True] if named else [])


@pytest.mark.parametrize(
    ("environ", "lines"),
    [
        ({"BP_PYTHON_EXTRAS": "pg"}, ["psycopg"]),
        ({"BP_PYTHON_EXTRAS": "all"}, ["psycopg", "boto3 ; python_version > '3'"]),
        ({"BP_PYTHON_EXTRAS": "circle"}, ["psycopg"]),
        ({"BP_PYTHON_EXTRAS": "here"}, ['psycopg; os_name == "posix"']),
        ({"BP_PYTHON_EXTRAS": "now"}, ['boto3; os_name == "posix" and python_version > "3"']),
        ({"BP_PYTHON_EXTRAS": "other"}, ["shop-pg[pg]", "shop @ https://h.example/shop.whl"]),
        ({"BP_PYTHON_GROUPS": "prod"}, ["gunicorn", "psycopg"]),
        ({"BP_PYTHON_GROUPS": "self"}, []),
        ({"BP_PYTHON_GROUPS": "On-Call"}, ["pager"]),
    ],
)
def test_a_project_that_requires_itself(
    tmp_path: Path, environ: Mapping[str, str], lines: Sequence[str]
) -> None:
    """Its extras mean what they list: no index is asked for a package of the app's own name."""
    manifest = {
        "project": {
            "name": "Shop",
            "dependencies": ["flask"],
            "optional-dependencies": {
                "pg": ["psycopg"],
                "s3.x": ["boto3 ; python_version > '3'"],
                "all": ["shop[pg, s3-x]"],
                "circle": ["shop[circle,pg]"],
                "here": ["shop[pg]; os_name == 'posix'"],
                "now": ["SHOP[s3_x] ; os_name == 'posix'"],
                "other": ["shop-pg[pg]", "shop @ https://h.example/shop.whl"],
            },
        },
        "dependency-groups": {
            "prod": ["shop[pg]", "gunicorn"],
            "self": ["shop", "shop[none]"],
            "on__call": ["pager"],
        },
    }
    files = app(tmp_path, pyproject_toml=manifest)
    install = pyproject.read(files, read_settings(environ)).install
    assert install is not None
    assert list(install.lines) == ["flask", *lines]
