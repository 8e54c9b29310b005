"""Projects without a lock of their own, and sub-directories: built by the real lifecycle, started."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.managers.conftest import SERVER, Builder, answer, write_files
from tests.managers.market import Market
from tests.managers.wheel_factory import BACKEND, PYPROJECT, Distribution, metadata, write_source

import host_python
import oci_layout
from local_platform import APP_IMAGE, Workspace, create, free_port, get, started

GROUPS = '[dependency-groups]\nprod = ["writer", {include-group = "more"}]\nmore = ["cache"]\n'

# A flat layout, whose editable build "compiles" a module beside the package, as setuptools does.
COMPILING = (
    BACKEND.replace("HERE / 'src'", "HERE")
    + """
def build_editable(*given, plain=build_editable):
    (source,) = (HERE / "native").iterdir()
    (HERE / "shop" / source.name).write_bytes(source.read_bytes())
    (HERE / "shop" / "_version.py").write_text("version = 7")
    (HERE / "shop.egg-info").mkdir(exist_ok=True)
    return plain(*given)
"""
)


@pytest.mark.parametrize("kind", ["group-with-pip", "in-tree-backend", "sub-directory"])
def test_project_answers(space: Workspace, market: Market, app: Path, kind: str) -> None:
    """A PEP 735 group with pip; a src layout with its own backend; an app of a monorepo."""
    settings = {"PIP_INDEX_URL": market.index.url}
    package = Distribution(
        name="shop",
        requires=["theme"],
        extras={"pg": ["cache"]},
        scripts={"shop": "shop:main"},
        files={"shop.py": SERVER},
    )
    if kind == "group-with-pip":
        server = {"serve.py": SERVER + "\nmain()\n", "Procfile": "web: python serve.py\n"}
        write_files(app, {"pyproject.toml": GROUPS, "requirements.txt": "theme\n", **server})
        settings["BP_PYTHON_GROUPS"] = "prod"
        expected = "cache==1.0 theme==1.0 writer==1.0"
    elif kind == "in-tree-backend":
        write_source(package, app)
        write_files(app, {"Procfile": "web: shop\n"})
        settings["BP_PYTHON_EXTRAS"] = "pg"
        expected = "cache==1.0 shop==1.0 theme==1.0"
    else:
        service = app / "services" / "api"
        write_source(package, service)
        write_source(Distribution(name="common", requires=["writer"]), app / "libs" / "common")
        # What lies above the app is not looked at, and is no conflict.
        write_files(app, {"Pipfile": "", "Procfile": "web: false\n", ".python-version": "2.7\n"})
        files = {"requirements.txt": "-e .\n-e ../../libs/common\n", ".python-version": "3.13\n"}
        write_files(service, {**files, "Procfile": "web: shop\n"})
        settings["BP_PYTHON_PROJECT_DIR"] = "services/api"
        expected = "common==1.0 shop==1.0 theme==1.0 writer==1.0"
    assert answer(space, app, settings) == expected


def test_compiled_modules_are_in_each_image(
    space: Workspace, market: Market, app: Path, tmp_path: Path
) -> None:
    """Built in place by the first build, they are there without a build: for its steps, and later."""
    python = Path(host_python.find_host_python())
    library = min(python.parent.parent.glob("lib/python3.*/lib-dynload/*.so"))
    module = library.name.partition(".")[0]
    uses = f"import shop.{module}, shop._version\n"
    files = {
        "pyproject.toml": f"{PYPROJECT}[tool.setuptools]\next-modules = []\n",
        "backend.py": COMPILING,
        "PKG-INFO": metadata(Distribution(name="shop")),
        "shop/__init__.py": "",
        "serve.py": f"{uses}{SERVER}\nmain()\n",
        "Procfile": "web: python serve.py\n",
        "bin/post_compile": f"#!/usr/bin/env python\n{uses}",
    }
    write_files(app, files)
    (app / "bin" / "post_compile").chmod(0o755)
    (app / "native").mkdir()
    shutil.copy(library, app / "native")
    settings = {"PIP_INDEX_URL": market.index.url}
    found: list[oci_layout.Image] = []
    for told in ("Installing packages", "Reusing packages", "the cache does not hold them"):
        if len(found) == 2:
            shutil.rmtree(space.root / "cache")
            (space.root / "cache").mkdir()
        built = create(space, app, settings)
        assert built.code == 0, built.log
        assert told in built.log
        found.append(oci_layout.read_image(space.layout, APP_IMAGE))
    assert len({image.digest for image in found}) == 1
    oci_layout.extract_image(found[-1], tmp_path / "image")
    for place in (space.app, space.layers):
        shutil.rmtree(place)
        shutil.copytree(tmp_path / "image" / place.relative_to("/"), place, symlinks=True)
    port = free_port()
    with started(space, port) as process:
        assert get(f"http://127.0.0.1:{port}/", process) == "shop==1.0"
    assert sorted(path.name for path in space.app.iterdir()) == sorted(
        {path.partition("/")[0] for path in files} | {"native", "__pycache__"}
    )


def test_no_compiler_at_import(build: Builder, market: Market, app: Path) -> None:
    """What meson-python would compile at each import is installed, and found in a flat layout."""
    write_source(Distribution(name="shop", files={"shop/fast.so": "", "shop/none/a.so": ""}), app)
    (app / "backend.py").rename(app / "mesonpy.py")
    write_files(
        app,
        {"pyproject.toml": PYPROJECT.replace('"backend"', '"mesonpy"'), "shop/__init__.py": ""},
    )
    built = build(app, PIP_INDEX_URL=market.index.url).passed()
    (site,) = built.venv.glob("lib/python3*/site-packages")
    assert not list(site.glob("*.pth"))
    assert (app / "shop" / "fast.so").resolve() == site / "shop" / "fast.so"
    (app / "shop" / "fast.so").unlink()
    assert "Reusing packages" in build(app, keep=True, PIP_INDEX_URL=market.index.url).passed().log
    (link,) = (app / "shop").glob("*.so")
    assert link.readlink().is_relative_to(built.venv)

    # The user's own -e stays.
    loader = "_shop_editable_loader.py"
    backend = (app / "mesonpy.py").read_text()
    (app / "mesonpy.py").write_text(backend.replace('f"{name}.pth"', f'"{loader}"'))
    shutil.rmtree(app / "__pycache__")
    write_files(app, {"requirements.txt": "-e .\n"})
    built = build(app, PIP_INDEX_URL=market.index.url).passed()
    assert "meson-python compiles shop, which is installed editable, at each import" in built.log
