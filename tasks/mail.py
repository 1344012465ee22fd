"""Send the e-mails that are due, one after the other over one connection."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from config.settings import settings
from models.mail import Mail, MailState
from models.session import changed_rows, engine, transaction
from tasks.app import app
from tasks.due import mail_is_due
from tasks.letters import NoLetterError, NotAptError, write_letter
from tasks.messages import SEND_MAIL, send_outbox
from tasks.smtp import Answer, MailServer, MailServerAwayError, Never, NotNow, Taken
from tasks.waits import OVER_A_DAY, next_try

RUN_SECONDS = 30.0  # then the rest is left to another message, so that nothing else waits long for this process
WAITS = OVER_A_DAY
SENDER = "hashtext('recourse.mail')"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Letter:
    """An e-mail that is being sent, at its so-manieth try."""

    id: UUID
    attempt: int
    message: EmailMessage


@app.task(name=SEND_MAIL)
def send_mail() -> None:
    """Send what is due for half a minute, unless another process is at it: one keeps to the rate limit by itself."""
    with _sole_sender() as mine:
        if not mine:
            return
        began = time.monotonic()
        send_due(RUN_SECONDS)
    if time.monotonic() - began >= RUN_SECONDS:  # and not where the server is away: the next tick asks again
        with transaction() as session:
            if mail_is_due(session):
                send_outbox(session, SEND_MAIL)


def send_due(seconds: float) -> int:
    """Send what is due for so long. Gives how many e-mails it tried."""
    end, tried = time.monotonic() + seconds, 0
    next_at = 0.0
    with MailServer() as server:
        while time.monotonic() < end:
            try:
                server.ready()
            except MailServerAwayError as error:  # nothing was tried, so nothing is written: the next tick comes
                log.warning("mail_server_away", error=str(error))
                break
            letter = take_next()
            if letter is None:
                break
            time.sleep(max(0.0, next_at - time.monotonic()))
            next_at = time.monotonic() + 1 / settings().mail_per_second
            settle(letter, server.send(letter.message))
            tried += 1
    if tried:
        log.info("mails_tried", mails=tried)
    return tried


def take_next() -> Letter | None:
    """The next e-mail that is due, its try counted and committed before it is made. None if nothing is due.

    Those that are not apt any more are settled on the way.
    """
    while True:
        with transaction() as session:
            mail = session.scalar(
                select(Mail)
                .where(Mail.state == MailState.PENDING, Mail.next_try_at <= func.now())
                .order_by(Mail.next_try_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if mail is None:
                return None
            if message := _written(session, mail):
                return _begun(session, mail, message)


def _written(session: Session, mail: Mail) -> EmailMessage | None:
    """What the e-mail says; none if it is not to be sent, which is then settled."""
    if mail.begun_at is not None:  # whoever tried it before did not live to say what came of it
        mail.unsure += 1
        mail.begun_at = None
    if mail.attempts > len(WAITS):
        _end(mail, MailState.FAILED, f"given up after {mail.attempts} tries: {mail.error or 'no answer'}")
        return None
    try:
        return write_letter(session, mail)
    except NotAptError as error:
        _end(mail, MailState.SUPPRESSED, str(error))
    except NoLetterError as error:
        _end(mail, MailState.FAILED, str(error))
    return None


def _begun(session: Session, mail: Mail, message: EmailMessage) -> Letter:
    attempt = mail.attempts + 1
    # The next try is set before this one is made: whoever dies of it leaves nothing to clear up.
    begun = {"attempts": attempt, "begun_at": func.now(), "next_try_at": next_try(WAITS, attempt)}
    session.execute(update(Mail).where(Mail.id == mail.id).values(**begun))
    return Letter(mail.id, attempt, message)


def _end(mail: Mail, state: MailState, reason: str) -> None:
    mail.state, mail.reason = state, reason
    log.info("mail_not_sent", mail=str(mail.id), state=state.value)


def settle(letter: Letter, answer: Answer) -> None:
    """Write down what came of a try. A sent e-mail is never sent again."""
    outcome: dict[str, Any]
    match answer:
        case Taken():
            outcome = {"state": MailState.SENT, "sent_at": func.now(), "error": None}
        case Never(why):
            outcome = {"state": MailState.FAILED, "reason": why, "error": why}
        case NotNow(why) if letter.attempt > len(WAITS):
            outcome = {"state": MailState.FAILED, "reason": f"given up after {letter.attempt} tries: {why}"}
        case NotNow(why, unsure):
            outcome = {"error": why, "unsure": Mail.unsure + int(unsure)}
    if not isinstance(answer, Taken):
        log.warning("mail_refused", mail=str(letter.id), attempt=letter.attempt, for_good=isinstance(answer, Never))
    with transaction() as session:
        mine = (Mail.id == letter.id) & (Mail.state == MailState.PENDING) & (Mail.attempts == letter.attempt)
        if not changed_rows(session, update(Mail).where(mine).values(**outcome, begun_at=None)):
            log.warning("mail_settled_elsewhere", mail=str(letter.id), attempt=letter.attempt)


@contextmanager
def _sole_sender() -> Iterator[bool]:
    """Whether this process alone sends e-mails in the scope. PostgreSQL takes the lock back when a process dies."""
    connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        mine = bool(connection.scalar(text(f"SELECT pg_try_advisory_lock({SENDER})")))
        yield mine
        if mine:
            connection.execute(text(f"SELECT pg_advisory_unlock({SENDER})"))
    except BaseException:
        connection.invalidate()  # or the pool would keep the lock
        raise
    finally:
        connection.close()
