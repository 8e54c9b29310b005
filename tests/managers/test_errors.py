"""Every error, provoked through bin/build: its exit code, its text, its id."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.managers.conftest import Builder, plain_environment, write_files
from tests.managers.provocations import PROVOKED, write
from tests.managers.simple_index import SimpleIndex

from error_docs import OUT


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return both


def lacking(buildpack: Path, parts: tuple[str, ...], target: Path) -> Path:
    """A copy of the buildpack (links to its files) without these parts."""
    subprocess.run(["cp", "-al", buildpack, target], check=True)
    for part in parts:
        shutil.rmtree(target / part)
    return target


@pytest.mark.parametrize("id", PROVOKED)
def test_error(
    id: str,
    build: Builder,
    app: Path,
    workplace: Path,
    buildpack: Path,
    index: SimpleIndex,
    other_index: SimpleIndex,
    self_signed: Path,
) -> None:
    """Exit code 1; the id, a title and a text; a traceback for faults of the buildpack only."""
    provocation = PROVOKED[id]
    for one in provocation.served:
        index.add(write(one, workplace / "wheels"))
    with SimpleIndex(certificate=self_signed) as tls:
        places = {
            "{app}": str(app),
            "{index}": index.url.removesuffix("simple/"),
            "{closed}": other_index.url,
            "{tls}": tls.url.removesuffix("/simple/"),
        }

        def filled(text: str) -> str:
            for name, place in places.items():
                text = text.replace(name, place)
            return text

        for name, content in provocation.files.items():
            path = app / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else filled(content).encode())
        for name, mode in provocation.modes.items():
            (app / name).chmod(mode)
        (workplace / "plan.toml").write_text(provocation.plan)
        variables = {"PIP_INDEX_URL": index.url, "PIP_RETRIES": "0"}
        variables |= {name: filled(text) for name, text in provocation.variables.items()}
        if provocation.without:
            part = lacking(buildpack, tuple(provocation.without), workplace / "buildpack")
            variables |= {"CNB_BUILDPACK_DIR": str(part)}
            built = build(app, program=part / "bin" / "build", **variables)
        else:
            built = build(app, **variables)
    assert built.code == 1, built.log
    error = built.log.rpartition(" !     Error: ")[2].splitlines()
    assert error[-1] == f" !     [{id}]", built.log
    assert error[0].strip()
    assert len(error) > 3, built.log
    assert provocation.words in built.log
    assert ("Traceback" in built.log) == (id == "internal-error"), built.log
    assert f"## `{id}`" in OUT.read_text(encoding="utf-8")


def test_a_binding_that_cannot_be_read(build: Builder, app: Path, workplace: Path) -> None:
    """Not ignored, and no fault of the buildpack: `binding-unreadable`."""
    write_files(app, {"main.py": ""})
    (workplace / "platform" / "bindings" / "index").mkdir(parents=True)
    (workplace / "platform" / "bindings" / "index" / "type").symlink_to("type")
    build(app).failed("binding-unreadable", "Too many levels", "index/type")


def test_a_full_disk(buildpack: Path, app: Path, workplace: Path) -> None:
    """A runtime that does not fit on the layers' disk: `disk-full`."""
    layers = workplace / "layers"
    layers.mkdir()
    write_files(app, {"main.py": ""})
    write_files(workplace, {"plan.toml": ""})
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(layers)], check=True)
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
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        subprocess.run(["umount", str(layers)], check=True)
    assert done.returncode == 1
    assert "[disk-full]" in done.stdout, done.stdout
    assert "Traceback" not in done.stdout


def test_a_disk_full_of_byte_code(build: Builder, app: Path) -> None:
    """The app's byte code does not fit: `disk-full`, and no half of it is left."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(app)], check=True)
    try:
        write_files(app, {"main.py": "".join(f"f{n} = [{n}]\n" for n in range(4000))})
        built = build(app)
        left = list(app.rglob("__pycache__/*"))
    finally:
        subprocess.run(["umount", str(app)], check=True)
    assert (built.code, left) == (1, [])
    assert "[disk-full]" in built.log, built.log
