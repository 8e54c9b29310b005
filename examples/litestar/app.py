"""A Litestar app: one page, and one that shows what it runs on."""

import platform

from litestar import Litestar, MediaType, get


@get("/", media_type=MediaType.TEXT)
async def home() -> str:
    return "Hello from Litestar\n"


@get("/python")
async def python() -> dict[str, str]:
    return {"python": platform.python_version()}


app = Litestar([home, python])
