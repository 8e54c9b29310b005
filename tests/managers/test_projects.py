"""Projects without a lock of their own, and sub-directories: built by the real lifecycle, started."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.managers.conftest import SERVER, answer, write_files
from tests.managers.market import Market
from tests.managers.wheel_factory import Distribution, write_source

from local_platform import Workspace

GROUPS = '[dependency-groups]\nprod = ["writer", {include-group = "more"}]\nmore = ["cache"]\n'


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
