"""Flower, beside `recourse up`."""

import os
import socket
import time
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from cli.child import Child
from cli.surroundings import ROOT, kept_secret
from config.settings import required, settings


class Flower:
    """Flower as a child of this command."""

    def __init__(self, home: Path) -> None:
        """Start it on its port, or on a free one where that is taken, and wait until it answers."""
        if settings().flower_password is None:
            os.environ["RECOURSE_FLOWER_PASSWORD"] = kept_secret(home, "flower_password")
        port = _free_port(settings().flower_address, settings().flower_port)
        os.environ["RECOURSE_FLOWER_PORT"] = str(port)
        self.url = f"http://{settings().flower_address}:{port}"
        if settings().flower_url is None:
            os.environ["RECOURSE_FLOWER_URL"] = self.url
        settings.cache_clear()
        self.sign_in = f"{settings().flower_user} / {required('flower_password')}"
        arguments = ["flower", f"--conf={ROOT / 'config' / 'flower.py'}"]
        self.child = Child("Flower", home / "flower.log", arguments)
        while not self._answers():
            self.child.check()
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/healthcheck", timeout=1) as answer:  # noqa: S310 - the address is ours
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def _free_port(address: str, wanted: int) -> int:
    for port in (wanted, 0):
        with closing(socket.socket()) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted
