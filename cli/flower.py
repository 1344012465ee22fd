"""Flower, beside `recourse up`."""

import os
from pathlib import Path

from cli.child import Child
from cli.migrations import ROOT
from cli.served import free_port, wait_until_it_answers
from cli.surroundings import kept_secret
from config.settings import required, settings


class Flower:
    """Flower as a child of this command."""

    def __init__(self, home: Path) -> None:
        """Start it on its port, or on a free one where that is taken, and wait until it answers."""
        if settings().flower_password is None:
            os.environ["RECOURSE_FLOWER_PASSWORD"] = kept_secret(home, "flower_password")
        os.environ["RECOURSE_FLOWER_PORT"] = str(free_port(settings().flower_address, settings().flower_port))
        settings.cache_clear()
        self.url = f"http://{settings().flower_address}:{settings().flower_port}"
        if settings().flower_url is None:
            os.environ["RECOURSE_FLOWER_URL"] = self.url
            settings.cache_clear()
        self.sign_in = f"{settings().flower_user} / {required('flower_password')}"
        arguments = ["celery", "--app=worker", "flower", f"--conf={ROOT / 'config' / 'flower.py'}"]
        # It has nothing under way, and saves what it knows every few seconds.
        self.child = Child("Flower", home / "flower.log", arguments, patience=10)
        wait_until_it_answers(self.child, f"{self.url}/healthcheck")
