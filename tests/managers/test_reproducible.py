"""The same inputs give the same bytes: whatever else is different, from one build to the next."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sysconfig
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.managers.conftest import AppTool, Builder, checked_run, plain_environment, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import (
    PYPROJECT,
    Distribution,
    source_files,
    write_sdist,
    write_wheel,
)

SCRIPTS = {"first": "alpha:main", "second": "alpha:main"}
MODULES = {
    f"alpha/{name}.py": f"names = {{'b', 'a', '{name}'}}\ndef main():\n    return 1 in {{1, 2.5}}\n"
    for name in ("__init__", "one", "two")
}
SOURCE = {
    "main.py": "import alpha\n\nprint('x' in {'y', 'z'})\n",
    "shop/__init__.py": "",
    "shop/views.py": "def view():\n    return {'a', 'b'}\n",
    "shop/templates/page.py": "{% not python %}\n",
    "Procfile": "web: python main.py\n",
}
PROJECT = """[project]
name = "shop"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["alpha", "beta"]
"""
MANAGE = """import os, pathlib, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
import django
assert sys.argv[1] == "collectstatic"
folder = pathlib.Path("staticfiles")
folder.mkdir(exist_ok=True)
(folder / "site.css").write_text(django.version)
"""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is different from one build to the next, besides the time."""

    name: str
    umask: int
    backwards: bool
    cores: int
    time: int


FIRST = Surroundings(name="a", umask=0o022, backwards=False, cores=64, time=1_500_000_000)
SECOND = Surroundings(name="another", umask=0o077, backwards=True, cores=1, time=1_700_000_000)


def described(folder: Path) -> dict[str, str]:
    """Every path below the folder: mode, and digest or target; what a layer holds of it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = "directory"
        found[str(path.relative_to(folder))] = f"{stat.S_IMODE(mode):o} {content}"
    return found


@contextmanager
def surrounded(around: Surroundings) -> Iterator[None]:
    """With this umask and as many cores."""
    umask, allowed = os.umask(around.umask), os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[: around.cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        os.umask(umask)


class Twice:
    """Builds an app from nothing in two surroundings; what they make must be the same."""

    def __init__(self, build: Builder, app: Path, workplace: Path, variables: Mapping[str, str]):
        self.build, self.app, self.workplace = build, app, workplace
        self.variables = variables

    def made(self, files: Mapping[str, bytes], around: Surroundings) -> dict[str, str]:
        """One build. The order of a directory's entries is that of their making, or follows it."""
        shutil.rmtree(self.app)
        self.app.mkdir()
        for name in sorted(files, reverse=around.backwards):
            path = self.app / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
            os.utime(path, (around.time, around.time))
        scratch = self.workplace / f"scratch-{around.name}"
        scratch.mkdir()
        with surrounded(around):
            built = self.build(
                self.app,
                TMPDIR=str(scratch),
                HOME=str(scratch),
                HOSTNAME=around.name,
                PYTHONHASHSEED=str(around.cores),
                TZ=f"X{around.cores % 9}",
                **self.variables,
            ).passed()
        for name in ("launch.toml", "python.toml", "venv.toml"):
            assert str(scratch) not in (built.layers / name).read_text()
        layers = described(built.layers)
        return {
            **{f"app/{name}": content for name, content in described(self.app).items()},
            # The image has nothing of this layer.
            **{name: text for name, text in layers.items() if not name.startswith("pip-cache/")},
        }

    def same(self, *expected: str) -> None:
        """Build what lies in the app's directory twice; these paths must be among what is made."""
        files = {
            str(path.relative_to(self.app)): path.read_bytes()
            for path in self.app.rglob("*")
            if path.is_file()
        }
        first = self.made(files, FIRST)
        second = self.made(files, SECOND)
        assert {name for name in first if first[name] != second.get(name)} == set()
        assert second.keys() == first.keys()
        for ending in expected:
            assert any(name.endswith(ending) for name in first), ending


@pytest.fixture
def shop(index: SimpleIndex, app: Path, workplace: Path) -> Path:
    """An app beside an index that has what it needs."""
    wheels = workplace / "wheels"
    index.add(
        write_wheel(Distribution(name="alpha", files=MODULES, scripts=SCRIPTS), wheels),
        write_wheel(Distribution(name="beta", requires=["alpha"]), wheels),
    )
    return write_files(app, SOURCE)


@pytest.fixture
def twice(build: Builder, index: SimpleIndex, app: Path, workplace: Path) -> Callable[..., Twice]:
    """`twice(BP_X="y")`: with these settings."""

    def make(**settings: str) -> Twice:
        return Twice(build, app, workplace, {"PIP_INDEX_URL": index.url, **settings})

    return make


