"""Git repositories over HTTP, by git's own server program (the smart protocol)."""

from __future__ import annotations

import gzip
import os
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path

PREFIX = "/git/"


def git_answer(root: Path, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body for a request below `PREFIX`, from the repositories in `root`."""
    path, _, query = handler.path.partition("?")
    if handler.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    done = subprocess.run(
        ["git", "http-backend"],
        env={
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": "/" + path.removeprefix(PREFIX),
            "QUERY_STRING": query,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        },
        input=body,
        capture_output=True,
        check=False,
    )
    head, _, text = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    status = int(fields.get("Status", "200").split()[0]) if done.returncode == 0 else 500
    return status, fields.get("Content-Type", "text/plain"), text
