"""Children that people reach over HTTP."""

import socket
import time
from contextlib import closing
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from cli.child import Child


def wait_until_it_answers(child: Child, url: str) -> None:
    """Return once `url` answers with success. Raises `ChildEndedError` if the child ends instead."""
    while not _answers(url):
        child.check()
        time.sleep(0.1)


def free_port(address: str, wanted: int) -> int:
    """The wanted port, or a free one where that is taken."""
    for port in (wanted, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: one just ended is free
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310 - the address is ours
            return bool(answer.status == 200)
    except (HTTPError, URLError, OSError):
        return False
