"""What the exec.d program tells the launcher, from files of cgroup v1 and v2 and the environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cnb.toml import read_toml
from python_buildpack.in_image import launch_variables
from python_buildpack.in_image.launch_variables import (
    cpu_limit,
    groups,
    memory_limit,
    toml,
    variables,
    workers,
)

MIB = 1024 * 1024
V1_NONE = "9223372036854771712\n"
V1_OWN = "5:memory:/\n4:cpu,cpuacct:/\n"

# files, /proc/self/cgroup, CPUs of the machine -> memory in MiB, CPUs, workers
CASES: dict[str, tuple[dict[str, str], str, int, tuple[int | None, float | None, int]]] = {
    "nothing at all": ({}, "", 4, (None, None, 9)),
    "no limits, many CPUs": ({}, "0::/\n", 64, (None, None, 12)),
    "v2, no limits": (
        {"memory.max": "max\n", "cpu.max": "max 100000\n"}, "0::/\n", 64, (None, None, 12)),
    "v2, 500m of 64 CPUs": (
        {"memory.max": "max\n", "cpu.max": "50000 100000\n"}, "0::/\n", 64, (None, 0.5, 2)),
    "v2, 100m": ({"cpu.max": "10000 100000\n"}, "0::/\n", 64, (None, 0.1, 1)),
    "v2, 250m and 4 GiB": (
        {"memory.max": str(4096 * MIB), "cpu.max": "25000 100000\n"}, "0::/\n", 64,
        (4096, 0.25, 1)),
    "v2, 1.5 CPUs": ({"cpu.max": "150000 100000\n"}, "0::/\n", 8, (None, 1.5, 4)),
    "v2, another period": ({"cpu.max": "400000 200000\n"}, "0::/\n", 8, (None, 2.0, 5)),
    "v2, no period": ({"cpu.max": "200000\n"}, "0::/\n", 8, (None, 2.0, 5)),
    "v2, more quota than CPUs": ({"cpu.max": "800000 100000\n"}, "0::/\n", 2, (None, 8.0, 5)),
    "v2, 512 MiB": ({"memory.max": str(512 * MIB)}, "0::/\n", 64, (512, None, 2)),
    "v2, 1 GiB and one CPU": (
        {"memory.max": str(1024 * MIB), "cpu.max": "100000 100000\n"}, "0::/\n", 64,
        (1024, 1.0, 3)),
    "v2, 100 MiB": ({"memory.max": str(100 * MIB)}, "0::/\n", 4, (100, None, 1)),
    "v2, the host's tree": (
        {"a/b/memory.max": str(512 * MIB), "a/b/cpu.max": "max 100000",
         "a/memory.max": "max", "a/cpu.max": "50000 100000"},
        "0::/a/b\n", 64, (512, 0.5, 2)),
    "v2, the host's tree, a stricter parent": (
        {"a/b/memory.max": str(1024 * MIB), "a/memory.max": str(256 * MIB)},
        "0::/a/b\n", 64, (256, None, 1)),
    "v2, a path that is not below the root": (
        {"memory.max": str(512 * MIB)}, "0::/../../a\n", 64, (512, None, 2)),
    "v1, no limits": (
        {"memory/memory.limit_in_bytes": V1_NONE, "cpu/cpu.cfs_quota_us": "-1\n",
         "cpu/cpu.cfs_period_us": "100000\n"}, V1_OWN, 64, (None, None, 12)),
    "v1, 500m of 64 CPUs": (
        {"memory/memory.limit_in_bytes": V1_NONE, "cpu/cpu.cfs_quota_us": "50000\n",
         "cpu/cpu.cfs_period_us": "100000\n"}, V1_OWN, 64, (None, 0.5, 2)),
    "v1, both controllers in one place": (
        {"memory/memory.limit_in_bytes": str(768 * MIB),
         "cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
         "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, V1_OWN, 64, (768, 2.0, 3)),
    "v1, the other order": (
        {"cpuacct,cpu/cpu.cfs_quota_us": "100000\n", "cpuacct,cpu/cpu.cfs_period_us": "100000\n"},
        "4:cpuacct,cpu:/\n", 64, (None, 1.0, 3)),
    "v1, the container's own root": (
        {"memory/memory.limit_in_bytes": str(512 * MIB)},
        "5:memory:/docker/abc\n", 64, (512, None, 2)),
    "v1, the host's tree": (
        {"memory/memory.limit_in_bytes": V1_NONE,
         "memory/docker/abc/memory.limit_in_bytes": str(512 * MIB),
         "cpu/docker/abc/cpu.cfs_quota_us": "50000",
         "cpu/docker/abc/cpu.cfs_period_us": "100000"},
        "5:memory:/docker/abc\n4:cpu:/docker/abc\n", 64, (512, 0.5, 2)),
    "nonsense": (
        {"memory.max": "\ufffd many\n", "cpu.max": "1 0 -\n", "cpu/cpu.cfs_quota_us": "²\n"},
        "garbage\n0:\n::\n", 2, (None, None, 5)),
    "absurd numbers": (
        {"memory.max": "9" * 400, "cpu.max": "0 100000"}, "0::/\n", 2, (None, None, 5)),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_limits(tmp_path: Path, what: str) -> None:
    """The strictest limit counts; fractions of a CPU do; no limit is no huge number."""
    files, membership, cpus, (memory, quota, count) = CASES[what]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    places = groups(str(tmp_path), membership)
    found = memory_limit(places)
    assert (found and found // MIB) == memory
    assert cpu_limit(places) == quota
    assert workers(found, quota, cpus) == count
    expected = {"WEB_CONCURRENCY": str(count)}
    if memory is not None:
        expected["DYNO_RAM"] = str(memory)
    assert variables({}, places, cpus, alchemy=False) == expected


URLS = [
    ({"DATABASE_URL": "postgres://u:p@h/d"}, {"DATABASE_ALCHEMY_URL": "postgresql://u:p@h/d"}),
    ({"DATABASE_URL": "postgresql://h/d"}, {"DATABASE_ALCHEMY_URL": "postgresql://h/d"}),
    ({"DATABASE_URL": "mysql://h/postgres://"}, {"DATABASE_ALCHEMY_URL": "mysql://h/postgres://"}),
    (
        {"SCALINGO_POSTGRESQL_URL": "postgres://h/d?sslmode=prefer"},
        {"SCALINGO_POSTGRESQL_ALCHEMY_URL": "postgresql://h/d?sslmode=prefer"},
    ),
    ({"DATABASE_URL": "postgres://h/d", "DATABASE_ALCHEMY_URL": "mine"}, {}),
    ({"DATABASE_URL": ""}, {}),
    ({}, {}),
]


@pytest.mark.parametrize(("environ", "urls"), URLS)
def test_urls_for_sqlalchemy(environ: dict[str, str], urls: dict[str, str]) -> None:
    """`postgres://` is `postgresql://` to SQLAlchemy; only where it is installed."""
    environ = {**environ, "WEB_CONCURRENCY": "3"}
    places = groups("/nowhere", "")
    assert variables(environ, places, 2, alchemy=True) == urls
    assert variables(environ, places, 2, alchemy=False) == {}


def test_what_is_set_stays(tmp_path: Path) -> None:
    """Each of them; an empty value is none."""
    (tmp_path / "memory.max").write_text(str(512 * MIB))
    places = groups(str(tmp_path), "")
    assert variables({"WEB_CONCURRENCY": "7", "DYNO_RAM": "9"}, places, 2, alchemy=True) == {}
    assert variables({"WEB_CONCURRENCY": ""}, places, 2, alchemy=False) == {
        "WEB_CONCURRENCY": "2",
        "DYNO_RAM": "512",
    }


def test_answer_is_toml(tmp_path: Path) -> None:
    """Any text survives; what is no UTF-8 is left out."""
    values = {"A": 'quote " and \\ and \n\t\x7f\x01 and é', "B": "", "C": "last"}
    (tmp_path / "answer").write_bytes(toml({**values, "D": "\udcff"}))
    assert read_toml(tmp_path / "answer") == values


def test_program(tmp_path: Path) -> None:
    """As the launcher runs it: no shell, an answer on descriptor 3, few modules imported."""
    (tmp_path / "exec.d").mkdir()
    (tmp_path / "lib" / "python3" / "site-packages" / "sqlalchemy").mkdir(parents=True)
    program = tmp_path / "exec.d" / "launch-variables"
    program.write_bytes(launch_variables.exec_d_script(sys.executable))
    program.chmod(0o755)
    answer = tmp_path / "answer"
    subprocess.run(
        ["sh", "-c", '"$1" 3>"$2"', "sh", program, answer],
        env={"DATABASE_URL": "postgres://h/d", "PYTHONHOME": "/nowhere"},
        check=True,
    )
    told = read_toml(answer)
    assert int(told["WEB_CONCURRENCY"]) >= 1
    assert told["DATABASE_ALCHEMY_URL"] == "postgresql://h/d"
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); "
        "import python_buildpack.in_image.launch_variables; print(*sorted(set(sys.modules) - before))"
    )
    source = str(Path(launch_variables.__file__).parent.parent.parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, source],
        capture_output=True,
        text=True,
        check=True,
    )
    # Python itself holds these: nothing is read from the disk.
    frozen = {"os", "os.path", "stat", "_stat", "posixpath", "genericpath", "_collections_abc"}
    found = {name for name in done.stdout.split() if not name.startswith("python_buildpack")}
    assert found <= frozen | {"__future__"}
