"""What a project's build reads: a change of it installs anew, a change of the code does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_buildpack.app.files import AppFiles
from python_buildpack.managers import read_packages
from python_buildpack.managers.local_projects import digest_local_project
from python_buildpack.settings import read_settings

SETUP = "from setuptools import setup\n"
BUILD = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PROJECT = f'{BUILD}[project]\nname = "shop"\n'
DYNAMIC = f'{PROJECT}dynamic = ["version", "dependencies"]\n[tool.setuptools.dynamic]\n'
FLIT = PROJECT.replace("hatchling.build", "flit_core.buildapi") + 'dynamic = ["version"]\n'
ONE, TWO = '__version__ = "1"\n', '__version__ = "2"\n'


def written(root: Path, name: str, text: str) -> None:
    """A file with this text."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def inputs(root: Path, **environ: str) -> dict[str, str]:
    """As of the app's root."""
    return dict(read_packages(AppFiles(root), read_settings(environ)).inputs)


@pytest.mark.parametrize(
    ("build_file", "text", "read"),
    [
        ("setup.py", f"{SETUP}import json\nsetup(install_requires=json.load(open('deps.json')))", "deps.json"),
        ("setup.py", f"{SETUP}d = open(join(here, 'shop', \"deps.json\"))", "shop/deps.json"),
        ("setup.py", f"{SETUP}d = (HERE / 'a' / 'shop' / 'deps.json').read_text()", "a/shop/deps.json"),
        ("setup.py", f"{SETUP}from _deps import d", "_deps.py"),
        ("setup.py", f"{SETUP}import os, build_tools.deps as d", "build_tools/deps.py"),
        ("setup.py", f"{SETUP}setup(scripts=['bin/shop.py'])", "bin/shop.py"),
        ("setup.py", f"{SETUP}exec(open('./shop/about.py').read())", "shop/about.py"),
        ("setup.py", f"{SETUP}open('requirements.txt')", "requirements.txt"),
        ("setup.cfg", "[metadata]\nname = shop\nversion = file: VERSION\n", "VERSION"),
        ("setup.cfg", "[options]\ninstall_requires = file: requirements/base.pip\n", "requirements/base.pip"),
        ("pyproject.toml", DYNAMIC + 'version = {file = "VERSION"}', "VERSION"),
        ("pyproject.toml", DYNAMIC + 'dependencies = {file = ["requirements/base.pip"]}', "requirements/base.pip"),
        ("pyproject.toml", PROJECT + "[tool.hatch.build.hooks.custom]", "hatch_build.py"),
        ("pyproject.toml", PROJECT + '[tool.hatch.build.hooks.custom]\npath = "own/hook.py"', "own/hook.py"),
        ("pyproject.toml", PROJECT + '[tool.hatch.build.targets.wheel.force-include]\n"a.json" = "shop/a.json"', "a.json"),
        ("pyproject.toml", PROJECT + '[tool.hatch.version]\npath = "shop.py"\npattern = "v = (.*)"', "shop.py"),
        ("pyproject.toml", PROJECT + '[tool.pdm.version]\nsource = "call"\ngetter = "shop.v:get"', "shop/v.py"),
        ("pyproject.toml", BUILD + '[tool.poetry]\nname = "shop"\nversion = "1"\nbuild = "build.py"', "build.py"),
        ("pyproject.toml", BUILD + '[tool.poetry.build]\nscript = "own.py"', "own.py"),
        ("pyproject.toml", BUILD + 'backend-path = ["own"]', "own/backend.py"),
        ("pyproject.toml", BUILD + 'backend-path = ["."]', "backend.py"),
    ],
)  # fmt: skip
def test_what_the_build_reads_counts(tmp_path: Path, build_file: str, text: str, read: str) -> None:
    """For the app's own project, and for one that requirements name with `-e`."""
    written(tmp_path, build_file, text)
    written(tmp_path, read, ONE)
    before = inputs(tmp_path), digest_local_project(tmp_path, ".", editable=True)
    assert inputs(tmp_path) == before[0]
    written(tmp_path, read, TWO)
    after = inputs(tmp_path), digest_local_project(tmp_path, ".", editable=True)
    assert before[0] != after[0]
    assert set(before[0]) == set(after[0])
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("build_file", "text", "module"),
    [
        ("setup.cfg", "[metadata]\nname = shop\nversion = attr: shop.__version__\n", "shop/__init__.py"),
        ("setup.cfg", "[metadata]\nname = shop\nversion = attr: shop.__version__\n", "src/shop.py"),
        ("pyproject.toml", DYNAMIC + 'version = {attr = "shop.__version__"}', "shop/__init__.py"),
        ("pyproject.toml", DYNAMIC + 'version = {attr = "shop.a.__version__"}', "src/shop/a.py"),
        ("pyproject.toml", PROJECT + '[tool.hatch.version]\npath = "src/shop/a.py"', "src/shop/a.py"),
        ("pyproject.toml", PROJECT + '[tool.pdm.version]\nsource = "file"\npath = "shop.py"', "shop.py"),
        ("pyproject.toml", FLIT, "shop.py"),
        ("pyproject.toml", FLIT + '[tool.flit.module]\nname = "fine"', "fine/__init__.py"),
    ],
)  # fmt: skip
def test_versions_in_the_code_count(
    tmp_path: Path, build_file: str, text: str, module: str
) -> None:
    """The version alone, where it is a plain literal; what is around it is the app's code."""
    written(tmp_path, build_file, text)
    found = []
    for code in (
        ONE,
        f"import os\n{ONE}# more",
        TWO,
        f"{ONE}if os:\n    {TWO}",
        "__version__ = f()\n",
    ):
        written(tmp_path, module, code)
        found.append(inputs(tmp_path))
    assert found[0] == found[1]
    assert len({str(one) for one in found[1:]}) == 4


