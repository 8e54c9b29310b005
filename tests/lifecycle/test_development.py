"""For development: a changed file is served without a rebuild, a debugger attaches to the app."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from tests.lifecycle.conftest import EXAMPLES
from tests.lifecycle.debug_client import DebugClient

from local_platform import Workspace, free_port, get, launch_environment, run_builder, started

PAGE = 'value = 6 * 7\n    return "Hello, {}\\n".format(value)'


def app_with(tmp_path: Path, name: str, *requirements: str) -> Path:
    """A copy of an example with more requirements."""
    app = tmp_path / "app"
    shutil.copytree(EXAMPLES / name, app)
    with (app / "requirements.txt").open("a") as file:
        file.write("".join(f"{line}\n" for line in requirements))
    return app


@pytest.mark.parametrize(
    ("name", "module"), [("flask", "app.py"), ("fastapi", "main.py"), ("django", "website/urls.py")]
)
def test_a_changed_file_is_served(space: Workspace, tmp_path: Path, name: str, module: str) -> None:
    """`reload` serves the new text without a rebuild; `web` is still the default."""
    app = app_with(tmp_path, name)
    build = run_builder(space, app, "0.13", {"BP_LIVE_RELOAD_ENABLED": "true"})
    assert build.code == 0, build.log
    assert "reload: " in build.log
    assert "web (default): " in build.log
    port = free_port()
    with started(space, port, "reload") as process:
        before = get(f"http://127.0.0.1:{port}/", process)
        assert before.startswith("Hello from")
        source = space.app / module
        text = source.read_text()
        assert "Hello from" in text
        time.sleep(1.1)  # reloaders look at times, which may be whole seconds
        source.write_text(text.replace("Hello from", "Changed in"))
        deadline = time.monotonic() + 90
        while (page := eventually(port)) == before:
            assert time.monotonic() < deadline, "the old page is still served"
            time.sleep(0.2)
    assert page == before.replace("Hello from", "Changed in")


def eventually(port: int) -> str:
    """A page of a server that may be restarting."""
    endless = subprocess.Popen(["sleep", "120"])
    try:
        return get(f"http://127.0.0.1:{port}/", endless)
    finally:
        endless.kill()
        endless.wait()


def test_a_debugger_attaches(space: Workspace, tmp_path: Path) -> None:
    """It stops at a breakpoint in the app's code, in the worker that serves the request."""
    app = app_with(tmp_path, "flask", "debugpy==1.8.17")
    source = app / "app.py"
    source.write_text(source.read_text().replace('return "Hello from Flask\\n"', PAGE))
    line = source.read_text().splitlines().index('    return "Hello, {}\\n".format(value)') + 1
    build = run_builder(space, app, "0.13")
    assert build.code == 0, build.log
    port, debug_port = free_port(), free_port()
    with (tmp_path / "log").open("wb") as output:
        variables = {
            "BPL_DEBUG_ENABLED": "true",
            "BPL_DEBUG_PORT": str(debug_port),
            "WEB_CONCURRENCY": "1",
        }
        with started(space, port, output=output, variables=variables) as process:
            # An answer means that the worker is there.
            assert get(f"http://127.0.0.1:{port}/", process) == "Hello, 42\n"
            master = DebugClient(debug_port)
            master.attach(str(space.app / "app.py"), line, justMyCode=False)
            child = master.event("debugpyAttach")
            worker = DebugClient(debug_port)
            worker.attach(str(space.app / "app.py"), line, subProcessId=child["subProcessId"])
            pages: list[str] = []
            request = threading.Thread(
                target=lambda: pages.append(get(f"http://127.0.0.1:{port}/", process))
            )
            request.start()
            stopped = worker.event("stopped")
            assert stopped["reason"] == "breakpoint"
            frame = worker.ask("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
            assert (frame["line"], Path(frame["source"]["path"]).name) == (line, "app.py")
            found = worker.ask("evaluate", expression="value", frameId=frame["id"])
            assert found["result"] == "42"
            worker.send("continue", threadId=stopped["threadId"])
            request.join(60)
            assert pages == ["Hello, 42\n"]
            worker.close()
            master.close()
    log = (tmp_path / "log").read_text()
    assert log.count(f"debugpy listens on port {debug_port}") == 1


def test_without_the_setting_nothing_listens(space: Workspace, tmp_path: Path) -> None:
    """Unset, the hook imports nothing; a port that is in use does not keep the app from starting."""
    app = app_with(tmp_path, "flask", "debugpy==1.8.17")
    assert run_builder(space, app, "0.13").code == 0
    show = "import sys; print('debugpy' in sys.modules, '_pycnb_debug' in sys.modules)"
    port = free_port()
    environ = launch_environment(space, port)

    def python(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["launcher", "python", "-c", show], executable=space.binaries / "launcher",
            env={**environ, **variables}, cwd=space.app, capture_output=True, text=True, check=True,
        )  # fmt: skip

    for variables in ({}, {"BPL_DEBUG_ENABLED": ""}):
        done = python(**variables)
        assert (done.stdout, done.stderr) == ("False False\n", "")
    assert python(BPL_DEBUG_ENABLED="false").stdout == "False True\n"
    wrong = python(BPL_DEBUG_ENABLED="true", BPL_DEBUG_PORT="web")
    assert "debugpy cannot listen on BPL_DEBUG_PORT=web" in wrong.stderr
    assert wrong.stdout == "True True\n"


def test_without_debugpy_there_is_no_hook(space: Workspace) -> None:
    """An app that does not install debugpy has nothing of it in its image."""
    assert run_builder(space, EXAMPLES / "flask", "0.13").code == 0
    assert not list(space.buildpack_layers.glob("venv/lib/*/site-packages/_pycnb_debug*"))
    assert not list(space.buildpack_layers.glob("venv/**/*debug_hook*"))
