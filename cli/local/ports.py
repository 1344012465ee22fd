"""Ports of this machine, and whether a server answers on them."""

import socket
from contextlib import closing
from urllib.error import HTTPError, URLError
from urllib.request import urlopen


def answers(url: str) -> bool:
    """Returns whether the URL answers with status 200."""
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310 - the address is ours
            return bool(answer.status == 200)
    except (HTTPError, URLError, OSError):
        return False


def free_port(address: str, wanted: int) -> int:
    """Returns the wanted port, or a free one if it is taken."""
    for port in (wanted, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of a server that just ended is free
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted
