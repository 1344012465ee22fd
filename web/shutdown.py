"""The end of the server, for answers that would go on for ever: it waits for them, and tells them nothing itself."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Whether the server is about to end."""

    begun = False


ending = Ending()


@contextmanager
def told_of_the_end() -> Iterator[None]:
    """In the scope, a signal to end is noted, and then goes on to whoever minds it: the server itself."""
    ending.begun = False
    if threading.current_thread() is not threading.main_thread():  # signals come to the main thread alone
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        ending.begun = True
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
