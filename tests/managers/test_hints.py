"""Well-known failures, provoked for real: each prints what mends it, under a stable id."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.managers.conftest import Builder, Built, plain_environment, write_files
from tests.managers.simple_index import SimpleIndex
from tests.managers.wheel_factory import Distribution, write_sdist, write_wheel

# A build backend in the sdist that does what setuptools would: it runs the given code.
BACKEND = """
import os, subprocess, sys

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
{code}

build_editable = build_wheel
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'


def sdist(folder: Path, name: str, code: str, **files: str) -> Path:
    """An sdist whose build runs `code`."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    made = write_sdist(Distribution(name=name, files={}), folder)
    with tarfile.open(made, "w:gz") as archive:
        contents = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            "pyproject.toml": PYPROJECT,
            "own.py": BACKEND.format(code=body),
            **{name.replace("_", "."): text for name, text in files.items()},
        }
        for path, text in contents.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What the index serves (`!` before a name: yanked), what is asked for, what is answered.

    `package` is the one that the title names.
    """

    requirements: str
    id: str
    words: str
    serve: Callable[[Path], Mapping[str, Path]] = lambda folder: {}
    pip_id: str = ""
    package: str = "one"


def header(folder: Path) -> Mapping[str, Path]:
    code = 'subprocess.run(["cc", "-c", "one.c"], check=True)'
    return {"one": sdist(folder, "one", code, one_c="#include <libpq-fe.h>\n")}


def python2(folder: Path) -> Mapping[str, Path]:
    return {"one": sdist(folder, "one", "exec('print \"hello\"')")}


def scm(folder: Path) -> Mapping[str, Path]:
    # setuptools-scm's own words: the real one is in test_version_from_version_control.
    code = 'raise LookupError("setuptools-scm was unable to detect version for /src.")'
    return {"one": sdist(folder, "one", code)}


def other_python(folder: Path) -> Mapping[str, Path]:
    return {"one": write_wheel(Distribution(name="one", tag="cp39-cp39-linux_x86_64"), folder)}


def yanked(folder: Path) -> Mapping[str, Path]:
    return {"!one": write_wheel(Distribution(name="one"), folder)}


def plain(folder: Path) -> Mapping[str, Path]:
    return {"one": write_wheel(Distribution(name="one"), folder)}


def conflicting(folder: Path) -> Mapping[str, Path]:
    return {
        "one": write_wheel(Distribution(name="one", requires=["base<2"]), folder),
        "two": write_wheel(Distribution(name="two", requires=["base>=2"]), folder),
        "base": write_wheel(Distribution(name="base", version="1.0"), folder),
        "base2": write_wheel(Distribution(name="base", version="2.0"), folder),
    }


FAILURES = {
    "missing-header": Failure(
        requirements="one", serve=header, id="install-header-missing", words="libpq-dev"
    ),
    "no-wheel": Failure(
        requirements="one", serve=other_python, id="install-no-wheel",
        words="only for `cp39`", pip_id="install-package-missing",
    ),
    "yanked": Failure(
        requirements="one>=1", serve=yanked, id="install-yanked", words="its author withdrew it"
    ),
    "nonexistent-version": Failure(
        requirements="one==9.9", serve=plain, id="install-version-missing",
        words="one exists, but not in the version asked for",
    ),
    "nonexistent-package": Failure(
        requirements="nobody", id="install-package-missing", words="nobody is not on the index",
        package="nobody",
    ),
    "hash-mismatch": Failure(
        requirements=f"one==1.0 --hash=sha256:{'0' * 64}", serve=plain,
        id="install-hash-mismatch", words="refresh the hashes",
    ),
    "conflict": Failure(
        requirements="one\ntwo", serve=conflicting, id="install-conflict", words="relax one",
        package="the requirements",
    ),
    "python2": Failure(
        requirements="one", serve=python2, id="install-python2-only", words="Python 2"
    ),
    "version-control": Failure(
        requirements="one", serve=scm, id="install-version-from-vcs",
        words="SETUPTOOLS_SCM_PRETEND_VERSION_FOR_ONE",
    ),
}  # fmt: skip


def hinted(built: Built, id: str, words: str, package: str = "one") -> None:
    """The build failed with this hint, the package in its title; a package's build may have
    printed a traceback of its own."""
    assert built.code == 1, built.log
    title, _, body = built.log.rpartition(" !     Error: ")[2].partition("\n")
    assert f" could not install {package} (exit code " in title, built.log
    assert words in body
    assert body.rstrip().endswith(f"[{id}]"), built.log


@pytest.mark.parametrize("who", ["auto", "pip"])
@pytest.mark.parametrize("name", FAILURES)
def test_failure(
    build: Builder, app: Path, index: SimpleIndex, workplace: Path, name: str, who: str
) -> None:
    """The hint and its id are in the log, whether uv or pip meets the failure."""
    failure = FAILURES[name]
    for key, path in failure.serve(workplace / "wheels").items():
        index.add(path, yanked=key.startswith("!"))
    write_files(app, {"requirements.txt": failure.requirements + "\n"})
    built = build(app, PIP_INDEX_URL=index.url, BP_PIP_INSTALLER=who)
    if who == "pip" and failure.pip_id:
        hinted(built, failure.pip_id, "a file exists for Python 3.", failure.package)
    else:
        hinted(built, failure.id, failure.words, failure.package)


