"""A Quart app: one page, and one that shows what it runs on."""

import platform

from quart import Quart

app = Quart(__name__)


@app.get("/")
async def home() -> str:
    return "Hello from Quart\n"


@app.get("/python")
async def python() -> dict[str, str]:
    return {"python": platform.python_version()}
