"""Measure the buildpack against the plain recipe, both through the real lifecycle, in one run.

Both build the same apps with the same lifecycle into the same registry, from the same index and
host of runtimes, all on loopback. They alternate, and every figure is a median over the rounds.
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.managers.simple_index import SimpleIndex

import bench_host
import local_platform
import package
import runtime_archive
from bench_app import ADDED, OTHER_PLATFORMS, SOURCES, App, named, poetry_lock
from bench_host import Registry, Runtimes
from bench_memory import peak_memory
from go_tools import GoToolError
from host_python import NoPython, find_host_python
from lifecycle import ensure_lifecycle
from local_platform import PlatformError, Workspace

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benchmarks" / "baseline"
BUILDER = 1000
DETECT_RUNS = 41
START_RUNS = 25
WORKERS = "1"
PHASES = ("Analyzer", "Detector", "Restorer", "Builder", "Exporter")
OURS, PLAIN = "ours", "plain"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What an app is like in a case: they follow one another, each starts from the one before.

    `start`: nothing is left of earlier builds. `patch`: which of the two releases of Python.
    """

    name: str
    code: int
    added: bool
    patch: int
    collects: bool = False


CASES = (
    Case(name="cold", code=1, added=False, patch=0),
    Case(name="no change", code=1, added=False, patch=0),
    Case(name="only code changed", code=2, added=False, patch=0),
    Case(name="one requirement added", code=2, added=True, patch=0),
    Case(name="Python patch update", code=2, added=True, patch=1),
    Case(name="collectstatic rebuild", code=3, added=True, patch=1, collects=True),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One build. `step`: seconds of the buildpack's own build step, as it prints them; `packages`:
    of them, those of the packages' step.

    `downloaded` and `pushed` are bytes, `cached` the size of the cache afterwards; `written`:
    how many of the directories `python` and `venv` were there to be exported.
    """

    seconds: float
    phases: Mapping[str, float]
    step: float | None
    packages: float | None
    downloaded: int
    pushed: int
    cached: int
    written: int
    memory: int


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all builds share."""

    work: Path
    index: SimpleIndex
    registry: Registry
    runtimes: Runtimes
    binaries: Path
    buildpacks: Mapping[str, tuple[Path, str]]
    python: str

    def poetry(self) -> Path:
        """Poetry's command."""
        uv = self.buildpacks[OURS][0] / "uv" / "uv"
        return bench_host.poetry(uv, self.python, ROOT / "requirements")

    def side(self, name: str, key: str) -> tuple[Workspace, str]:
        """A new platform with an empty cache for `ours` or `plain`, and the image's name."""
        root = self.work / f"{name}-{key}"
        root.mkdir()
        root.chmod(0o755)
        buildpack, version = self.buildpacks[name]
        user = BUILDER if os.getuid() == 0 else None
        return local_platform.prepare(root, buildpack, version, self.binaries, user), root.name

    def build(
        self, space: Workspace, image: str, source: Path, case: Case, *, memory: bool
    ) -> Sample:
        """One build of `source`, measured from the start of `creator` to its end."""
        settings = {
            "PIP_INDEX_URL": self.index.url,
            "BP_PYTHON_RELEASES": str(self.runtimes.lists[case.patch]),
            "BENCH_ARCHIVE": self.runtimes.archives[case.patch],
            **({} if case.collects else {"DISABLE_COLLECTSTATIC": "1"}),
        }
        sent, stored = self.index.sent, self.registry.stored()
        os.sync()  # what the build before left to be written is not this one's
        with peak_memory("bin/build", active=memory) as peak:
            # At level debug the lifecycle says how long each phase ran.
            target = ["-log-level", "debug", *self.registry.target(image)]
            done = local_platform.create(space, source, settings, target)
        if done.code:
            raise PlatformError(done.log)
        step = re.search(r"Python buildpack done in ([\d.]+) s", done.log)
        packages = re.search(r"-> Packages\n(?:(?!-----).*\n)*? +took ([\d.]+) s", done.log)
        return Sample(
            seconds=done.seconds,
            phases={name: phase_seconds(done.log, name) for name in PHASES},
            step=float(step[1]) if step else None,
            packages=float(packages[1]) if packages else None,
            downloaded=self.index.sent - sent,
            pushed=self.registry.stored() - stored,
            cached=sum(p.stat().st_size for p in (space.root / "cache").rglob("*") if p.is_file()),
            written=sum((space.buildpack_layers / name).is_dir() for name in ("python", "venv")),
            memory=peak.bytes,
        )


def phase_seconds(log: str, phase: str) -> float:
    """How long a phase of the lifecycle ran, as it says."""
    found = re.search(rf"{phase} ran for (?:(\d+)m)?([\d.]+)(µs|ms|s)", log)
    if found is None:
        return 0.0
    scale = {"µs": 1e-6, "ms": 1e-3, "s": 1}[found[3]]
    return 60 * int(found[1] or 0) + float(found[2]) * scale


Samples = dict[tuple[str, str, str], list[Sample]]


def run_round(
    bench: Bench, number: int, app: App, cases: Sequence[Case], samples: Samples, *, memory: bool
) -> None:
    """All cases of one app, once, by both sides; which builds first changes by round."""
    order = (OURS, PLAIN) if number % 2 == 0 else (PLAIN, OURS)
    sides = {name: bench.side(name, f"{app.name}-{number}") for name in order}
    for case in cases:
        if case.collects and not app.collects:
            continue
        for name in order:
            space, image = sides[name]
            source = bench.work / "source"
            if case.collects:  # the build before collected, too
                app.write(source, plain=name == PLAIN, code=case.code - 1, added=case.added)
                bench.build(space, image, source, case, memory=False)
            app.write(source, plain=name == PLAIN, code=case.code, added=case.added)
            sample = bench.build(space, image, source, case, memory=memory)
            samples.setdefault((app.name, case.name, name), []).append(sample)
            print(f"  {number + 1} {app.name}, {case.name}, {name}: {shown(sample)}", flush=True)
    for space, _ in sides.values():
        shutil.rmtree(space.root, ignore_errors=True)


def shown(sample: Sample) -> str:
    """A sample in one line."""
    return (
        f"{sample.seconds:.2f} s ("
        + ", ".join(f"{name} {seconds:.2f}" for name, seconds in sample.phases.items())
        + (f", step {sample.step:.2f}" if sample.step is not None else "")
        + f"), downloaded {mb(sample.downloaded)}, pushed {mb(sample.pushed)}, "
        + f"cache {mb(sample.cached)}"
        + (f", memory {mb(sample.memory)}" if sample.memory else "")
    )


def mb(size: float) -> str:
    """Bytes as megabytes: 0 only where it is nothing."""
    return "0" if size == 0 else f"{size / 1e6:.1f} MB"


def median(samples: Sequence[Sample], name: str) -> float:
    """The median of one field."""
    return float(statistics.median(getattr(sample, name) for sample in samples))


def detect_times(bench: Bench, app: Path) -> tuple[float, float]:
    """Medians of bin/detect and of the bare interpreter's start, in seconds, alternating."""
    buildpack, _ = bench.buildpacks[OURS]
    python = next((buildpack / "runtime" / "cpython" / "bin").glob("python3.*[0-9]"))
    environ = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "CNB_BUILDPACK_DIR": str(buildpack),
        "CNB_BUILD_PLAN_PATH": str(bench.work / "plan.toml"),
    }
    times: dict[str, list[float]] = {"detect": [], "bare": []}
    commands: dict[str, list[str | Path]] = {
        "detect": [buildpack / "bin" / "detect"],
        "bare": [python, "-I", "-c", "pass"],
    }
    for _ in range(DETECT_RUNS):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=app, env=environ, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - started)
    return statistics.median(times["detect"]), statistics.median(times["bare"])


