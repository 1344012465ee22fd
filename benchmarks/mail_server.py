"""A mail server on loopback that takes every e-mail, keeps none, and counts: a process of its own."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import SynchronizedArray
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from cli.local.ports import free_port

HOST = "127.0.0.1"
START_LIMIT = 30.0
TAKEN, FIRST, LAST, OPEN, MOST_OPEN, COUNTING = range(6)  # places in the array of counts


@dataclass(frozen=True)
class MailServer:
    """The server, as its clients see it."""

    port: int
    _counts: "SynchronizedArray[float]"
    _first_message: Connection

    @property
    def taken(self) -> int:
        """How many e-mails it has taken since the last `start_over`."""
        return int(self._counts[TAKEN])

    @property
    def per_second(self) -> float:
        """E-mails a second, from the first that it took to the last."""
        return (self.taken - 1) / (self._counts[LAST] - self._counts[FIRST])

    @property
    def connections(self) -> int:
        """The most connections that were open at a time."""
        return int(self._counts[MOST_OPEN])

    def first_message(self) -> bytes:
        """Returns the first e-mail that it ever took. Call it once."""
        if not self._first_message.poll(START_LIMIT):
            raise TimeoutError("the mail server took no e-mail")
        return self._first_message.recv_bytes()

    def start_over(self) -> None:
        """Count from zero again."""
        with self._counts.get_lock():
            self._counts[TAKEN] = self._counts[MOST_OPEN] = 0
            self._counts[COUNTING] = True

    def stop_counting(self) -> None:
        """Take further e-mails without counting them."""
        self._counts[COUNTING] = False


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run the server within the scope."""
    context = get_context("spawn")
    counts = context.Array("d", 6)
    counts[COUNTING] = True
    ours, theirs = context.Pipe(duplex=False)
    ready = context.Event()
    port = free_port(HOST, 0)
    process = context.Process(target=_serve, args=(port, counts, theirs, ready), daemon=True)
    process.start()
    try:
        if not ready.wait(START_LIMIT):
            raise TimeoutError("the mail server did not start")
        yield MailServer(port, counts, ours)
    finally:
        process.terminate()
        process.join()


def _serve(port: int, counts: Any, messages: Connection, ready: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the benchmark, which then ends this
    asyncio.run(_listen(port, _Counter(counts, messages), ready))


async def _listen(port: int, counter: "_Counter", ready: Any) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Smtp(counter), HOST, port)
    ready.set()
    await server.serve_forever()


class _Counter:
    """What aiosmtpd calls for each e-mail."""

    def __init__(self, counts: Any, messages: Connection) -> None:
        self._counts, self._messages = counts, messages
        self._is_first = True

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        now = time.monotonic()
        with self._counts.get_lock():
            if not self._counts[TAKEN]:
                self._counts[FIRST] = now
                self._counts[MOST_OPEN] = self._counts[OPEN]
            if self._counts[COUNTING]:
                self._counts[LAST] = now
                self._counts[TAKEN] += 1
        if self._is_first:
            self._is_first = False
            self._messages.send_bytes(envelope.original_content or b"")
        return "250 OK"

    def opened(self, by: int) -> None:
        """Count a connection that was opened, or closed if `by` is -1."""
        with self._counts.get_lock():
            self._counts[OPEN] += by
            self._counts[MOST_OPEN] = max(self._counts[MOST_OPEN], self._counts[OPEN])


class _Smtp(SMTP):
    """One connection."""

    def __init__(self, counter: _Counter) -> None:
        super().__init__(counter, hostname="localhost", enable_SMTPUTF8=True)
        self._counter = counter

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._counter.opened(1)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._counter.opened(-1)
