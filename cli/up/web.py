"""The web app as a part of `recourse up`."""

import os
from pathlib import Path

from cli.local.ports import answers, free_port
from cli.up.part import Program
from config.settings import settings


class Web(Program):
    """The web app as a child of this command."""

    def __init__(self, home: Path) -> None:
        """Choose its port, or a free one if that is taken, and put its address into the settings."""
        address, port = settings().web_address, free_port(settings().web_address, settings().web_port)
        self.here = f"http://{address}:{port}"
        if "public_url" not in settings().model_fields_set:
            os.environ["RECOURSE_PUBLIC_URL"] = self.here
            settings.cache_clear()
        self.url = settings().public_url
        arguments = ["uvicorn", "web.app:app", f"--host={address}", f"--port={port}", "--no-access-log"]
        arguments += ["--no-proxy-headers", "--limit-concurrency=1000"]  # RECOURSE_TRUSTED_PROXIES decides instead
        super().__init__("web app", home / "web.log", arguments, lambda: answers(f"{self.here}/readyz"), patience=10)
