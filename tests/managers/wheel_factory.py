"""Tiny distributions for tests: wheels and sdists that are made in a moment and import."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TIME = (2020, 2, 2, 0, 0, 0)

# The backend of the sdists. It needs nothing but the standard library, so that building one of
# them asks no index for anything; it says which Python built it.
BACKEND = '''"""Builds this very project."""
import base64, hashlib, os, pathlib, re, sys, zipfile

HERE = pathlib.Path(__file__).resolve().parent


def _metadata():
    text = (HERE / "PKG-INFO").read_text()
    name = re.search(r"^Name: (.*)$", text, re.M)[1]
    version = re.search(r"^Version: (.*)$", text, re.M)[1]
    return text, re.sub(r"[-_.]+", "_", name).lower(), version


def _write(folder, files):
    text, name, version = _metadata()
    info = f"{name}-{version}.dist-info"
    wheel = f"{name}-{version}-py3-none-any.whl"
    files = dict(files)
    files[f"{info}/METADATA"] = text.encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    scripts = HERE / "entry_points.txt"
    if scripts.is_file():
        files[f"{info}/entry_points.txt"] = scripts.read_bytes()
    rows = []
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}")
    rows.append(f"{info}/RECORD,,")
    files[f"{info}/RECORD"] = ("\\n".join(rows) + "\\n").encode()
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


def _sources():
    root = HERE / "src"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _write(wheel_directory, _sources())


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    _, name, _ = _metadata()
    return _write(wheel_directory, {f"{name}.pth": f"{HERE / 'src'}\\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("these sdists are made by the tests")
'''
PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """What a distribution declares and holds.

    `files` lie in site-packages; left out, there is one module named after the distribution with
    its `version` in it; `binaries` are further files of a wheel. `scripts` are console scripts (`name` -> `module:function`). `extras` maps
    an extra to its requirements. `tag` is a wheel's compatibility tag, of those that are built too. `fields` are further lines of
    its metadata.
    """

    name: str
    version: str = "1.0"
    requires: Sequence[str] = ()
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)
    requires_python: str = ""
    files: Mapping[str, str] | None = None
    binaries: Mapping[str, bytes] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    tag: str = "py3-none-any"
    fields: Sequence[str] = ()

    @property
    def module(self) -> str:
        return re.sub(r"[-_.]+", "_", self.name).lower()

    @property
    def contents(self) -> Mapping[str, str]:
        if self.files is not None:
            return self.files
        return {
            f"{self.module}.py": f'version = "{self.version}"\n\n\ndef main():\n    print(version)\n'
        }


def metadata(dist: Distribution) -> str:
    """The core metadata (PEP 643)."""
    lines = ["Metadata-Version: 2.2", f"Name: {dist.name}", f"Version: {dist.version}"]
    lines += dist.fields
    if dist.requires_python:
        lines.append(f"Requires-Python: {dist.requires_python}")
    lines += [f"Requires-Dist: {line}" for line in dist.requires]
    for extra, requires in dist.extras.items():
        lines.append(f"Provides-Extra: {extra}")
        for line in requires:
            requirement, semicolon, marker = (part.strip() for part in line.partition(";"))
            both = f'({marker}) and extra == "{extra}"' if semicolon else f'extra == "{extra}"'
            lines.append(f"Requires-Dist: {requirement} ; {both}")
    return "\n".join(lines) + "\n"


def entry_points(dist: Distribution) -> str:
    """The entry points file; empty where there are no scripts."""
    lines = [f"{name} = {target}" for name, target in dist.scripts.items()]
    return "\n".join(["[console_scripts]", *lines, ""]) if lines else ""


def write_wheel(dist: Distribution, folder: Path) -> Path:
    """A wheel below `folder`; the same bytes for the same distribution."""
    info = f"{dist.module}-{dist.version}.dist-info"
    tags = [
        f"Tag: {python}-{abi}-{platform}"
        for python in dist.tag.split("-")[0].split(".")
        for abi in dist.tag.split("-")[1].split(".")
        for platform in dist.tag.split("-")[2].split(".")
    ]
    pure = "true" if dist.tag.endswith("-any") else "false"
    files = dict(dist.contents)
    files[f"{info}/METADATA"] = metadata(dist)
    files[f"{info}/WHEEL"] = "\n".join(
        ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {pure}", *tags, ""]
    )
    if dist.scripts:
        files[f"{info}/entry_points.txt"] = entry_points(dist)
    contents = {**{name: text.encode() for name, text in files.items()}, **dist.binaries}
    rows = []
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
        rows.append(f"{path},sha256={digest.decode()},{len(data)}")
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{dist.module}-{dist.version}-{dist.tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, TIME), data)
    return wheel


def source_files(dist: Distribution) -> dict[str, str]:
    """The source tree: a src layout with a build backend of its own (PEP 517, in-tree)."""
    files = {
        "PKG-INFO": metadata(dist),
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND.replace("py3-none-any", dist.tag),
        **{f"src/{name}": text for name, text in dist.contents.items()},
    }
    if dist.scripts:
        files["entry_points.txt"] = entry_points(dist)
    return files


def write_source(dist: Distribution, folder: Path) -> Path:
    """The source tree in `folder`: a local project, or what a VCS holds."""
    for name, text in source_files(dist).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def write_git(dist: Distribution, folder: Path) -> tuple[Path, str]:
    """A bare repository of the source, fit for a plain file server, and its one commit's id."""
    source = write_source(dist, folder / f"{dist.module}-source")
    bare = folder / f"{dist.module}.git"
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "All"]):
        subprocess.run(["git", *identity, *words], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", source, bare], check=True)
    subprocess.run(["git", "update-server-info"], cwd=bare, check=True)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=bare, text=True)
    return bare, head.strip()


def write_sdist(dist: Distribution, folder: Path) -> Path:
    """An sdist below `folder`; the same bytes for the same distribution."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{dist.module}-{dist.version}.tar.gz"
    with (
        path.open("wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, text in source_files(dist).items():
            entry = tarfile.TarInfo(f"{dist.module}-{dist.version}/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path
