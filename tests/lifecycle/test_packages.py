"""What `make package` writes: for both architectures, the same bytes each time, with runtimes inside."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.lifecycle.conftest import BUILDER, Host
from tests.lifecycle.test_build import passed

import host_python
import local_platform
import package
import runtime_archive
from local_platform import Workspace, create

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = runtime_archive.this_arch()
ELSEWHERE = {"amd64": "arm64", "arm64": "amd64"}[HERE]
ELF_MACHINES = {"amd64": 62, "arm64": 183}
FAR_AWAY = "https://runtimes.example.com/releases"


def runtimes() -> Iterator[str]:
    """The default CPython of this machine, and one of another minor version where there is one."""
    default = host_python.find_host_python()
    yield default
    for path in host_python.host_pythons():
        name = path.name.removeprefix("python")
        if name in ("3.10", "3.11", "3.12", "3.13") and not default.endswith(name):
            yield str(path)
            return


def foreign(archive: bytes) -> bytes:
    """The archive with all of its ELF files made those of the other architecture: none can run."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as source,
        gzip.GzipFile(filename="", fileobj=made, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as target,
    ):
        for member in source:
            content = source.extractfile(member) if member.isreg() else None
            data = content.read() if content else b""
            if data[:4] == b"\x7fELF":
                data = data[:18] + ELF_MACHINES[ELSEWHERE].to_bytes(2, "little") + data[20:]
            target.addfile(member, io.BytesIO(data) if content else None)
    return made.getvalue()


@dataclass(frozen=True, kw_only=True)
class Archives:
    """A release list for both architectures, and the archives that it names, by their URL's path."""

    entries: tuple[dict[str, Any], ...]
    files: Mapping[str, bytes]

    @property
    def listed(self) -> bytes:
        return json.dumps({"format": 1, "releases": self.entries}).encode()

    @property
    def minors(self) -> list[str]:
        """The minor versions, the buildpack's own first."""
        return list(dict.fromkeys(entry["version"].rpartition(".")[0] for entry in self.entries))


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """This machine's CPythons, on a host that nobody can reach."""
    out = tmp_path_factory.mktemp("archives")
    entries: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for python in runtimes():
        entry = runtime_archive.pack(python, out)
        data = (out / entry["url"]).read_bytes()
        for arch, content in ((HERE, data), (ELSEWHERE, foreign(data))):
            name = f"{arch}-{entry['url']}"
            digest = hashlib.sha256(content).hexdigest()
            entries.append({**entry, "arch": arch, "url": f"{FAR_AWAY}/{name}", "sha256": digest})
            files[f"/releases/{name}"] = content
    return Archives(entries=tuple(entries), files=files)


def make_package(arch: str, out: Path, mirror: str, releases: str, offline: str = "") -> Path:
    """`make package`, as users type it, with nothing kept from before."""
    with tempfile.TemporaryDirectory(dir=out.parent) as cache:
        done = subprocess.run(
            [
                "make", "package", f"ARCH={arch}", f"OUT={out}", f"RELEASES={releases}",
                f"OFFLINE={offline}", f"PYTHON={sys.executable}",
            ],
            cwd=ROOT,
            env={**os.environ, "BP_DEPENDENCY_MIRROR": mirror, "PYCNB_CACHE": cache},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    made = out / f"python-buildpack-{package.version()}-linux-{arch}"
    assert f"Wrote {made}" in done.stdout
    return made


@pytest.fixture(scope="module")
def complete(shelter: Path, archives: Archives) -> Path:
    """The package for this machine with every runtime of the list inside."""
    return make_complete(shelter / "complete", archives)


def make_complete(folder: Path, archives: Archives) -> Path:
    """Made from a directory that stands for the archives' host."""
    (folder / "mirror/releases").mkdir(parents=True)
    for name, content in archives.files.items():
        (folder / f"mirror{name}").write_bytes(content)
    (folder / "releases.json").write_bytes(archives.listed)
    return make_package(
        HERE, folder / "dist", (folder / "mirror").as_uri(), str(folder / "releases.json"),
        " ".join(archives.minors),
    )  # fmt: skip


def contents(root: Path) -> dict[str, tuple[int, int, str]]:
    """Path -> mode, time and digest (or target) of everything below `root`."""
    return {
        path.relative_to(root).as_posix(): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            str(path.readlink())
            if path.is_symlink()
            else hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else "",
        )
        for path in root.rglob("*")
    }


