"""The mail server: one connection for many e-mails, and the meaning of its replies."""

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
from tasks.outbox.handler import AwayError

PORTS = {"starttls": 587, "tls": 465, "none": 25}
SEVEN_BIT = SMTP.clone(cte_type="7bit")  # which every server accepts
DROPPED_IN_A_ROW = 3  # lost connections after which the server counts as down


class MailServerAwayError(AwayError):
    """The server does not answer or refuses the sign-in. No e-mail has been attempted."""


class MailServer:
    """A connection to the mail server, reopened when it drops. A context manager."""

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
        """Connect if necessary. Call it before each e-mail.

        Raises `MailServerAwayError`, also if the server accepts connections only to drop them.
        """
        if self._dropped >= DROPPED_IN_A_ROW:
            raise MailServerAwayError("the connection was lost several times in a row")
        if self._smtp is None:
            self._connect()

    def hang_up(self) -> None:
        """End the connection with QUIT."""
        self._hang_up(politely=True)

    def cut_off(self) -> None:
        """Shut the socket down, so that a thread that waits for the server fails at once."""
        connection = None if self._smtp is None else self._smtp.sock
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def send(self, message: EmailMessage) -> Answer:
        """Hand over one e-mail.

        A 4xx reply or a lost connection is `NotNow`, a 5xx reply `Never`. A refused sender is always `NotNow`: it is
        the same for all e-mails, and a wrong setting must not fail them all for good.
        """
        assert self._smtp is not None, "call ready() first"
        handing_over = False
        try:
            refused = self._envelope(self._smtp, message)
            if refused is None:
                handing_over = True
                code, words = self._smtp.data(message.as_bytes(policy=SEVEN_BIT))
                refused = None if code == 250 else _meaning(code, words)
        except smtplib.SMTPDataError as error:  # before the message, so the server cannot have taken it
            refused = _meaning(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up(politely=False)
            self._dropped += 1
            return NotNow(f"the connection was lost: {type(error).__name__}", unsure=handing_over)
        self._dropped = 0
        if refused is not None:
            self._start_over()
        return refused or Taken()

    def _envelope(self, smtp: smtplib.SMTP, message: EmailMessage) -> Answer | None:
        """Send the sender and the recipient. Returns why they are refused, or `None`."""
        code, words = smtp.mail(parseaddr(str(message["From"]))[1])
        if code != 250:
            return NotNow(f"the sender was refused: {_reply(code, words)}")
        code, words = smtp.rcpt(parseaddr(str(message["To"]))[1])
        return None if code in (250, 251) else _meaning(code, words)

    def _start_over(self) -> None:
        """Send RSET after a refusal, so that the next e-mail starts clean."""
        assert self._smtp is not None
        try:
            self._smtp.rset()
        except (smtplib.SMTPException, OSError):
            self._hang_up(politely=False)

    def _connect(self) -> None:
        config = settings()
        assert config.smtp_host
        kind = partial(smtplib.SMTP_SSL, context=ssl.create_default_context())
        smtp: smtplib.SMTP | None = None
        try:
            smtp = (kind if config.smtp_security == "tls" else smtplib.SMTP)(
                host=config.smtp_host,
                port=config.smtp_port or PORTS[config.smtp_security],
                local_hostname=urlsplit(config.public_url).hostname,  # smtplib would ask the DNS
                timeout=config.smtp_timeout_seconds,
            )
            smtp.ehlo_or_helo_if_needed()
            if config.smtp_security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
            if config.smtp_user:
                smtp.login(config.smtp_user, config.smtp_password.get_secret_value() if config.smtp_password else "")
        except (smtplib.SMTPException, OSError) as error:
            if smtp is not None:
                smtp.close()
            raise MailServerAwayError(_summary(error)) from error
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


def _summary(error: Exception) -> str:
    """Returns the server's reply, or the error, at a length fit for the log."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    return f"{type(error).__name__}: {error}"[:300]
