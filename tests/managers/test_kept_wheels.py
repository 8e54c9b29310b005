"""What the cache keeps: wheels that were built here and are still installed, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from tests.managers.conftest import Builder, Built, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_sdist, write_wheel

REBUILDS = 20


def kept(built: Built) -> list[str]:
    """The wheels in the cache."""
    return sorted(path.name for path in (built.layers / "pip-cache").rglob("*.whl"))


def size(built: Built) -> int:
    """Bytes of everything in the cache."""
    files = (built.layers / "pip-cache").rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file())


def test_cache_does_not_grow(build: Builder, index: SimpleIndex, app: Path, tmp_path: Path) -> None:
    """Twenty rebuilds, each with another version to build: the cache holds the last one alone."""
    index.immutable = True
    for number in range(REBUILDS + 1):
        index.add(write_sdist(Distribution(name="alpha", version=f"1.{number}"), tmp_path))
    sizes = []
    for number in range(REBUILDS + 1):
        write_files(app, {"requirements.txt": f"alpha==1.{number}\n"})
        built = build(app, keep=number > 0, PIP_INDEX_URL=index.url).passed()
        assert kept(built) == [f"alpha-1.{number}-py3-none-any.whl"]
        sizes.append(size(built))
    assert len(sizes) == REBUILDS + 1
    assert max(sizes) - min(sizes) < 200  # a digit more in some names
    assert max(sizes) < 5000


def test_built_wheels_are_built_once(
    build: Builder, index: SimpleIndex, app: Path, tmp_path: Path
) -> None:
    """Another requirement is added: what was built is there; it goes when nothing needs it.

    What Dockerfiles tell uv about caches and byte code changes neither.
    """
    of_dockerfiles = {"UV_NO_CACHE": "1", "UV_COMPILE_BYTECODE": "1"}
    index.immutable = True
    index.add(write_sdist(Distribution(name="alpha"), tmp_path))
    suite = {"beta/__init__.py": "", "beta/tests/test_beta.py": "b = 1\n"}
    index.add(write_wheel(Distribution(name="beta", files=suite), tmp_path))
    write_files(app, {"requirements.txt": "alpha\n"})
    build(app, PIP_INDEX_URL=index.url, **of_dockerfiles).passed()
    assert index.downloads().count("alpha-1.0.tar.gz") == 1
    write_files(app, {"requirements.txt": "alpha\nbeta\n"})
    built = build(app, keep=True, PIP_INDEX_URL=index.url, **of_dockerfiles).passed()
    assert not list(built.venv.rglob("test_beta.*.pyc"))
    assert index.downloads().count("alpha-1.0.tar.gz") == 1
    assert kept(built) == ["alpha-1.0-py3-none-any.whl"]
    write_files(app, {"requirements.txt": "beta\n"})
    assert kept(build(app, keep=True, PIP_INDEX_URL=index.url).passed()) == []


def test_what_was_compiled_fits_one_distribution(
    build: Builder, index: SimpleIndex, app: Path, tmp_path: Path
) -> None:
    """With another builder it is compiled again, whatever keeps it; wheels are reused."""
    index.immutable = True
    tag = f"py3-none-linux_{os.uname().machine}"
    index.add(write_sdist(Distribution(name="alpha", tag=tag), tmp_path))
    index.add(write_wheel(Distribution(name="beta", tag=tag), tmp_path))
    settings = {"PIP_INDEX_URL": index.url, "CNB_TARGET_DISTRO_NAME": "ubuntu"}
    write_files(app, {"bin/post_compile": "#!/bin/sh\n"})  # for it all packages are kept
    (app / "bin" / "post_compile").chmod(0o755)
    copies: list[str] = []

    def log(version: str, *, requirements: str, fetched: int, **more: str) -> str:
        write_files(app, {"requirements.txt": requirements})
        before = index.downloads().count("alpha-1.0.tar.gz")
        (app.parent / "layers").mkdir(exist_ok=True)
        given = {**settings, "CNB_TARGET_DISTRO_VERSION": version, **more}
        built = build(app, keep=True, **given).passed()
        assert index.downloads().count("alpha-1.0.tar.gz") - before == fetched
        assert len(kept(built)) == ("alpha" in requirements)
        (packages,) = (built.layers / "pip-cache" / "kept").glob("packages-*")
        copies.append(packages.name)
        return built.log

    log("22.04", requirements="alpha\n", fetched=1, BP_KEEP_DOWNLOADS="true")
    log("22.04", requirements="alpha\nbeta\n", fetched=0, BP_KEEP_DOWNLOADS="true")
    told = log("24.04", requirements="alpha\nbeta\n", fetched=1, BP_KEEP_DOWNLOADS="true")
    assert "packages were compiled on ubuntu 22.04, and this is ubuntu 24.04\n" in told
    log("24.04", requirements="beta\n", fetched=0)
    assert "Reusing packages" in log("26.04", requirements="beta\n", fetched=0)
    assert copies[1] != copies[2]
    assert copies[3] == copies[4]