def start_times(bench: Bench, app: App, python: str) -> tuple[float, float]:
    """Medians from the start of `web` to its first answer: by the launcher in what the buildpack
    made, and by a shell in a plain virtual environment; in seconds, alternating.

    Both start as many workers: otherwise the launcher's, one for each CPU and more, would load
    the app at the same time, beside one alone.
    """
    source = bench.work / "start"
    app.write(source, plain=True, code=1, added=False)
    space, image = bench.side(OURS, "start")
    bench.build(space, image, source, CASES[0], memory=False)
    plain = bench.work / "start-plain"
    subprocess.run([python, "-m", "venv", plain], check=True)
    subprocess.run(
        [
            plain / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check",
            "--index-url", bench.index.url, "-r", source / "requirements.txt",
        ],
        check=True,
    )  # fmt: skip
    command = (source / "Procfile").read_text().partition("web:")[2].splitlines()[0]
    times: dict[str, list[float]] = {OURS: [], PLAIN: []}
    for name in (OURS, PLAIN) * START_RUNS:
        port = local_platform.free_port()
        workers = {"WEB_CONCURRENCY": WORKERS}
        before = time.perf_counter()
        if name == OURS:
            process = local_platform.started(space, port, variables=workers)
        else:
            environ = {**local_platform.launch_environment(space, port), **workers}
            environ["PATH"] = f"{plain}/bin:{environ['PATH']}"
            process = local_platform.running(["sh", "-c", command], environ, source)
        with process as one:
            local_platform.get(f"http://127.0.0.1:{port}/", one, pause=0.002)
            times[name].append(time.perf_counter() - before)
    return statistics.median(times[OURS]), statistics.median(times[PLAIN])


