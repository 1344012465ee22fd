"""A mail server on loopback whose faults the test decides."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ssl import SSLContext
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

TAKEN = "250 OK"
DROP = "drop"  # drop the connection before accepting the e-mail
TAKE_AND_DROP = "take and drop"  # accept the e-mail, then drop the connection instead of confirming


@dataclass
class Delivered:
    """An e-mail the server accepted."""

    to: str
    message: EmailMessage
    encrypted: bool
    user: str | None

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    def part(self, kind: str) -> str:
        """Return the `plain` or `html` part."""
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass
class Handler:
    """The server's answers: `on_sender`, `on_recipient` and `on_message` return the one for an address."""

    on_sender: Callable[[str], str] = lambda _: TAKEN
    on_recipient: Callable[[str], str] = lambda _: TAKEN
    on_message: Callable[[str], str] = lambda _: TAKEN
    delivered: list[Delivered] = field(default_factory=list)
    connections: int = 0
    seen: Counter[str] = field(default_factory=Counter)  # recipients named, by address

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        if session.host_name is None:  # a second greeting after STARTTLS is the same connection
            self.connections += not getattr(session, "ssl", None)
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.on_sender(address)
        if answer == TAKEN:
            envelope.mail_from = address
        return answer

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.seen[address] += 1
        answer = self.on_recipient(address)
        if answer == DROP:
            server.transport.abort()
            return ""
        if answer == TAKEN:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        [to] = envelope.rcpt_tos
        answer = self.on_message(to)
        if answer in (TAKEN, TAKE_AND_DROP):
            message: Any = message_from_bytes(envelope.content, policy=default)
            self.delivered.append(Delivered(to, message, bool(session.ssl), session.auth_data))
        if answer in (DROP, TAKE_AND_DROP):
            server.transport.abort()
            return ""
        return answer


class LoopbackMailServer:
    """A context manager that listens on `port`."""

    def __init__(self, tls: SSLContext | None = None, password: str | None = None) -> None:
        self.handler = Handler()
        self.port = 0
        self._options: dict[str, Any] = {}
        if tls:
            self._options |= {"tls_context": tls, "require_starttls": True}
        if password:
            self._options |= {"auth_required": True, "authenticator": _only(password)}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "LoopbackMailServer":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(
            lambda: SMTP(self.handler, loop=self._loop, **self._options), "127.0.0.1", 0
        )
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def delivered(self) -> list[Delivered]:
        return self.handler.delivered

    def to(self, address: str) -> list[Delivered]:
        return [one for one in self.delivered if one.to == address]


def _only(password: str) -> Callable[..., AuthResult]:
    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = data.password.decode() == password
        return AuthResult(success=good, handled=False, auth_data=data.login.decode())

    return check