def test_versions_that_are_handed_on(tmp_path: Path) -> None:
    """The module that the package has its version from counts too."""
    written(tmp_path, "pyproject.toml", DYNAMIC + 'version = {attr = "shop.__version__"}')
    written(tmp_path, "shop/__init__.py", "from .about import what as __version__\n")
    written(tmp_path, "shop/about.py", "from shop.core.v import what\n")
    written(tmp_path, "shop/core/v.py", 'what = "1"\n')
    before = inputs(tmp_path)
    written(tmp_path, "shop/core/v.py", 'what = "1"\nmore = 1\n')
    assert inputs(tmp_path) == before
    written(tmp_path, "shop/core/v.py", 'what = "2"\n')
    assert inputs(tmp_path) != before


@pytest.mark.parametrize(
    ("build_file", "text", "changed"),
    [
        ("setup.py", f"{SETUP}setup(py_modules=['app'], packages=['shop'])", "app.py"),
        ("setup.py", f"{SETUP}setup(entry_points={{'console_scripts': ['a = app:main']}})", "app.py"),
        ("setup.py", f"{SETUP}open('README.md')", "README.md"),
        ("setup.py", f"{SETUP}open('../outside.json')", "../outside.json"),
        ("setup.cfg", "[metadata]\nname = a\n[flake8]\nper-file-ignores = app.py:E501\n", "app.py"),
        ("pyproject.toml", PROJECT + '[tool.ruff.lint.per-file-ignores]\n"app.py" = ["E"]', "app.py"),
        ("pyproject.toml", PROJECT + '[tool.hatch.build.targets.wheel]\nonly-include = ["app.py"]', "app.py"),
        ("pyproject.toml", PROJECT + '[tool.hatch.envs.default.scripts]\nrun = "app.py"', "app.py"),
        ("pyproject.toml", PROJECT + '[tool.poe.tasks]\nserve = {path = "app.py"}', "app.py"),
        ("pyproject.toml", PROJECT + '[project.scripts]\nshop = "app:main"', "app.py"),
        ("pyproject.toml", BUILD + '[tool.poetry]\nname = "a"\ninclude = ["shop/a.json"]', "shop/a.json"),
        ("pyproject.toml", PROJECT + '[tool.pyright]\nstubs = "a.json"', "a.json"),
        ("pyproject.toml", PROJECT + '[tool.hatch.version]\npath = "/outside.py"', "outside.py"),
    ],
)  # fmt: skip
def test_code_does_not_count(tmp_path: Path, build_file: str, text: str, changed: str) -> None:
    """However the build files come to name it."""
    root = tmp_path / "app"
    written(root, build_file, text)
    written(root, changed, ONE)
    before = inputs(root), digest_local_project(root, ".", editable=True)
    written(root, changed, TWO)
    assert (inputs(root), digest_local_project(root, ".", editable=True)) == before


