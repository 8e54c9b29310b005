"""An example of every framework starts in a container from the run image, and answers.

Those of one image are installed at once: each further example is a rebuild in which only the code
changed. Streamlit and Gradio, with pandas and more, have an image of their own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lifecycle.debug_client import DebugClient
from tests.pack.conftest import EXAMPLES, Pack, remove_image
from tests.pack.test_pack import container, get
from tests.unit.test_processes import STREAMLIT_OPTIONS

from local_platform import free_port

ASGI_WORKER = "gunicorn --worker-class uvicorn_worker.UvicornWorker"
MORE = ("uvicorn-worker", "debugpy")


@dataclass(frozen=True)
class Framework:
    """An example, what must be inferred for it, and a page with what it shows."""

    example: str
    command: str
    shows: str
    path: str = "/"
    image: str = "light"


FRAMEWORKS = (
    Framework("streamlit", f"streamlit run streamlit_app.py {STREAMLIT_OPTIONS}", "ok",
              "/_stcore/health", image="heavy"),
    Framework("gradio", "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=${PORT} python app.py",
              "Hello from Gradio", image="heavy"),
    Framework("django", "gunicorn website.wsgi:application", "Hello from Django"),
    Framework("django, ASGI", f"{ASGI_WORKER} website.asgi:application", "Hello from Django"),
    Framework("flask", "gunicorn app:app", "Hello from Flask"),
    Framework("fastapi", f"{ASGI_WORKER} main:app", "Hello from FastAPI"),
    Framework("starlette", f"{ASGI_WORKER} app:app", "Hello from Starlette"),
    Framework("litestar", f"{ASGI_WORKER} app:app", "Hello from Litestar"),
    Framework("quart", f"{ASGI_WORKER} app:app", "Hello from Quart"),
)  # fmt: skip


@pytest.fixture(scope="module")
def shared_images(platform: Pack) -> Iterator[dict[str, str]]:
    """The images' names, so that each build reuses the layers of the one before."""
    names = {kind: f"pycnb/test-{kind}-{free_port()}" for kind in ("light", "heavy")}
    yield names
    for name in names.values():
        remove_image(platform.docker, name)


def write_app(framework: Framework, app: Path) -> None:
    """The example's code, with the requirements of all that share its image."""
    folder, _, asgi = framework.example.partition(", ")
    shutil.copytree(EXAMPLES / folder, app)
    if asgi:
        settings = (app / "website" / "settings.py").read_text()
        (app / "website" / "settings.py").write_text(
            f'{settings}\nASGI_APPLICATION = "website.asgi.application"\n'
        )
        (app / "website" / "asgi.py").write_text(
            'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")\n'
            "from django.core.asgi import get_asgi_application\n\n"
            "application = get_asgi_application()\n"
        )
    requirements = {
        line
        for one in FRAMEWORKS
        if one.image == framework.image
        and (path := EXAMPLES / one.example / "requirements.txt").exists()
        for line in path.read_text().splitlines()
    }
    (app / "requirements.txt").write_text("\n".join(sorted({*requirements, *MORE, ""})))


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.example)
def test_framework_answers(
    platform: Pack, shared_images: dict[str, str], framework: Framework, tmp_path: Path
) -> None:
    """The inferred process listens on the port that the test chose, read-only and as non-root.

    Every module that it imports comes from byte code, the app's own too.
    """
    image = shared_images[framework.image]
    first = platform.docker.run("image", "inspect", image, check=False).returncode != 0
    write_app(framework, tmp_path / "app")
    # uv alone: pip, asked about pre-releases that Streamlit mentions, would install all of it again.
    log = platform.build(image, tmp_path / "app", {"BP_PIP_INSTALLER": "uv"})
    assert f"web (default): {framework.command}\n" in log
    if not first:
        reused = re.findall(r"Reusing layer 'pycnb/python:([\w-]+)'", log)
        assert sorted(reused) == ["python", "venv"]
    # Scripts keep uploads and caches in /tmp.
    with container(
        platform, image, "--env", "WEB_CONCURRENCY=1", "--env", "PYTHONVERBOSE=1",
        "--tmpfs", "/tmp",
    ) as (identity, url):  # fmt: skip
        assert framework.shows in get(platform, identity, f"{url}{framework.path}")
        logs = platform.docker.run("logs", identity)
    # With PYTHONVERBOSE, Python says of each module which file its code comes from.
    loaded = re.findall(r"^# code object from '?([^'\n]+)", logs.stdout + logs.stderr, re.M)
    assert len(loaded) > 200
    assert [path for path in loaded if path.endswith(".py")] == []
    # What is started by its path is no module.
    assert framework.image == "heavy" or any("/workspace/" in path for path in loaded)


def test_debugger_in_a_container(platform: Pack, shared_images: dict[str, str]) -> None:
    """The image of the last example listens for a debugger when it is asked to at launch."""
    port = free_port()
    with container(
        platform, shared_images["light"], "--env", "BPL_DEBUG_ENABLED=true", "--env",
        f"BPL_DEBUG_PORT={port}", "--env", "WEB_CONCURRENCY=1",
    ) as (identity, url):  # fmt: skip
        assert get(platform, identity, f"{url}/") == "Hello from Quart\n"
        client = DebugClient(port)
        client.attach("/workspace/app.py", 14, justMyCode=False)
        assert client.event("debugpyAttach")["subProcessId"]
        client.close()
