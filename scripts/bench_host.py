"""What `make bench` builds against, on loopback: a package index, a host of runtimes, a registry."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tests.managers.simple_index import SimpleIndex

import oci_layout
import runtime_archive
from go_tools import cache_dir
from local_platform import PlatformError, free_port


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry that is running, and where it keeps its blobs."""

    address: str
    storage: Path

    def target(self, image: str) -> list[str]:
        """The lifecycle's arguments for an image of this registry."""
        return [
            "-insecure-registry", self.address,
            "-run-image", f"{self.address}/run", f"{self.address}/{image}",
        ]  # fmt: skip

    def stored(self) -> int:
        """Bytes of everything that was ever pushed."""
        return sum(path.stat().st_size for path in self.storage.rglob("data") if path.is_file())


@contextlib.contextmanager
def registry(work: Path) -> Iterator[Registry]:
    """Debian's docker-registry, with an empty run image in it."""
    address = f"127.0.0.1:{free_port()}"
    storage = work / "registry"
    config = work / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    with (work / "registry.log").open("wb") as log:
        try:
            process = subprocess.Popen(
                ["docker-registry", "serve", str(config)], stdout=log, stderr=log
            )
        except FileNotFoundError:
            raise PlatformError("make bench needs docker-registry and skopeo (apt).") from None
    try:
        _wait(f"http://{address}/v2/")
        run_image = oci_layout.write_run_image(work / "run-image", "bench/run")
        command = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{run_image}"]
        subprocess.run([*command, f"docker://{address}/run"], check=True)
        yield Registry(address=address, storage=storage)
    finally:
        process.terminate()
        process.wait()


def _wait(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = monotonic() + 30
    while True:
        try:
            opener.open(url, timeout=5).close()
            return
        except OSError as error:
            if monotonic() > deadline:
                raise PlatformError(f"{url} does not answer: {error}") from None
            sleep(0.1)


def wheels(requirements: Sequence[Path], extra: Sequence[str], python_version: str) -> Path:
    """The wheels of all requirement files, from the machine's own index; once per machine."""
    minor = ".".join(python_version.split(".")[:2])
    text = "".join(path.read_text() for path in requirements) + " ".join(extra) + minor
    folder = cache_dir() / "bench" / hashlib.sha256(text.encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    partial = folder.with_name(folder.name + ".part")
    partial.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet",
            f"--python-version={minor}", "--only-binary=:all:", f"--dest={partial}",
            *(option for path in requirements for option in ("-r", str(path))), *extra,
        ],
        check=True,
    )  # fmt: skip
    partial.rename(folder)
    return folder


@dataclass(frozen=True, kw_only=True)
class Runtimes:
    """Two patch releases, as release lists for us and as archives' URLs for the baseline."""

    lists: tuple[Path, Path]
    archives: tuple[str, str]
    untrimmed: Path


def serve_runtimes(
    index: SimpleIndex, python: str, packaged: dict[str, object], work: Path
) -> Runtimes:
    """The package's runtime and a later patch of it: the same CPython under another number.

    The baseline gets the archive with what its recipe needs (ensurepip), less the test suite and
    static libraries, as published archives are.
    """
    folder = work / "runtimes"
    release = runtime_archive.pack(python, folder)
    plain = runtime_archive.pack_untrimmed(python, folder, tests=False)
    later = folder / "later.tar.gz"
    later.write_bytes((folder / str(release["url"])).read_bytes() + _EMPTY_GZIP)
    version = str(release["version"])
    major, minor, patch = version.split(".")
    host = index.url.removesuffix("simple/")
    index.folders["runtimes"] = folder
    first = {**packaged, "url": f"{host}runtimes/{release['url']}"}
    second = {
        **first,
        "version": f"{major}.{minor}.{int(patch) + 1}",
        "url": f"{host}runtimes/later.tar.gz",
        "sha256": hashlib.sha256(later.read_bytes()).hexdigest(),
    }
    lists = (folder / "first.json", folder / "second.json")
    for path, releases in zip(lists, ([first], [first, second]), strict=True):
        path.write_text(json.dumps({"format": 1, "releases": releases}))
    return Runtimes(
        lists=lists,
        archives=(f"{host}runtimes/{plain.name}", f"{host}runtimes/{plain.name}?later"),
        untrimmed=runtime_archive.pack_untrimmed(python, folder, tests=True),
    )


# A member without contents: another archive with the same contents.
_EMPTY_GZIP = gzip.compress(b"", mtime=0)


def poetry(uv: Path, python: str, requirements: Path) -> Path:
    """Poetry's command, from the hash-locked requirements; once per machine."""
    locked = requirements / "tool-poetry.txt"
    digest = hashlib.sha256(locked.read_bytes()).hexdigest()[:12]
    target = cache_dir() / "tools" / f"poetry-{digest}"
    if not (target / "bin" / "poetry").exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        options = ["--no-config", "--quiet"]
        subprocess.run(
            [uv, "venv", *options, "--clear", "--no-python-downloads", "--python", python, target],
            check=True,
        )
        subprocess.run(
            [
                uv, "pip", "install", *options, "--require-hashes",
                "--python", target / "bin" / "python", "-r", locked,
            ],
            check=True,
        )  # fmt: skip
    return target / "bin" / "poetry"
