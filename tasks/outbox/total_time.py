"""The most that a call may take, whatever the other side does: libraries bound each wait, and an answer that comes in
drops has any number of them."""

import threading
from collections import defaultdict
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


class TookTooLongError(Exception):
    """It did not come back in time. It may yet: nobody hears of it then."""


_left_behind: defaultdict[str, list[threading.Thread]] = defaultdict(list)


def within(seconds: float, call: Callable[[], T], name: str) -> T:
    """What the call gives, or raises. Raises `TookTooLongError` when it does neither in time: its thread is left
    behind, to end when the other side or the operating system lets it. `hanging(name)` counts those."""
    given: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True, name=name)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not given:
        _left_behind[name].append(thread)
        raise TookTooLongError(f"it took longer than {seconds:.0f} seconds")
    return given[0]


def hanging(name: str) -> int:
    """How many calls of that name were left behind and have not ended yet."""
    _left_behind[name] = [thread for thread in _left_behind[name] if thread.is_alive()]
    return len(_left_behind[name])
