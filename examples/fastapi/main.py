"""A FastAPI app: one page, and one that shows what it runs on."""

import platform

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/")
async def home() -> PlainTextResponse:
    return PlainTextResponse("Hello from FastAPI\n")


@app.get("/python")
async def python() -> dict[str, str]:
    return {"python": platform.python_version()}
