"""Servers on loopback that accept connections, and never answer, or answer with nonsense."""

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


class Babbling:
    """A context manager that listens on `port`, and answers everything with nonsense."""

    def __enter__(self) -> Self:
        self.answers = 0
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, suppress(OSError):
                    connection.settimeout(1)
                    connection.sendall(b"\x00\xff\xfe 250 {[<garbage\r\n" * 50)
                    connection.recv(1 << 16)
                self.answers += 1
