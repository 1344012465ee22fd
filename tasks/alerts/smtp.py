"""The mail server: one connection for many e-mails, and what its answers mean."""

import contextlib
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from config.settings import settings
from tasks.outbox.answers import Answer, Never, NotNow, Taken
from tasks.outbox.hands import AwayError

PORTS = {"starttls": 587, "tls": 465, "none": 25}
SEVEN_BIT = SMTP.clone(cte_type="7bit")  # what every server takes
DROPPED_IN_A_ROW = 3  # after which the server is taken to be away


class MailServerAwayError(AwayError):
    """The server does not answer, or does not let us in. It says nothing about any e-mail."""


class MailServer:
    """A connection to the mail server, made anew when it drops. Use it in a `with`."""

    def __init__(self) -> None:
        self._smtp: smtplib.SMTP | None = None
        self._dropped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()

    def ready(self) -> None:
        """Be connected: to be called before each e-mail. Raises `MailServerAwayError`, also where the server takes
        connections only to drop them."""
        if self._dropped >= DROPPED_IN_A_ROW:
            raise MailServerAwayError("The connection was lost again and again")
        if self._smtp is None:
            self._connect()

    def hang_up(self) -> None:
        """End the connection, as one does."""
        self._hang_up(politely=True)

    def cut_off(self) -> None:
        """Have whoever waits for the server wait no longer: to be called from another thread."""
        connection = None if self._smtp is None else self._smtp.sock
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def send(self, message: EmailMessage) -> Answer:
        """Hand over one e-mail.

        An answer 4xx and a lost connection mean later, 5xx means never: but for the sender, who is the same for all, so
        that a wrong setting must not fail every one of them for good.
        """
        assert self._smtp is not None, "call ready() first"
        handing_over = False
        try:
            refused = self._envelope(self._smtp, message)
            if refused is None:
                handing_over = True
                code, words = self._smtp.data(message.as_bytes(policy=SEVEN_BIT))
                refused = None if code == 250 else _meaning(code, words)
        except smtplib.SMTPDataError as error:  # before the message, so it has surely not been taken
            refused = _meaning(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up(politely=False)
            self._dropped += 1
            return NotNow(f"The connection was lost: {type(error).__name__}", unsure=handing_over)
        self._dropped = 0
        if refused is not None:
            self._start_over()
        return refused or Taken()

    def _envelope(self, smtp: smtplib.SMTP, message: EmailMessage) -> Answer | None:
        """Say from whom and for whom it is. Gives why it is not taken, or nothing."""
        code, words = smtp.mail(parseaddr(str(message["From"]))[1])
        if code != 250:
            return NotNow(f"The sender was refused: {_reply(code, words)}")
        code, words = smtp.rcpt(parseaddr(str(message["To"]))[1])
        return None if code in (250, 251) else _meaning(code, words)

    def _start_over(self) -> None:
        """Have the server forget the e-mail that it did not take."""
        assert self._smtp is not None
        try:
            self._smtp.rset()
        except (smtplib.SMTPException, OSError):
            self._hang_up(politely=False)

    def _connect(self) -> None:
        told = settings()
        assert told.smtp_host
        kind = partial(smtplib.SMTP_SSL, context=ssl.create_default_context())
        smtp: smtplib.SMTP | None = None
        try:
            smtp = (kind if told.smtp_security == "tls" else smtplib.SMTP)(
                host=told.smtp_host,
                port=told.smtp_port or PORTS[told.smtp_security],
                local_hostname=urlsplit(told.public_url).hostname,  # smtplib would ask the DNS for one
                timeout=told.smtp_timeout_seconds,
            )
            smtp.ehlo_or_helo_if_needed()
            if told.smtp_security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
            if told.smtp_user:
                smtp.login(told.smtp_user, told.smtp_password.get_secret_value() if told.smtp_password else "")
        except (smtplib.SMTPException, OSError) as error:
            if smtp is not None:
                smtp.close()
            raise MailServerAwayError(_in_short(error)) from error
        self._smtp = smtp

    def _hang_up(self, *, politely: bool) -> None:
        if self._smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if politely:
                    self._smtp.quit()
            self._smtp.close()
        self._smtp = None


def _meaning(code: int, words: bytes | str) -> Answer:
    return Never(_reply(code, words)) if 500 <= code < 600 else NotNow(_reply(code, words))


def _reply(code: int, words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(text.split())}"[:300]


def _in_short(error: Exception) -> str:
    """What went wrong; no more of it than a server's own words, since it is logged."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    return f"{type(error).__name__}: {error}"[:300]
