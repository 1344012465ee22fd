"""An HTTP receiver on loopback whose answers the test decides."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


class Receiver:
    """A context manager. `answer` returns the status for a request, or the body of a 200 as JSON; it may sleep or raise
    `ConnectionResetError`."""

    def __init__(self, answer: Callable[[Received], int | dict[str, Any]] = lambda _: 204) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.headers: dict[str, str] = {}  # of each answer
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                owner.received.append(request)
                try:
                    answer = owner.answer(request)
                    said = b"ok" if isinstance(answer, int) else json.dumps(answer).encode()
                    self.send_response(answer if isinstance(answer, int) else 200)
                    for name, value in owner.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)
                except (ConnectionResetError, BrokenPipeError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def dawdle(seconds: float, status: int = 204) -> Callable[[Received], int]:
    """Return an `answer` that waits first."""

    def answer(_: Received) -> int:
        time.sleep(seconds)
        return status

    return answer
