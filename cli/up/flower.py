"""Flower as a part of `recourse up`."""

import os
from pathlib import Path

from cli.local.child import PROJECT
from cli.local.ports import answers, free_port
from cli.local.secrets import kept_secret
from cli.up.part import Program
from config.settings import required, settings


class Flower(Program):
    """Flower as a child of this command. It only shows what happens, so everything else runs without it."""

    dispensable = True

    def __init__(self, home: Path) -> None:
        """Choose its port, or a free one if that is taken, and put its address into the settings."""
        if settings().flower_password is None:
            os.environ["RECOURSE_FLOWER_PASSWORD"] = kept_secret(home, "flower_password")
        os.environ["RECOURSE_FLOWER_PORT"] = str(free_port(settings().flower_address, settings().flower_port))
        settings.cache_clear()
        self.url = f"http://{settings().flower_address}:{settings().flower_port}"
        if settings().flower_url is None:
            os.environ["RECOURSE_FLOWER_URL"] = self.url
            settings.cache_clear()
        self.sign_in = f"{settings().flower_user} / {required('flower_password')}"
        arguments = ["celery", "--app=worker", "flower", f"--conf={PROJECT / 'config' / 'flower.py'}"]
        # It stops quickly: it has nothing to finish, and saves its state every few seconds.
        super().__init__(
            "Flower", home / "flower.log", arguments, lambda: answers(f"{self.url}/healthcheck"), patience=10
        )
