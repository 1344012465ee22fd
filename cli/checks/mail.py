"""The mail server: it accepts the sign-in. No mail is sent."""

from cli.checks.finding import FaultyError, Places
from config.settings import settings
from tasks.alerts.smtp import MailServer, MailServerAwayError


def check(_: Places) -> str:
    if settings().smtp_host is None:
        return "no mail server is set: alerts only go to the inbox"
    try:
        with MailServer() as server:
            server.ready()
    except MailServerAwayError as error:
        raise FaultyError(
            f"{settings().smtp_host} cannot be used: {error}",
            "Check the RECOURSE_SMTP_… settings and the server. Waiting mails are kept, and sent then.",
        ) from None
    return f"{settings().smtp_host}, as {settings().mail_from}"
