"""The web app, served on loopback by a real uvicorn in a thread, and browsers' requests to it."""

import socket
import threading
from typing import Self

import httpx
import uvicorn

from models.people import User
from models.session import transaction
from models.sign_in import begin_session


class Site:
    """Use it in a `with`; then it answers at `url`."""

    def __enter__(self) -> Self:
        from web.app import create_app
        from web.templating import STATIC

        assert STATIC.is_dir()
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # Its own shutdown would drop the engine that the test goes on using.
        config = uvicorn.Config(create_app(), lifespan="off", log_level="warning", log_config=None)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def nobody(self) -> httpx.Client:
        """A browser that is not signed in."""
        return httpx.Client(base_url=self.url, headers={"Sec-Fetch-Site": "same-origin"})

    def signed_in(self, user_id: int) -> httpx.Client:
        """A browser in which this user is signed in."""
        client = self.nobody()
        client.cookies.set("recourse", self.cookie_of(user_id))
        return client

    def cookie_of(self, user_id: int) -> str:
        with transaction() as session:
            return begin_session(session, session.get_one(User, user_id), "a test")


def form_token(page: httpx.Response) -> str:
    """The token that the page's forms carry."""
    return page.text.split('name="csrf" value="')[1].split('"')[0]
