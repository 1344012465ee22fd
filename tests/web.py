"""The web app on a real uvicorn on loopback, and clients for it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn

from models.access import Permission, console_operator
from models.people import Organization, User
from models.session import transaction
from models.tokens import Scope
from models.web_sessions import begin_session
from tasks.people.tokens import create_token
from tests.workers import until

LONGEST = 30.0  # seconds to wait for an answer


@contextmanager
def serving() -> Iterator[str]:
    """Run the web app on a free port, in a thread, with this test's settings. Yields its base URL."""
    from web.app import create_app  # imports tasks, which no test module may
    from web.shutdown import shutdown

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(), log_level="warning", access_log=False, proxy_headers=False, timeout_graceful_shutdown=5
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web app")
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        assert server.started, "the web app did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        shutdown.begun = True  # as a signal would, which only the main thread can handle
        server.should_exit = True
        thread.join(15)
        listener.close()
        assert not thread.is_alive(), "the web app did not stop"


def page_routes() -> set[tuple[str, str]]:
    """Return the method and path of every page, health check and metric."""
    from web import health, metrics, pages

    return {
        (method, route.path)
        for router in (*pages.ROUTERS, *pages.OPEN_ROUTERS, health.router, metrics.router)
        for route in router.routes
        for method in route.methods - {"HEAD"}
    }


def make_user(organization_id: int, email: str, *permissions: Permission, name: str = "Kim Khan") -> User:
    """Create a user with these permissions."""
    with transaction() as session:
        user = User(organization_id=organization_id, email=email, name=name, permissions=[*permissions])
        session.add(user)
        session.flush()
        return user


def token_for(user_id: int, *scopes: Scope) -> str:
    """Return a bearer token of the user, with these scopes or, by default, all scopes."""
    with transaction() as session:
        user = session.get_one(User, user_id)
        until_then = datetime.now(UTC) + timedelta(days=1)
        operator = console_operator(session.get_one(Organization, user.organization_id))
        return create_token(session, operator, user, "test", list(scopes or Scope), until_then)


def client_of(base: str, token: str | None = None) -> httpx.Client:
    """Return an API client with this bearer token, or without one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=base, headers=headers, timeout=LONGEST)


def visitor(base: str, user_id: int | None = None) -> httpx.Client:
    """Return a browser without scripts, signed in as this user or as nobody."""
    client = httpx.Client(base_url=base, headers={"Sec-Fetch-Site": "same-origin"}, timeout=LONGEST)
    if user_id is not None:
        with transaction() as session:
            client.cookies.set("recourse", begin_session(session, session.get_one(User, user_id), "a test"))
    return client


def form_token(page: httpx.Response) -> str:
    """Return the CSRF token of the page's forms."""
    return page.text.split('name="csrf" value="')[1].split('"')[0]
