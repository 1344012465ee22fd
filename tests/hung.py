"""A server on loopback that accepts connections and never answers."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Hung:
    """A context manager that listens on `port` and counts its `connections`."""

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = int(self._listening.getsockname()[1])
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        for connection in self._taken:
            connection.close()

    @property
    def connections(self) -> int:
        return len(self._taken)

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._taken.append(connection)
