"""A Flask app: one page, and one that shows what it runs on."""

import platform

from flask import Flask

app = Flask(__name__)


@app.get("/")
def home() -> str:
    return "Hello from Flask\n"


@app.get("/python")
def python() -> dict[str, str]:
    return {"python": platform.python_version()}
