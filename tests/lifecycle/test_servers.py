"""Every server that docs/launch.md lists starts with the documented command, and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.unit.test_processes import servers_table

from local_platform import Workspace, free_port, get, run_builder, started

REQUIREMENTS = (
    *("flask>=3", "starlette>=0.46", "gunicorn>=25", "waitress>=3", "pyuwsgi>=2.0.28"),
    *("granian>=2", "uvicorn>=0.34", "uvicorn-worker>=0.3", "hypercorn>=0.17", "daphne>=4.1"),
)
PAGES = """\
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

wsgi = Flask(__name__)
wsgi.add_url_rule("/", view_func=lambda: "by WSGI")
asgi = Starlette(routes=[Route("/", lambda request: PlainTextResponse("by ASGI"))])
"""


def documented() -> Iterator[tuple[str, str, str]]:
    """A name, an interface and a command for each row of the table."""
    for number, row in enumerate(servers_table().splitlines()[2:]):
        found = re.fullmatch(r"\| (\w+) \| `([\w-]+)`.* \| `([^`]+)` \|", row)
        assert found is not None, row
        yield f"{found[2]}-{number}", found[1].lower(), found[3]


def test_documented_commands_answer(space: Workspace, tmp_path: Path) -> None:
    """As processes of a Procfile, with a port that the test chose."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "requirements.txt").write_text("\n".join(REQUIREMENTS))
    (app / "pages.py").write_text(PAGES)
    rows = list(documented())
    processes = {
        name: (interface, command.replace("main:app", f"pages:{interface}"))
        for name, interface, command in rows
    }
    (app / "Procfile").write_text(
        "".join(f"{name}: {command}\n" for name, (_, command) in processes.items())
    )
    build = run_builder(space, app, "0.13")
    assert build.code == 0, build.log
    assert "started by `sh`" not in build.log
    for name, (interface, command) in processes.items():
        port = free_port()
        log = tmp_path / "log"
        with (
            log.open("wb") as output,
            started(space, port, name, output, {"WEB_CONCURRENCY": "1"}) as process,
        ):
            try:
                page = get(f"http://127.0.0.1:{port}/", process)
            except Exception as error:
                raise AssertionError(f"{command}: {error}\n{log.read_text()}") from None
        assert page == f"by {interface.upper()}", command
