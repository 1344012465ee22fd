"""The line between a host and a server: a relay on loopback that can be cut, as a network is, and
whose connections can die without anyone being told.

`python -m tests.relays PORT=SOCKET …` runs some until its standard input ends.
"""

import socket
import struct
import sys
import threading
from contextlib import ExitStack, suppress
from typing import Self


class Relay:
    """A context manager that listens on `port`, and passes everything on to a server's Unix socket."""

    def __init__(self, server: str, port: int = 0, *, forgets: bool = False) -> None:
        """On any free port if it is 0. If it `forgets`, killing it leaves nothing that would end its connections
        later."""
        self._server = server
        self.port = port
        self._forgets = forgets
        self._lock = threading.Lock()
        self._cut = False
        self._joined: list[tuple[socket.socket, socket.socket]] = []
        self._silent: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=1000)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self.cut()
        self.mend()

    def cut(self) -> None:
        """Pass nothing on any more. The server sees its clients go; they see nothing at all, and new ones get no
        answer."""
        with self._lock:
            self._cut = True
            for client, server in self._joined:
                self._silent.add(client)
                _end(server)
            self._joined.clear()

    def go_silent(self) -> int:
        """Pass nothing more on over the open connections, and keep them open, as a gateway that forgets them does. New
        ones work. Returns how many they are."""
        with self._lock:
            forgotten = len(self._joined)
            for pair in self._joined:
                self._silent.update(pair)
            self._joined.clear()
        return forgotten

    def mend(self) -> None:
        """Pass everything on again. Clients of before learn that their connections are gone."""
        with self._lock:
            self._cut = False
            for end in self._silent:
                _end(end)
            self._silent.clear()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._forgets:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        with self._lock:
            if self._cut:
                self._silent.add(client)
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:
                _end(client)
                return
            self._joined.append((client, server))
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while block := one.recv(1 << 16):
                if one not in self._silent:
                    other.sendall(block)
        with self._lock:
            for end in (one, other):
                if end not in self._silent:
                    _end(end)
            self._joined = [pair for pair in self._joined if one not in pair]


def _end(connection: socket.socket) -> None:
    # A thread may be reading from it: closing alone would not wake it.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


if __name__ == "__main__":
    with ExitStack() as stack:
        for port, _, server in (word.partition("=") for word in sys.argv[1:]):
            stack.enter_context(Relay(server, int(port), forgets=True))
        print("ready", flush=True)  # noqa: T201 - for who started it
        sys.stdin.read()
