"""Measure what the fleet's simulation starts from, and hold its predictions to real builds.

Each app is built through the real lifecycle by this buildpack and by the plain recipe: first, after
a buildpack release, after a runtime patch. What the simulation says of the latter two, and of the
bytes that two apps share, is printed beside what was measured.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import fleet
from tests.managers.simple_index import SimpleIndex

import bench_host
import host_python
import local_platform
import oci_layout
import package
import runtime_archive
from lifecycle import ensure_lifecycle
from local_platform import APP_IMAGE, BUILDPACK_ID, PlatformError, Workspace

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benchmarks" / "baseline"
SHARES = {"flask": 0.5, "django": 0.5}
TOLERANCE = 0.02
BUILDER = 1000
NEXT = "9.0.0"
PROCFILES = {"flask": "web: gunicorn app:app\n", "django": "web: gunicorn website.wsgi\n"}


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A release of Python for both sides: a list's entry, and the URL of an untrimmed archive."""

    entry: Mapping[str, Any]
    archive: str


@dataclass
class Measured:
    """Builds of one side and app: seconds by build, the image's layers by digest after each."""

    seconds: dict[str, float] = field(default_factory=dict)
    images: dict[str, dict[str, int]] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    rest: int = 0
    index: str = ""

    def new_bytes(self, build: str, before: str) -> int:
        """Compressed bytes of the layers that the image before did not have."""
        known = self.images[before]
        return sum(size for digest, size in self.images[build].items() if digest not in known)


def main() -> int:
    try:
        return run()
    except (PlatformError, host_python.NoPython, package.PackageError) as error:
        print(error, file=sys.stderr)
        return 1


def run() -> int:
    binaries = ensure_lifecycle(print)
    with (
        tempfile.TemporaryDirectory(prefix="pycnb-fleet-") as name,
        # As the public one does, it says that files never change: pip keeps them in its cache.
        SimpleIndex(immutable=True) as index,
    ):
        work = Path(name)
        work.chmod(0o755)
        print("Packaging the buildpack, packing two patches of this machine's CPython", flush=True)
        buildpack = package.package(runtime_archive.this_arch(), "host", work / "dist")
        shutil.copytree(binaries, work / "lifecycle", symlinks=True)
        runtimes = two_patches(work, buildpack)
        version = str(runtimes[0].entry["version"])
        files = [ROOT / "examples" / app / "requirements.txt" for app in SHARES]
        index.add(*sorted(bench_host.wheels(files, [], version).iterdir()))
        measured = {
            (app, side): measure(work, app, side, buildpack, runtimes, index.url)
            for app in SHARES
            for side in ("ours", "plain")
        }
    fleet.FIGURES.write_text(json.dumps({"apps": dict(entries(measured))}, indent=2) + "\n")
    print(f"Wrote {fleet.FIGURES.relative_to(ROOT)}\n")
    return compare(measured)


def two_patches(work: Path, buildpack: Path) -> tuple[Runtime, Runtime]:
    """The package's own runtime, and a later patch of it with other bytes."""
    folder = work / "runtimes"
    python = host_python.find_host_python()
    entry = runtime_archive.pack(python, folder)
    own = json.loads((buildpack / "runtime" / "release.json").read_text())
    untrimmed = runtime_archive.pack_untrimmed(python, folder, tests=False)
    later, later_untrimmed = folder / "later.tar.gz", folder / "later-untrimmed.tar.gz"
    for source, target in ((folder / str(entry["url"]), later), (untrimmed, later_untrimmed)):
        with tempfile.TemporaryDirectory(dir=work) as place:
            with tarfile.open(source) as archive:
                archive.extractall(place, filter="fully_trusted")
            module = next(Path(place).glob("python/lib/python3*/this.py"))
            module.write_text(module.read_text() + "# a later patch\n")
            runtime_archive.write_archive(Path(place) / "python", target)
    minor, _, patch = str(own["version"]).rpartition(".")
    digest = hashlib.sha256(later.read_bytes()).hexdigest()
    following = {
        **own, "version": f"{minor}.{int(patch) + 1}", "url": later.as_uri(), "sha256": digest,
    }  # fmt: skip
    return (
        Runtime(entry=own, archive=untrimmed.as_uri()),
        Runtime(entry=following, archive=later_untrimmed.as_uri()),
    )


def measure(
    work: Path, app: str, side: str, buildpack: Path, runtimes: tuple[Runtime, Runtime], index: str
) -> Measured:
    """All builds of one app by one side, one after the other."""
    # One path for all: layers are a function of it, too.
    root = work / "platform"
    root.mkdir()
    root.chmod(0o755)
    user = BUILDER if os.getuid() == 0 else None
    made = buildpack if side == "ours" else BASELINE
    space = local_platform.prepare(root, made, "1.0.0", work / "lifecycle", user)
    source = work / f"{app}-{side}"
    shutil.copytree(ROOT / "examples" / app, source)
    (source / "Procfile").write_text(PROCFILES[app])
    requirements = source / "requirements.txt"
    done = Measured(index=index)
    build(space, source, runtimes[:1], done, "cold")
    rename_release(space, NEXT)
    build(space, source, runtimes[:1], done, "release")
    if side == "plain":
        # Other bytes, the same packages: pip installs them once more, from its cache.
        requirements.write_text(requirements.read_text() + "# again\n")
        build(space, source, runtimes[:1], done, "reinstall")
    build(space, source, runtimes, done, "patch")
    shutil.rmtree(root)
    return done