Make = Callable[..., Twice]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_requirements(shop: Path, twice: Make, installer: str) -> None:
    """Wheels and console scripts, by both installers; modules that are no Python stay as they are."""
    write_files(shop, {"requirements.txt": "beta\n"})
    twice(BP_PIP_INSTALLER=installer).same(
        "venv/bin/first", "site-packages/alpha/one.py", ".pyc", "app/shop/templates/page.py"
    )


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_built_wheels(
    shop: Path, index: SimpleIndex, twice: Make, workplace: Path, installer: str
) -> None:
    """An sdist is built anew in each."""
    index.add(write_sdist(Distribution(name="gamma", scripts={"g": "gamma:main"}), workplace))
    write_files(shop, {"requirements.txt": "gamma\nalpha\n"})
    twice(BP_PIP_INSTALLER=installer).same("venv/bin/g", "site-packages/gamma.py")
    assert index.downloads().count("gamma-1.0.tar.gz") == 2


def test_native_wheel(shop: Path, index: SimpleIndex, twice: Make, workplace: Path) -> None:
    """A wheel for one platform, with a real extension module."""
    library = Path(sysconfig.get_path("stdlib")) / "lib-dynload"
    extension = min(library.glob("*.so"))
    wheel = write_wheel(
        Distribution(
            name="delta",
            files={"delta/__init__.py": ""},
            binaries={f"delta/{extension.name}": extension.read_bytes()},
            tag="py3-none-linux_x86_64.linux_aarch64",
        ),
        workplace,
    )
    index.add(wheel)
    write_files(shop, {"requirements.txt": "delta\n"})
    twice().same(f"site-packages/delta/{extension.name}")


def test_uv_lock(
    shop: Path, index: SimpleIndex, twice: Make, uv: Path, author: Path, workplace: Path
) -> None:
    """A lock; the app's own project is installed editable, in a src layout."""
    project = Distribution(name="shop-project", scripts={"shop": "shop_project:main"})
    text = (
        PROJECT.replace('"shop"', '"shop-project"')
        + '[project.scripts]\nshop = "shop_project:main"\n'
    )
    source = f'[[tool.uv.index]]\nname = "main"\nurl = "{index.url}"\ndefault = true\n'
    write_files(shop, {**source_files(project), "pyproject.toml": text + PYPROJECT + source})
    checked_run(
        [uv, "lock", "--python", author / "bin" / "python"],
        env={**plain_environment(workplace / "home"), "UV_PYTHON_DOWNLOADS": "never"},
        cwd=shop,
    )
    twice().same("venv/bin/shop", "venv/bin/first", ".pth", "app/src/shop_project.py")


def test_poetry_lock(
    shop: Path,
    index: SimpleIndex,
    twice: Make,
    tool: Callable[[str], Path],
    author: Path,
    workplace: Path,
) -> None:
    """Another lock."""
    source = f'[[tool.poetry.source]]\nname = "main"\nurl = "{index.url}"\npriority = "primary"\n'
    write_files(shop, {"pyproject.toml": f"{PROJECT}[tool.poetry]\npackage-mode = false\n{source}"})
    variables = {"POETRY_CACHE_DIR": str(workplace / "home" / "poetry")}
    poetry = AppTool(tool("poetry") / "poetry", author, shop, workplace / "home", variables)
    poetry.run(author, "lock")
    twice().same("venv/bin/first", "site-packages/beta.py")


def test_static_files_and_corpora(
    shop: Path, index: SimpleIndex, twice: Make, workplace: Path
) -> None:
    """Steps of the app: what collectstatic wrote, and what nltk.txt names."""
    index.add(
        *(write_wheel(Distribution(name=name), workplace) for name in ("django", "nltk")),
    )
    corpora = workplace / "tiny.zip"
    with zipfile.ZipFile(corpora, "w") as archive:
        archive.writestr("tiny/words.txt", "one two\n")
    digest = hashlib.sha256(corpora.read_bytes()).hexdigest()
    write_files(
        shop,
        {
            "requirements.txt": "django\nnltk\n",
            "manage.py": MANAGE,
            "site_settings.py": 'INSTALLED_APPS = ["django.contrib.staticfiles"]\n',
            "nltk.txt": "tiny\n",
            "nltk/index.xml": '<nltk_data><packages><package id="tiny" subdir="corpora" '
            f'url="corpora/tiny.zip" unzip="1" sha256_checksum="{digest}"/></packages></nltk_data>',
        },
    )
    (shop / "nltk" / "corpora").mkdir()
    shutil.move(corpora, shop / "nltk" / "corpora")
    twice(BP_NLTK_INDEX="nltk/index.xml").same(
        "app/staticfiles/site.css", "nltk-data/data/corpora/tiny/words.txt"
    )