def poetry_times(bench: Bench, app: App, runs: int) -> list[float]:
    """Seconds that Poetry takes to install the app's lock with nothing kept, compileall included."""
    times = []
    for number in range(runs):
        folder = bench.work / f"poetry-install-{number}"
        app.write(folder, plain=False, code=1, added=False)
        environ = {
            **os.environ,
            "POETRY_CACHE_DIR": str(folder / "poetry-cache"),
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        }
        commands: list[list[str | Path]] = [
            [bench.poetry(), "install", "--no-interaction", "--quiet"],
            [
                folder / ".venv" / "bin" / "python",
                "-m",
                "compileall",
                "-q",
                folder / ".venv" / "lib",
            ],
        ]
        started = time.perf_counter()
        for command in commands:
            subprocess.run(command, cwd=folder, env=environ, check=True)
        times.append(time.perf_counter() - started)
        shutil.rmtree(folder)
    return times


def layer_sizes(bench: Bench) -> tuple[int, int]:
    """Compressed bytes of the `python` layer and of the untrimmed archive's contents."""
    buildpack, _ = bench.buildpacks[OURS]
    with tempfile.TemporaryDirectory(dir=bench.work) as name:
        folder = Path(name)
        with tarfile.open(bench.runtimes.untrimmed) as archive:
            archive.extractall(folder, filter="fully_trusted")
        return compressed(buildpack / "runtime" / "cpython"), compressed(folder)