def rename_release(space: Workspace, version: str) -> None:
    """The platform has a later release of the same buildpack."""
    folder = space.root / "buildpacks" / BUILDPACK_ID
    (link,) = folder.iterdir()
    link.rename(folder / version)
    order = space.root / "order.toml"
    order.write_text(order.read_text().replace('"1.0.0"', f'"{version}"'))


def build(
    space: Workspace, source: Path, runtimes: tuple[Runtime, ...], done: Measured, name: str
) -> None:
    """One build; what it took and what its image holds."""
    listed = space.root / "releases.json"
    listed.write_text(json.dumps({"format": 1, "releases": [dict(one.entry) for one in runtimes]}))
    settings = {
        "BP_PYTHON_RELEASES": str(listed),
        "BENCH_ARCHIVE": runtimes[-1].archive,
        "PIP_INDEX_URL": done.index,
        "DISABLE_COLLECTSTATIC": "1",
    }
    built = local_platform.create(space, source, settings)
    if built.code:
        raise PlatformError(built.log)
    image = oci_layout.read_image(space.layout, APP_IMAGE)
    sizes = {digest: compressed(image.blob(digest)) for digest in image.layers}
    done.seconds[name] = built.seconds
    done.images[name] = sizes
    done.rest = len(gzip.compress(json.dumps(image.config).encode()))
    if name == "cold":
        places = dict(zip(image.diff_ids, image.layers, strict=True))
        done.named = {
            layer: sizes[places[diff_id]] for layer, diff_id in own_layers(image.labels).items()
        }
        done.named["pip-cache"] = sum(
            compressed(path)
            for path in (space.root / "cache").rglob("*.tar")
            if "pip-cache" in cached_layer(path)
        )
    print(f"  {source.name}, {name}: {built.seconds:.1f} s", flush=True)


def own_layers(labels: Mapping[str, str]) -> dict[str, str]:
    """The buildpack's layers and their digests, unpacked, as the image's label says."""
    metadata = json.loads(labels["io.buildpacks.lifecycle.metadata"])
    (entry,) = metadata["buildpacks"]
    return {name: str(layer["sha"]) for name, layer in entry["layers"].items() if layer.get("sha")}


def cached_layer(path: Path) -> str:
    """The first names in a layer of the cache."""
    with tarfile.open(path) as archive:
        return " ".join(member.name for member in itertools.islice(archive, 20))


def compressed(path: Path) -> int:
    """The bytes of a blob, packed where it is not yet."""
    data = path.read_bytes()
    return len(data) if data[:2] == b"\x1f\x8b" else len(gzip.compress(data, 6))


def entries(
    measured: Mapping[tuple[str, str], Measured],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The apps as fleet.json holds them."""
    for app, share in SHARES.items():
        sides = {side: measured[app, side] for side in ("ours", "plain")}
        yield (
            app,
            {
                "share": share,
                "layers": {side: one.named for side, one in sides.items()},
                "rest": sides["ours"].rest,
                "seconds": {
                    f"{side} {name}": round(seconds, 1)
                    for side, one in sides.items()
                    for name, seconds in one.seconds.items()
                },
            },
        )


def compare(measured: Mapping[tuple[str, str], Measured]) -> int:
    """Print what the simulation says of one app beside the builds; 1 where they differ."""
    apps = fleet.read_apps(json.loads(fleet.FIGURES.read_text()))
    one = fleet.Fleet(apps=1, versions=1)
    worst = 0.0
    print("| app | model | build | layers pushed, simulated | measured |\n|---|---|---|---|---|")
    for app in apps:
        alone = fleet.App(name=app.name, share=1, layers=app.layers, rest=0, seconds=app.seconds)
        for model, side in ((fleet.OURS, "ours"), (fleet.KEYED, "plain")):
            found = measured[app.name, side]
            builds = {
                fleet.Event.RELEASE: found.new_bytes("release", "cold"),
                fleet.Event.PATCH: found.new_bytes("patch", "release"),
            }
            for event, real in builds.items():
                said = fleet.simulate(model, event, (alone,), one).pushed
                worst = max(worst, abs(said - real) / max(real, said, 1e6))
                print(
                    f"| {app.name} | {model.name} | {event.value} | {said / 1e6:.2f} MB "
                    f"| {real / 1e6:.2f} MB |"
                )
    first, second = (measured[app, "ours"].images["cold"] for app in list(SHARES)[:2])
    shared = sum(size for digest, size in first.items() if digest in second)
    runtime = measured[next(iter(SHARES)), "ours"].named["python"]
    print(
        f"\nTwo apps share {shared / 1e6:.2f} MB of layers; the simulation says at least the "
        f"runtime, {runtime / 1e6:.2f} MB.\nLargest difference: {worst:.1%}"
    )
    return 0 if worst <= TOLERANCE and shared >= runtime else 1


if __name__ == "__main__":
    sys.exit(main())
