"""A debugger's client: the parts of the Debug Adapter Protocol that a breakpoint needs."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class DebugClient:
    """One session with debugpy."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=180)
        self._file = self._socket.makefile("rb")
        self._sequence = 0
        self._unread: list[Message] = []

    def close(self) -> None:
        """End the session; the debugged process goes on."""
        self._file.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; its number."""
        self._sequence += 1
        body = json.dumps(
            {"seq": self._sequence, "type": "request", "command": command, "arguments": arguments}
        ).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._sequence

    def ask(self, command: str, **arguments: Any) -> Message:
        """The body of the answer to a request, which must succeed."""
        return self.answer(self.send(command, **arguments))

    def answer(self, number: int) -> Message:
        """The body of the answer to the request with this number."""
        found = self._next(lambda m: m["type"] == "response" and m["request_seq"] == number)
        assert found["success"], found
        return dict(found.get("body") or {})

    def event(self, name: str) -> Message:
        """The body of the next event of this kind."""
        found = self._next(lambda m: m["type"] == "event" and m["event"] == name)
        return dict(found.get("body") or {})

    def attach(self, source: str, line: int, **arguments: Any) -> None:
        """Attach, with one breakpoint."""
        self.ask("initialize", clientID="test", adapterID="python", pathFormat="path")
        attached = self.send("attach", **arguments)
        self.event("initialized")
        self.ask("setBreakpoints", source={"path": source}, breakpoints=[{"line": line}])
        self.ask("configurationDone")
        self.answer(attached)

    def _next(self, wanted: Callable[[Message], bool]) -> Message:
        for message in self._unread:
            if wanted(message):
                self._unread.remove(message)
                return message
        while True:
            message = self._read()
            if wanted(message):
                return message
            self._unread.append(message)

    def _read(self) -> Message:
        length = 0
        while line := self._file.readline().strip():
            length = int(line.partition(b":")[2])
        assert length, "debugpy hung up"
        return dict(json.loads(self._file.read(length)))
