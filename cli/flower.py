"""Flower, beside `recourse up`."""

import os
from pathlib import Path

from cli.migrations import ROOT
from cli.ports import answers, free_port
from cli.servers_and_database import kept_secret
from cli.up.part import Program
from config.settings import required, settings


class Flower(Program):
    """Flower as a child of this command. It only shows what goes on."""

    dispensable = True

    def __init__(self, home: Path) -> None:
        """On its port, or on a free one where that is taken. From here on, the settings say where it is."""
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
        super().__init__(
            "Flower", home / "flower.log", arguments, lambda: answers(f"{self.url}/healthcheck"), patience=10
        )