def test_odd_build_files(tmp_path: Path) -> None:
    """Wrong types, and names that no file has: the build says what is wrong."""
    written(tmp_path, "pyproject.toml", f'{BUILD}backend-path = ["/", "\\u0000"]\n')
    assert set(inputs(tmp_path)) == {"pyproject.toml"}
    written(tmp_path, "lib/pyproject.toml", "[project\n")
    assert digest_local_project(tmp_path, "lib", editable=True)
    written(
        tmp_path,
        "lib/pyproject.toml",
        '[project]\ndynamic = 1\nname = []\n[build-system]\nbackend-path = "x"',
    )
    assert digest_local_project(tmp_path, "lib", editable=True)


SCM = PROJECT.replace('"hatchling"', '"hatchling", "hatch-vcs"')
COMMITS = ("1" * 40, "2" * 40)


def test_versions_from_commits(tmp_path: Path) -> None:
    """The commit and the tags count, packed or not, where they say the version: another clone is alike."""
    written(tmp_path, "pyproject.toml", SCM + 'dynamic = ["version"]')
    assert set(inputs(tmp_path)) == {"pyproject.toml"}
    written(tmp_path, ".git/HEAD", "ref: refs/heads/main\n")
    found = []
    for commit in COMMITS:
        written(tmp_path, ".git/refs/heads/main", f"{commit}\n")
        found.append(inputs(tmp_path))
    written(tmp_path, ".git/refs/tags/v1", f"{COMMITS[0]}\n")
    found.append(inputs(tmp_path))
    assert set(found[0]) == {"pyproject.toml", "the commit that the version comes from"}
    assert len({str(one) for one in found}) == 3
    for name in ("heads/main", "tags/v1"):
        (tmp_path / ".git/refs" / name).unlink()
    packed = f"# pack-refs with: peeled \n{COMMITS[1]} refs/heads/main\n{COMMITS[0]} refs/tags/v1\n^{'3' * 40}\n"
    written(tmp_path, ".git/packed-refs", packed + f"{COMMITS[0]} refs/remotes/origin/x\n")
    assert inputs(tmp_path) == found[2]
    written(tmp_path, ".git/HEAD", f"{COMMITS[1]}\n")
    assert inputs(tmp_path) == found[2]
    for variable in ("SETUPTOOLS_SCM_PRETEND_VERSION", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SHOP"):
        assert set(inputs(tmp_path, **{variable: "1"})) == {"pyproject.toml", variable}
    assert len(inputs(tmp_path, SETUPTOOLS_SCM_PRETEND_VERSION_FOR_OTHER="1")) == 3
    for text in (SCM + 'version = "1"', PROJECT + 'dynamic = ["version"]'):
        written(tmp_path, "pyproject.toml", text)
        assert set(inputs(tmp_path)) == {"pyproject.toml"}


def test_versions_from_variables(tmp_path: Path) -> None:
    """What the log's hint tells to set: another version reinstalls, whoever needs it."""
    written(tmp_path, "requirements.txt", "git+https://h.example/x.git\n")
    variables = (
        "SETUPTOOLS_SCM_PRETEND_VERSION", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_X", "PBR_VERSION",
    )  # fmt: skip
    for variable in variables:
        one, two = (inputs(tmp_path, **{variable: version}) for version in ("1.0", "1.1"))
        assert set(one) == {"requirements.txt", variable}
        assert one != two
    assert set(inputs(tmp_path, MY_VERSION="1")) == {"requirements.txt"}
