"""The web app, beside `recourse up`."""

import os
from pathlib import Path

from cli.ports import answers, free_port
from cli.up.part import Program
from config.settings import Settings, settings


class Web(Program):
    """The web app as a child of this command."""

    def __init__(self, home: Path) -> None:
        """On its port, or on a free one where that is taken. From here on, the settings say where it is."""
        address, port = settings().web_address, free_port(settings().web_address, settings().web_port)
        self.here = f"http://{address}:{port}"
        if settings().public_url == Settings.model_fields["public_url"].default:
            os.environ["RECOURSE_PUBLIC_URL"] = self.here
            settings.cache_clear()
        self.url = settings().public_url
        arguments = ["uvicorn", "web.app:app", f"--host={address}", f"--port={port}", "--no-access-log"]
        arguments += ["--no-proxy-headers", "--limit-concurrency=1000"]  # RECOURSE_TRUSTED_PROXIES says whom to believe
        super().__init__("web app", home / "web.log", arguments, lambda: answers(f"{self.here}/readyz"), patience=10)
