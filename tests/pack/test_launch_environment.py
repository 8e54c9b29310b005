"""The environment of processes in a container of a run image without a shell: one image for all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pack.conftest import Pack, remove_image
from tests.pack.test_pack import container, get, inspect

import builder
from python_buildpack.launch.environment import launch_environment

APP = """
import json, os
import nltk

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    facts = {
        "environment": dict(os.environ),
        "uid": os.getuid(),
        "data": nltk.data.find("corpora/tiny").path,
    }
    return [json.dumps(facts).encode()]
"""
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
LAUNCHER = "/cnb/lifecycle/launcher"
VENV = "/layers/pycnb_python/venv"
# Every default of the launch environment -> its value where nothing is set.
DEFAULTS = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONFAULTHANDLER": "1",
    "LANG": "C.UTF-8",
    "VIRTUAL_ENV": VENV,
    "PORT": "8080",
    "GUNICORN_CMD_ARGS": "--access-logfile - --worker-tmp-dir /dev/shm --no-control-socket",
    "FORWARDED_ALLOW_IPS": "*",
    "NLTK_DATA": "/layers/pycnb_python/nltk-data/data",
}
# What exec.d computes where these are set, and the value without limits.
COMPUTED = {
    "WEB_CONCURRENCY": str(min(12, 2 * len(os.sched_getaffinity(0)) + 1)),
    "DATABASE_ALCHEMY_URL": "postgresql://user:pass@db/name",
    "SCALINGO_POSTGRESQL_ALCHEMY_URL": "postgresql://user:pass@db/other",
}
URLS = (
    "DATABASE_URL=postgres://user:pass@db/name",
    "SCALINGO_POSTGRESQL_URL=postgres://user:pass@db/other",
)


@pytest.fixture(scope="module")
def launched(platform: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with gunicorn, SQLAlchemy and NLTK's data, on a run image without a shell."""
    app = tmp_path_factory.mktemp("app")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("tiny/words.txt", "one\n")
    (app / "nltk").mkdir()
    (app / "nltk" / "tiny.zip").write_bytes(data.getvalue())
    (app / "nltk" / "index.xml").write_text(
        '<nltk_data><packages><package id="tiny" subdir="corpora" url="tiny.zip" '
        f'sha256_checksum="{hashlib.sha256(data.getvalue()).hexdigest()}"/></packages></nltk_data>'
    )
    (app / "nltk.txt").write_text("tiny\n")
    (app / "requirements.txt").write_text("gunicorn>=25.1\nsqlalchemy\nnltk\n")
    (app / "app.py").write_text(APP)
    # A variable, so that the launch wrapper starts it.
    (app / "Procfile").write_text("web: gunicorn --bind 0.0.0.0:${PORT} app:app\n")
    image = f"pycnb/test-environment-{os.getpid()}"
    platform.build(
        image,
        app,
        {"BP_NLTK_INDEX": "nltk/index.xml"},
        run_image=builder.ensure_shell_less(platform.docker),
    )
    yield image
    remove_image(platform.docker, image)


def environment(platform: Pack, image: str, *options: str) -> dict[str, str]:
    """What a process sees that the real launcher starts in a read-only container."""
    done = platform.docker.run(
        "run", "--rm", "--read-only", "--cap-drop", "ALL", *options, "--entrypoint", LAUNCHER,
        image, "--", "python", "-c", SHOW,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def test_it_has_no_shell(platform: Pack, launched: str) -> None:
    """None of them is there: what follows runs without."""
    for shell in ("/bin/sh", "/bin/bash", "/bin/dash"):
        done = platform.docker.run("run", "--rm", "--entrypoint", shell, launched, check=False)
        assert done.returncode == 127


def test_the_app_answers(platform: Pack, launched: str) -> None:
    """Read-only, as user 1000 and as one that nobody knows: wrapper, exec.d and the app run."""
    assert inspect(platform, launched)["Config"]["User"].split(":")[0] == "1000"
    with container(platform, launched, "--env", "WEB_CONCURRENCY=1") as (identity, url):
        facts = json.loads(get(platform, identity, f"{url}/"))
    assert facts["uid"] == 1000
    assert facts["data"] == "/layers/pycnb_python/nltk-data/data/corpora/tiny"
    assert facts["environment"]["WEB_CONCURRENCY"] == "1"
    seen = environment(platform, launched, "--user", "123456:0")
    assert seen["WEB_CONCURRENCY"] == COMPUTED["WEB_CONCURRENCY"]


def test_table_of_defaults_is_complete() -> None:
    """A default that is added to the code wants its row here."""
    files = launch_environment(VENV, "/workspace", "25.1")
    assert {f.name for f in files if f.action == "default"} == set(DEFAULTS) - {"NLTK_DATA"}
    assert {f.name for f in files if f.action != "default"} == {"PYTHONPATH"}


def test_defaults(platform: Pack, launched: str) -> None:
    """What is set where the user sets nothing."""
    options = [word for url in URLS for word in ("--env", url)]
    seen = environment(platform, launched, *options)
    assert {name: seen.get(name) for name in DEFAULTS} == DEFAULTS
    assert {name: seen.get(name) for name in COMPUTED} == COMPUTED
    assert seen["PYTHONPATH"] == "/workspace"
    assert seen["PATH"].startswith(f"{VENV}/bin:/layers/pycnb_python/python/bin:")


def test_the_user_decides(platform: Pack, launched: str) -> None:
    """Each of them, set by `-e`, is what the app sees; to paths the image's own are added."""
    mine = {name: f"mine-{name}" for name in (*DEFAULTS, *COMPUTED, "DYNO_RAM")}
    mine["PYTHONUNBUFFERED"] = "x"
    given = {**mine, "PATH": "/mine", "PYTHONPATH": "/mine"}
    options = [word for pair in given.items() for word in ("--env", "=".join(pair))]
    options += [word for url in URLS for word in ("--env", url)]
    seen = environment(platform, launched, "--memory", "512m", *options)
    assert {name: seen.get(name) for name in mine} == mine
    assert seen["PYTHONPATH"] == "/mine:/workspace"
    assert seen["PATH"].split(":")[-1] == "/mine"


LIMITS = [
    (("--memory", "512m", "--cpus", "0.5"), "2", "512"),
    (("--memory", "300m", "--cpus", "2"), "1", "300"),
    (("--memory", "1g", "--cpus", "1"), "3", "1024"),
    (("--cpus", "0.5"), "2", None),
    (("--cpus", "0.25"), "1", None),
]


@pytest.mark.parametrize(("options", "count", "memory"), LIMITS)
def test_limits(
    platform: Pack, launched: str, options: tuple[str, ...], count: str, memory: str | None
) -> None:
    """Workers and memory as `docker run` limits them."""
    seen = environment(platform, launched, *options)
    assert (seen["WEB_CONCURRENCY"], seen.get("DYNO_RAM")) == (count, memory)


def test_the_app_is_importable(platform: Pack, launched: str) -> None:
    """From any directory, as `python -m` in the app's root would have it."""
    done = platform.docker.run(
        "run", "--rm", "--workdir", "/", "--entrypoint", "launcher", launched, "--",
        "python", "-c", "import app; print(app.__file__)",
    )  # fmt: skip
    assert Path(done.stdout.strip()) == Path("/workspace/app.py")
