"""What a build leaves beside the app's sources: into the layer, and linked again without a build."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from python_buildpack.managers.local_projects import digest_local_project, has_extensions
from python_buildpack.packages.in_place import kept_in_layer, kept_paths, link_again


def written(folder: Path, *names: str, text: str = "made") -> None:
    """Files with this text."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def shape(folder: Path) -> dict[str, str]:
    """Every file below it, and where links lead."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else "file"
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def upload(app: Path) -> None:
    """The app as each build gets it, with a compiled module of its author's machine."""
    shutil.rmtree(app, ignore_errors=True)
    written(
        app, "shop/__init__.py", "shop/old.so", "shop/kept.so", "build/own.txt", text="author's"
    )


def test_a_build_that_reuses_the_layer_has_the_same_app(tmp_path: Path) -> None:
    """New files, and compiled modules that are there already; what only the build needs is gone."""
    app, venv = tmp_path / "app", tmp_path / "layers" / "venv"
    for name in ("first", "in the same directory"):
        if name == "first":
            upload(app)
        with kept_in_layer(app, app, (".", "libs/none"), venv):
            written(app, "shop/fast.so", "shop/_version.py", "shop/proto/a.py", "shop/old.so")
            written(app, "shop.egg-info/PKG-INFO", "src/a.egg-info/x", ".pdm-build/x", ".eggs/x")
            written(app, "rust/target/CACHEDIR.TAG", "rust/target/debug/big.so", ".cache/x")
        first = shape(app)
        assert {path for path, kind in first.items() if kind == "file"} == {
            "shop/__init__.py", "shop/kept.so", "build/own.txt", ".cache/x",
        }, name  # fmt: skip
        assert (app / "shop" / "old.so").read_text() == "made"
        assert kept_paths(venv) == sorted(
            f"{app}/shop/{one}" for one in ("fast.so", "_version.py", "proto/a.py", "old.so")
        )
    kept = kept_paths(venv)
    shutil.rmtree(venv)
    upload(app)
    written(app, ".cache/x")
    link_again(app, venv, kept)
    assert shape(app) == first


def test_what_the_app_has_by_now_stays(tmp_path: Path) -> None:
    """A file of its own, or one where there was a directory; nothing is written outside the app."""
    app, venv = tmp_path / "app", tmp_path / "venv"
    written(app, "shop/_version.py", "lib", "real/x")
    (app / "dir.so").mkdir()
    (tmp_path / "outside").mkdir()
    (app / "away").symlink_to(tmp_path / "outside")
    odd = [f"{app}/away/a.so", f"{app}/../outside/a.so", f"{tmp_path}/outside/a.so", 7, "", "/"]
    link_again(app, venv, [f"{app}/shop/_version.py", f"{app}/lib/a.so", f"{app}/dir.so", *odd])
    assert shape(app) == {
        "shop/_version.py": "file", "lib": "file", "real/x": "file", "away": f"{tmp_path}/outside",
    }  # fmt: skip
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_build_that_fails(tmp_path: Path) -> None:
    """What only the build needs is gone, and a project outside of the app is left as it is."""
    app, other = tmp_path / "app", tmp_path / "other"
    written(app, "a.py")
    written(other, "a.py")
    with pytest.raises(KeyError), kept_in_layer(app, app, (".",), tmp_path / "venv"):
        written(app, "build/x")
        raise KeyError
    assert shape(app) == {"a.py": "file"}
    with kept_in_layer(app, app, ("../other",), tmp_path / "venv"):
        written(other, "fast.so")
    assert shape(other) == {"a.py": "file", "fast.so": "file"}
    assert kept_paths(tmp_path / "venv") == []


SETUP = "from setuptools import setup\nsetup({})\n"
BUILD = '[build-system]\nrequires = [\n  "setuptools",\n  "{}",\n]\n[project]\nname = "shop"\n'


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("setup.py", SETUP.format("ext_modules=[Extension('a', ['a.c'])]"), True),
        ("setup.py", SETUP.format("cffi_modules=['build.py:ffi']"), True),
        ("setup.py", "from Cython.Build import cythonize\n", True),
        ("setup.py", "from skbuild import setup\n", True),
        ("setup.py", SETUP.format("rust_extensions=[RustExtension('a')]"), True),
        ("setup.py", SETUP.format("install_requires=['cffi', 'cython']"), False),
        (
            "pyproject.toml",
            "[tool.setuptools]\next-modules = [{name = 'a', sources = ['a.c']}]",
            True,
        ),
        ("pyproject.toml", "[[tool.setuptools-rust.ext-modules]]\ntarget = 'a'\n", True),
        ("pyproject.toml", BUILD.format("Cython>=3"), True),
        ("pyproject.toml", BUILD.format("scikit-build-core"), True),
        ("pyproject.toml", BUILD.format("setuptools_rust"), True),
        ("pyproject.toml", "[build-system]\nbuild-backend = 'mesonpy'\n", True),
        ("pyproject.toml", BUILD.format("wheel") + "dependencies = ['cffi', 'maturin']\n", False),
        (
            "pyproject.toml",
            "[project]\ndependencies = [\n'cython',\n]\n" + BUILD.format("a"),
            False,
        ),
        ("setup.cfg", "[options]\next_modules = a\n", True),
        ("setup.cfg", "[options]\ninstall_requires = cython\n", False),
    ],
)
def test_projects_with_compiled_modules(
    tmp_path: Path, name: str, text: str, *, expected: bool
) -> None:
    """What the build is asked for counts, and not what the project requires. So does its source."""
    written(tmp_path, name, text=text)
    assert has_extensions(tmp_path) is expected
    before = digest_local_project(tmp_path, ".", editable=True)
    written(tmp_path, "a.c")
    assert (digest_local_project(tmp_path, ".", editable=True) != before) is expected