def compressed(folder: Path) -> int:
    """Bytes of a directory as a gzipped tar, as the lifecycle would push it."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False)
    return len(buffer.getvalue())


def table(samples: Samples, apps: Sequence[App], cases: Sequence[Case]) -> list[str]:
    """The comparison, in Markdown."""
    lines = [
        "| app | case | plain recipe | this buildpack | ratio | build step | downloaded "
        "(plain) | pushed (plain) | cache (plain) | peak memory (plain) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for app in apps:
        for case in cases:
            ours = samples.get((app.name, case.name, OURS))
            plain = samples.get((app.name, case.name, PLAIN))
            if not ours or not plain:
                continue
            timed = [
                statistics.median(s.seconds for s in side if not s.memory or len(side) == 1)
                for side in (ours, plain)
            ]
            steps = [sample.step for sample in ours if sample.step is not None]
            pairs = " | ".join(
                f"{mb(median(ours, name))} ({mb(median(plain, name))})"
                for name in ("downloaded", "pushed", "cached")
            )
            peaks = [max(sample.memory for sample in side) for side in (ours, plain)]
            lines.append(
                f"| {app.name} | {case.name} | {timed[1]:.2f} s | {timed[0]:.2f} s "
                f"| {timed[1] / timed[0]:.1f} | {statistics.median(steps):.2f} s | {pairs} "
                f"| {mb(peaks[0])} ({mb(peaks[1])}) |"
            )
    return lines


def profile(samples: Samples) -> list[str]:
    """Where the time goes, in Markdown: medians of the lifecycle's phases."""
    lines = [
        f"| app | case | side | {' | '.join(PHASES)} |",
        "|---|---|---" + "|---" * len(PHASES) + "|",
    ]
    for (app, case, side), found in samples.items():
        medians = [statistics.median(sample.phases[name] for sample in found) for name in PHASES]
        cells = " | ".join(f"{seconds:.2f}" for seconds in medians)
        lines.append(f"| {app} | {case} | {side} | {cells} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds (one more: memory)")
    parser.add_argument("--apps", default="flask,django,django-poetry")
    parser.add_argument("--cases", type=int, default=len(CASES), help="only the first so many")
    given = parser.parse_args()
    try:
        run(given.rounds, given.apps.split(","), CASES[: given.cases])
    except (
        PlatformError,
        GoToolError,
        NoPython,
        runtime_archive.ArchiveError,
        package.PackageError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(rounds: int, names: Sequence[str], cases: Sequence[Case]) -> None:
    """Prepare both sides, run the rounds, print the tables."""
    binaries = ensure_lifecycle(print)
    with (
        tempfile.TemporaryDirectory(prefix="pycnb-bench-") as name,
        SimpleIndex() as index,
        bench_host.registry(Path(name)) as registry,
    ):
        work = Path(name)
        work.chmod(0o755)
        print("Packaging the buildpack with this machine's CPython", flush=True)
        buildpack = package.package(runtime_archive.this_arch(), "host", work / "dist")
        packaged = json.loads((buildpack / "runtime" / "release.json").read_text())
        python = find_host_python()
        print("Getting the wheels and packing the runtimes", flush=True)
        requirements = [SOURCES / app / "requirements.txt" for app in ("flask", "django")]
        wheels = bench_host.wheels(requirements, [ADDED, *OTHER_PLATFORMS], packaged["version"])
        index.add(*sorted(wheels.iterdir()))
        own_binaries = work / "lifecycle"
        shutil.copytree(binaries, own_binaries, symlinks=True)
        bench = Bench(
            work=work,
            index=index,
            registry=registry,
            runtimes=bench_host.serve_runtimes(index, python, packaged, work),
            binaries=own_binaries,
            buildpacks={OURS: (buildpack, package.version()), PLAIN: (BASELINE, "0.0.0")},
            python=python,
        )
        chosen = made_apps(bench, names, packaged["version"])
        samples: Samples = {}
        for number in range(rounds + 1):
            for app in chosen:
                run_round(bench, number, app, cases, samples, memory=number == rounds)
        print()
        print("\n".join(table(samples, chosen, cases)))
        print()
        print("\n".join(profile(samples)))
        for app in chosen:
            if app.locks:
                cold = [one.packages or 0.0 for one in samples[app.name, CASES[0].name, OURS]]
                ours_cold = statistics.median(cold[:rounds] or cold)
                poetry = statistics.median(poetry_times(bench, app, max(rounds, 1)))
                print(
                    f"\nThe packages of {app.name}, cold, compiled: {ours_cold:.1f} s; poetry "
                    f"install and compileall {poetry:.1f} s ({ours_cold / poetry:.2f} of it)"
                )
        detect, bare = detect_times(bench, SOURCES / "flask")
        print(
            f"\nDetect: {detect * 1000:.0f} ms; a bare interpreter starts in {bare * 1000:.0f} ms "
            f"({(detect - bare) * 1000:.0f} ms more, {detect / bare:.1f} times)"
        )
        launched, started = start_times(
            bench, App(name="flask", source=SOURCES / "flask", collects=False), python
        )
        print(
            f"Start to first answer: {launched * 1000:.0f} ms by the launcher, "
            f"{started * 1000:.0f} ms in a plain virtual environment "
            f"({(launched - started) * 1000:+.0f} ms)"
        )
        ours, untrimmed = layer_sizes(bench)
        print(
            f"The python layer: {mb(ours)} compressed, byte code included; the untrimmed archive "
            f"{mb(untrimmed)} without any ({ours / untrimmed:.2f} of it). The same of the "
            "published archives: unmeasured, where their host is out of reach."
        )


def made_apps(bench: Bench, names: Sequence[str], version: str) -> tuple[App, ...]:
    """The apps of these names; the Poetry one is locked here and now."""
    count = itertools.count()

    def lock(requirements: str) -> Path:
        folder = bench.work / f"poetry-{next(count)}"
        return poetry_lock(bench.poetry(), bench.index.url, version, requirements, folder)

    return tuple(named(name, lock) for name in names)


if __name__ == "__main__":
    sys.exit(main())
