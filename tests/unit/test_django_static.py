"""Where manage.py is, and whether the settings' text tells that static files are enabled."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from python_buildpack.app.sources import AppSources
from python_buildpack.app_steps.django_static import enables_staticfiles, find_django_project

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n'
ON = 'INSTALLED_APPS = ["a", "django.contrib.staticfiles"]\n'
OFF = 'INSTALLED_APPS = ["a"]\n'

# None: only Django itself can tell.
CASES = {
    ON: True,
    'INSTALLED_APPS = ("django.contrib.staticfiles.apps.StaticFilesConfig",)\n': True,
    'INSTALLED_APPS: list[str] = ["django.contrib.staticfiles"]\n': True,
    OFF: False,
    "INSTALLED_APPS: list[str] = []\n": False,
    'INSTALLED_APPS = ["a"]\nINSTALLED_APPS += ["django.contrib.staticfiles"]\n': None,
    'INSTALLED_APPS = ["a"]\nINSTALLED_APPS.append("b")\n': None,
    'INSTALLED_APPS = ["a"]\nif DEBUG:\n    INSTALLED_APPS = ["b"]\n': None,
    'INSTALLED_APPS = ["a"] + LOCAL\n': None,
    'INSTALLED_APPS = ["a", *LOCAL]\n': None,
    'INSTALLED_APPS = ["a", NAME]\n': None,
    'INSTALLED_APPS = env.list("APPS")\n': None,
    "from .base import *\n": None,
    f"from .base import *\n{OFF}": None,
    f"{OFF}globals()['INSTALLED_APPS'].append('b')\n": None,
    "DEBUG = False\n": None,
    "": None,
}


@pytest.mark.parametrize("settings", CASES)
def test_staticfiles(settings: str) -> None:
    """A plain list of names is believed, everything else is left to Django."""
    assert enables_staticfiles(ast.parse(settings)) is CASES[settings]


def site(root: Path, directory: str, settings: str = ON) -> None:
    """A Django project in `directory` of the app."""
    place = root / directory
    (place / "site").mkdir(parents=True)
    (place / "manage.py").write_text(MANAGE)
    (place / "site" / "settings.py").write_text(settings)


@pytest.mark.parametrize(
    ("directories", "expected"),
    [
        ([], None),
        (["."], "."),
        (["b", "."], "."),
        (["z", "a/b"], "z"),
        (["a/b/c"], "a/b/c"),
        (["a/b/c/d"], None),
        (["with-hyphen"], "with-hyphen"),
        ([".hidden", "node_modules/x", "lib/site-packages"], None),
    ],
)
def test_manage_py(tmp_path: Path, directories: list[str], expected: str | None) -> None:
    """The one nearest to the root, down to depth 3."""
    for directory in directories:
        site(tmp_path, directory)
    project = find_django_project(AppSources(tmp_path), "")
    found = project and str(project.directory.relative_to(tmp_path))
    assert found == expected


def test_committed_environment_is_no_project(tmp_path: Path) -> None:
    """Packages may hold a manage.py, too."""
    site(tmp_path, "env/lib/python3.13/site-packages")
    assert find_django_project(AppSources(tmp_path), "") is None


def test_settings_module(tmp_path: Path) -> None:
    """The environment's goes before manage.py's; what is not the app's own is not known."""
    site(tmp_path, ".", OFF)
    (tmp_path / "site" / "production.py").write_text(ON)
    states = {
        name: getattr(find_django_project(AppSources(tmp_path), name), "staticfiles", "none")
        for name in ("", "site.production", "company.settings", "../etc/passwd")
    }
    assert states == {
        "": False,
        "site.production": True,
        "company.settings": None,
        "../etc/passwd": None,
    }


def test_settings_that_depend(tmp_path: Path) -> None:
    """Of several settings only Django can tell which are used."""
    site(tmp_path, ".", OFF)
    other = MANAGE.replace("import os\n", "").replace("site.settings", "site.production")
    (tmp_path / "manage.py").write_text(MANAGE + other)
    project = find_django_project(AppSources(tmp_path), "")
    assert project is not None and project.staticfiles is None


def test_odd_files(tmp_path: Path) -> None:
    """Whatever is wrong with them is Django's to say."""
    site(tmp_path, ".")
    for text in (b"\xff\xfe", b"def", b"(" * 5000, b"x = '\x00'"):
        (tmp_path / "site" / "settings.py").write_bytes(text)
        project = find_django_project(AppSources(tmp_path), "")
        assert project is not None and project.staticfiles is None
        (tmp_path / "manage.py").write_bytes(text)
        assert find_django_project(AppSources(tmp_path), "") is not None
