"""A proxy whose connections can die without anyone being told, as behind a gateway that forgets them."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Proxy:
    """A context manager that listens on `port`, and forwards to a Unix socket."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._open: list[_Forwarded] = []

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        for connection in self._open:
            connection.close()

    def go_silent(self) -> int:
        """From now on, forward nothing more on the open connections, and keep them open. New ones work. Returns how
        many they are."""
        for connection in self._open:
            connection.silent = True
        return len(self._open)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.append(_Forwarded(client, self._target))


class _Forwarded:
    """One connection, in both directions."""

    def __init__(self, client: socket.socket, target: str) -> None:
        self.silent = False
        self._ends = client, socket.socket(socket.AF_UNIX)
        self._ends[1].connect(target)
        for ends in (self._ends, self._ends[::-1]):
            threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def close(self) -> None:
        for end in self._ends:
            end.close()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self.silent:
                    target.sendall(data)
        if not self.silent:
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
