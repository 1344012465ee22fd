"""E-mails: sent one by one over one connection, at the rate that the mail provider allows."""

from typing import Any

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from config.settings import settings
from models.mail import MAILS, Mail, MailState
from models.outbox import Item, is_this_try
from models.session import transaction
from tasks.alerts.letters import NoLetterError, NotWantedError, write_letter
from tasks.alerts.smtp import MailServer
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.handler import Handler
from tasks.outbox.waits import OVER_A_DAY


class Mails(Handler):
    """The outbox of e-mails. A sent e-mail is never sent again."""

    name = "mail"
    outbox = MAILS
    waits = OVER_A_DAY

    def __init__(self) -> None:
        self._server = MailServer()

    @classmethod
    def is_on(cls) -> bool:
        return settings().smtp_host is not None

    @classmethod
    def per_second(cls) -> float:
        return settings().mail_per_second

    @classmethod
    def per_second_each(cls) -> float | None:
        return settings().mail_per_second_each

    @classmethod
    def seconds(cls) -> float:
        return settings().smtp_timeout_seconds

    def ready(self) -> None:
        self._server.ready()

    def attempt(self, item: Item) -> Answer:
        with transaction() as session:
            mail = session.get(Mail, item.key[0])
            if mail is None:
                return Unwanted("it was deleted")
            try:
                message = write_letter(session, mail)
            except NotWantedError as error:
                return Unwanted(str(error))
            except NoLetterError as error:
                return Never(str(error))
        return self._server.send(message)

    def close(self) -> None:
        self._server.hang_up()

    def abort(self) -> None:
        self._server.cut_off()

    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        outcome: dict[str, Any]
        match answer:
            case Taken():
                outcome = {"state": MailState.SENT, "sent_at": func.now(), "error": None}
            case Unwanted(why):
                outcome = {"state": MailState.SUPPRESSED, "reason": why}
            case Never(why):
                outcome = {"state": MailState.FAILED, "reason": why, "error": why}
            case NotNow(why, unsure):
                outcome = {"error": why, "unsure": Mail.unsure + int(unsure)}
        session.execute(
            update(Mail)
            .where(is_this_try(MAILS, item))
            .values(**outcome, begun_at=None)
            .execution_options(synchronize_session=False)
        )
