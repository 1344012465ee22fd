"""The web app, beside `recourse up`."""

import os
from pathlib import Path

from cli.child import Child
from cli.served import free_port, wait_until_it_answers
from config.settings import Settings, settings


class Web:
    """The web app as a child of this command."""

    def __init__(self, home: Path) -> None:
        """Start it on its port, or on a free one where that is taken, and wait until it answers."""
        address, port = settings().web_address, free_port(settings().web_address, settings().web_port)
        self.here = f"http://{address}:{port}"
        if settings().public_url == Settings.model_fields["public_url"].default:
            os.environ["RECOURSE_PUBLIC_URL"] = self.here
            settings.cache_clear()
        self.url = settings().public_url
        arguments = ["uvicorn", "web.app:app", f"--host={address}", f"--port={port}", "--no-access-log"]
        arguments += ["--no-proxy-headers", "--limit-concurrency=1000"]  # RECOURSE_TRUSTED_PROXIES says whom to believe
        self.child = Child("The web app", home / "web.log", arguments, patience=10)
        wait_until_it_answers(self.child, f"{self.here}/readyz")
