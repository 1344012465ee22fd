"""Clients that send and read as slowly as a test wants: plain sockets."""

import socket
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

SMALL = 4096  # bytes the kernel buffers for a client that does not read


class Line:
    """A connection to the web app, and a request that may be incomplete."""

    def __init__(
        self, base: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        address = urlsplit(base)
        assert address.hostname
        assert address.port
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self._begun = b""
        self._socket.connect((address.hostname, address.port))
        all_headers = {"Host": f"{address.hostname}:{address.port}"} | dict(headers or {})
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items())]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send more of the body, until the server closes the connection."""
        try:
            for piece in pieces:
                self._socket.sendall(piece)
        except OSError:
            pass

    def answer(self, seconds: float = 20) -> tuple[int, str]:
        """Return the status and the start of the answer. Raises `TimeoutError` if there is none after `seconds`."""
        self._socket.settimeout(seconds)
        got = b""
        while b"\r\n\r\n" not in got and (block := self._socket.recv(SMALL)):
            got += block
        self._begun = got.partition(b"\r\n\r\n")[2]
        return int(got.split(b" ", 2)[1]), got.decode("latin-1")

    def rest(self) -> bytes:
        """Return the body of the answer, up to the end of the connection."""
        got = self._begun
        while block := self._socket.recv(1 << 16):
            got += block
        return got

    def close(self) -> None:
        self._socket.close()
