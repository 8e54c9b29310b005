"""What an installation refuses before it starts a tool."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from python_buildpack.errors import UserError
from python_buildpack.log import Log
from python_buildpack.managers.declaration import InstallSet
from python_buildpack.packages.index_access import Access
from python_buildpack.packages.installation import Install
from python_buildpack.packages.installer import check_packages, install_packages
from python_buildpack.packages.package_sources import Source
from python_buildpack.packages.tools import Tools


def an_install(tmp_path: Path, install_set: InstallSet) -> Install:
    """With pip, from one index."""
    source = Source(url="https://ours.example/simple", name="pinned-1")
    access = Access(
        uv_environment={},
        uv_options=(),
        pip_environment={},
        sources=(source,),
        by_name=False,
        pinned={"ours": source},
    )
    return Install(
        venv=tmp_path / "venv",
        python=tmp_path / "python3.13",
        python_version="3.13.0",
        app_dir=tmp_path,
        top_dir=tmp_path,
        built_dir=tmp_path / "built" / "here",
        work_dir=tmp_path,
        install_set=install_set,
        access=access,
        offline=None,
        vendored=False,
        installer="pip",
        may_fall_back=False,
        require_all_hashes=False,
        environ={},
    )


@pytest.mark.parametrize(
    ("install_set", "says"),
    [
        (InstallSet(locked=True, lock="uv.lock", uv_export=()), "uv.lock is installed by uv"),
        (InstallSet(locked=True, lock="pylock.toml"), "pylock.toml is installed by uv"),
        (
            InstallSet(locked=True, pinned={"ours": ("secret===1.0",)}),
            "secret comes from the index ours alone",
        ),
    ],
)
def test_uv_is_needed(tmp_path: Path, install_set: InstallSet, says: str) -> None:
    """Without uv: what pip cannot install, or only from whichever index has it, is an error."""
    install = an_install(tmp_path, install_set)
    with pytest.raises(UserError) as caught:
        install_packages(
            install, Tools(uv=None, uv_version=None, pip_wheels=()), Log(io.StringIO())
        )
    assert caught.value.id == "uv-needed"
    assert says in caught.value.title
    assert "make package" in caught.value.body


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0, ""),
        (1, "The installed packages do not fit each other:"),
        (2, "Whether the installed packages fit each other could not be checked:"),
    ],
)
def test_the_check_of_what_is_installed(tmp_path: Path, code: int, says: str) -> None:
    """uv ends with 1 for packages that do not fit, with 2 where it cannot look."""
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\necho words of uv\nexit {code}\n")
    uv.chmod(0o755)
    stream = io.StringIO()
    tools = Tools(uv=uv, uv_version="1.0", pip_wheels=())
    check_packages(an_install(tmp_path, InstallSet()), tools, Log(stream))
    assert says in stream.getvalue()
    assert ("words of uv" in stream.getvalue()) == bool(says)
