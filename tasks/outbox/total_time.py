"""A hard time limit for a call. The time-outs of libraries limit each read, and an answer that trickles in can have any
number of reads."""

import threading
from collections import defaultdict
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from config.languages.stored import stored

NO_ANSWER = stored("no answer within {seconds} seconds")

T = TypeVar("T")


class TookTooLongError(Exception):
    """The call did not return in time. It may still finish; its result is then lost."""


_abandoned: defaultdict[str, list[threading.Thread]] = defaultdict(list)


def within(seconds: float, call: Callable[[], T], name: str) -> T:
    """Returns what the call returns, or raises what it raises. Raises `TookTooLongError` after the time limit.

    The thread of a call that takes too long is abandoned: it ends when the other side or the operating system lets it.
    `hanging(name)` counts such threads.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True, name=name)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not returned:
        _abandoned[name].append(thread)
        raise TookTooLongError(NO_ANSWER.format(seconds=f"{seconds:.0f}"))
    return returned[0]


def hanging(name: str) -> int:
    """Returns how many abandoned calls with that name are still running."""
    _abandoned[name] = [thread for thread in _abandoned[name] if thread.is_alive()]
    return len(_abandoned[name])
