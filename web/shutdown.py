"""Whether the server is shutting down, for endless answers: uvicorn waits for them, but does not notify them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Shutdown:
    """Whether the server is shutting down."""

    begun = False


shutdown = Shutdown()


@contextmanager
def noting_signals() -> Iterator[None]:
    """Within the scope, note a signal to stop, then pass it on to the server's own handler."""
    shutdown.begun = False
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        shutdown.begun = True
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in SIGNALS:
            if signal.getsignal(number) is note:
                signal.signal(number, before[number])