def test_package_is_reproducible(shelter: Path, archives: Archives, complete: Path) -> None:
    """Made twice, in two places: not a byte, mode or time differs."""
    again = contents(make_complete(shelter / "again", archives))
    first = contents(complete)
    assert {name for name in first.keys() | again if first.get(name) != again.get(name)} == set()


def elf_machines(root: Path) -> dict[str, int]:
    """Path -> machine of every ELF file below `root`."""
    return {
        path.relative_to(root).as_posix(): int.from_bytes(head[18:20], "little")
        for path in root.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and (head := path.read_bytes()[:20])[:4] == b"\x7fELF"
    }


def test_package_for_the_other_architecture(shelter: Path, archives: Archives, host: Host) -> None:
    """Its archive comes over a mirror, and nothing of it runs here: every program of it is of that
    architecture; what is byte-compiled is as it is in the package for this one."""
    host.files.update(archives.files)
    host.files["/releases.json"] = archives.listed
    made = make_package(ELSEWHERE, shelter / "elsewhere", host.url, f"{host.url}/releases.json")
    machines = elf_machines(made)
    assert set(machines.values()) == {ELF_MACHINES[ELSEWHERE]}
    assert {"uv/uv", f"runtime/cpython/bin/python{archives.minors[0]}"} <= machines.keys()
    assert any(name.startswith("vendor/") for name in machines)
    assert [line for line in host.requests if ELSEWHERE in line] == [
        f"/releases/{ELSEWHERE}-{archives.entries[0]['url'].rpartition(f'{HERE}-')[2]}"
    ]
    release = json.loads((made / "runtime/release.json").read_text())
    assert (release["arch"], release["url"]) == (ELSEWHERE, archives.entries[1]["url"])
    compiled = {path.name.split(".")[0] for path in made.rglob("runtime/**/json/__pycache__/*.pyc")}
    assert {"__init__", "decoder", "encoder", "scanner", "tool"} <= compiled
    flags = {path.read_bytes()[4] for path in made.rglob("*.pyc")}
    assert flags == {1}  # unchecked: whoever changes the files' times does not matter


def test_no_archive_of_the_other_architecture(shelter: Path, archives: Archives) -> None:
    """A list without one for it is an error that says so."""
    path = shelter / "half.json"
    half = [entry for entry in archives.entries if entry["arch"] == HERE]
    path.write_text(json.dumps({"format": 1, "releases": half}))
    with pytest.raises(package.PackageError, match=f"no Python .* for {ELSEWHERE}"):
        package.package(ELSEWHERE, "archive", shelter / "none", releases=str(path))


@pytest.fixture
def offline(shelter: Path, complete: Path, binaries: Path) -> Iterator[Workspace]:
    """A platform with the complete package."""
    with tempfile.TemporaryDirectory(prefix="w", dir=shelter) as name:
        Path(name).chmod(0o755)
        user = BUILDER if os.getuid() == 0 else None
        yield local_platform.prepare(Path(name), complete, package.version(), binaries, user)


def test_a_build_needs_no_download(offline: Workspace, archives: Archives, tmp_path: Path) -> None:
    """Whichever of its versions the app asks for; its interpreter runs. Another version is an
    error that names those that are there."""
    nowhere = {"BP_DEPENDENCY_MIRROR": (tmp_path / "nowhere").as_uri()}
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text("print('hello')\n")
    for minor in archives.minors:
        (tmp_path / "app/.python-version").write_text(f"{minor}\n")
        build = passed(create(offline, tmp_path / "app", nowhere))
        assert "Downloading" not in build.log
        python = offline.buildpack_layers / "python/bin/python"
        done = subprocess.run([python, "-V"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"Python {minor}.")

    absent = copy.deepcopy(archives.entries[0])
    absent |= {"version": f"{archives.minors[0]}.99", "sha256": "0" * 64}
    path = tmp_path / "releases.json"
    path.write_text(json.dumps({"format": 1, "releases": [*archives.entries, absent]}))
    (tmp_path / "app/.python-version").write_text(f"{absent['version']}\n")
    path.chmod(0o644)
    settings = {**nowhere, "BP_PYTHON_RELEASES": archives_url(offline, path)}
    build = create(offline, tmp_path / "app", settings)
    assert build.code != 0
    assert "[download-failed]" in build.log
    versions = sorted({entry["version"] for entry in archives.entries})
    assert f"This buildpack brings Python {' and '.join(versions)}: " in build.log


def archives_url(space: Workspace, path: Path) -> str:
    """A copy of the file where the build's user can read it."""
    target = space.root / path.name
    target.write_bytes(path.read_bytes())
    return str(target)