def test_version_from_version_control(build: Builder, app: Path) -> None:
    """setuptools-scm itself, from the machine's index, on an app that came without its .git."""
    write_files(
        app,
        {
            "pyproject.toml": (
                '[build-system]\nrequires = ["setuptools", "setuptools-scm"]\n'
                'build-backend = "setuptools.build_meta"\n'
                '[project]\nname = "one"\ndynamic = ["version"]\n'
                "[tool.setuptools]\npackages = []\n[tool.setuptools_scm]\n"
            )
        },
    )
    environ = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    hinted(build(app, **environ), "install-version-from-vcs", "SETUPTOOLS_SCM_PRETEND_VERSION")
    build(app, SETUPTOOLS_SCM_PRETEND_VERSION="1.2", **environ).passed()


@pytest.mark.parametrize("who", ["auto", "pip"])
def test_unreachable_index(build: Builder, app: Path, who: str) -> None:
    """Connections are refused: the error names the host and the first package, pip is not asked after uv."""
    write_files(app, {"requirements.txt": "one\n"})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple/"
        built = build(app, PIP_INDEX_URL=url, BP_PIP_INSTALLER=who, PIP_RETRIES="0")
    host = url.split("/")[2]
    words = f"{host} cannot be reached (the first package asked for: one)"
    built.failed("install-index-unreachable", words, "could not install one (exit code")
    assert "pip decides" not in built.log


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group with 200 MB of memory (version 1 or 2 of the kernel's interface)."""
    root = Path("/sys/fs/cgroup/memory")
    limits = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
    if not root.is_dir():
        root, limits = Path("/sys/fs/cgroup"), ["memory.max", "memory.swap.max"]
    group = Path(tempfile.mkdtemp(prefix="pycnb-", dir=root))
    try:
        for name in limits:
            if (group / name).exists():
                value = "0" if name == "memory.swap.max" else str(200 * 1024 * 1024)
                (group / name).write_text(value)
        yield group
    finally:
        group.rmdir()


def test_out_of_memory(
    buildpack: Path, app: Path, index: SimpleIndex, workplace: Path, memory_group: Path
) -> None:
    """The kernel kills a package's build that takes too much memory; the build survives it."""
    # It gives itself up first, so that the kernel does not choose the build around it.
    code = 'open("/proc/self/oom_score_adj", "w").write("1000")\nb"x" * (600 * 1024 * 1024)'
    index.add(sdist(workplace / "wheels", "one", code))
    write_files(app, {"requirements.txt": "one\n"})
    (workplace / "layers").mkdir()
    write_files(workplace, {"plan.toml": ""})
    done = subprocess.run(
        ["sh", "-c", f'echo $$ > {memory_group}/cgroup.procs; exec "$0"', buildpack / "bin/build"],
        cwd=app,
        env={
            **plain_environment(workplace / "home"),
            "CNB_BUILDPACK_DIR": str(buildpack),
            "CNB_LAYERS_DIR": str(workplace / "layers"),
            "CNB_PLATFORM_DIR": str(workplace / "platform"),
            "CNB_BP_PLAN_PATH": str(workplace / "plan.toml"),
            "PIP_INDEX_URL": index.url,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "[install-out-of-memory]" in done.stdout, done.stdout
    assert "pip decides" not in done.stdout


def test_full_disk(buildpack: Path, app: Path, index: SimpleIndex, workplace: Path) -> None:
    """A package that does not fit on the disk: its own error, and pip is not tried after uv."""
    big = "x" * (40 * 1024 * 1024)
    index.add(write_wheel(Distribution(name="one", files={"one.txt": big}), workplace / "wheels"))
    write_files(app, {"requirements.txt": "one\n"})
    layers = workplace / "layers"
    layers.mkdir(exist_ok=True)
    write_files(workplace, {"plan.toml": ""})
    # Room for the runtime, not for the package as well.
    mount = ["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(layers)]
    subprocess.run(mount, check=True)
    try:
        done = subprocess.run(
            [buildpack / "bin" / "build"],
            cwd=app,
            env={
                **plain_environment(workplace / "home"),
                "CNB_BUILDPACK_DIR": str(buildpack),
                "CNB_LAYERS_DIR": str(layers),
                "CNB_PLATFORM_DIR": str(workplace / "platform"),
                "CNB_BP_PLAN_PATH": str(workplace / "plan.toml"),
                "PIP_INDEX_URL": index.url,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        subprocess.run(["umount", str(layers)], check=True)
    assert done.returncode == 1, done.stdout
    assert "[install-disk-full]" in done.stdout, done.stdout
    assert "pip decides" not in done.stdout


@pytest.mark.parametrize("level", ["info", "debug"])
def test_what_uv_says_is_shown_once(
    build: Builder, app: Path, index: SimpleIndex, level: str
) -> None:
    """At the debug level too, where all output is shown anyway."""
    write_files(app, {"requirements.txt": "nothing-like-it\n"})
    settings = {"BP_LOG_LEVEL": level, "BP_PIP_INSTALLER": "uv", "PIP_INDEX_URL": index.url}
    built = build(app, **settings).failed("install-package-missing", "nothing-like-it")
    assert built.log.count("was not found in the package registry") == 1
