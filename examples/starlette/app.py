"""A Starlette app: one page, and one that shows what it runs on."""

import platform

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello from Starlette\n")


async def python(request: Request) -> JSONResponse:
    return JSONResponse({"python": platform.python_version()})


app = Starlette(routes=[Route("/", home), Route("/python", python)])
