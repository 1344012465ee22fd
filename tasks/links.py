"""Links into the web app, for e-mails and announcements."""

from urllib.parse import quote
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from config.settings import settings, signing_keys


def course_link(code: str) -> str:
    """Where a learner takes the course."""
    return f"{settings().public_url}/my/courses/{quote(code, safe='')}"


def reset_link(reset_id: UUID) -> str:
    """Where an admin follows a reset."""
    return f"{settings().public_url}/resets/{reset_id}"


def rule_link(rule_id: UUID) -> str:
    """Where an admin sees a retraining rule."""
    return f"{settings().public_url}/rules/{rule_id}"


def verify_link(serial: str) -> str:
    """Where anybody sees whether a certificate is valid."""
    return f"{settings().public_url}/verify/{quote(serial, safe='')}"


def settings_link() -> str:
    """Where users say how they want to be alerted."""
    return f"{settings().public_url}/my/alerts"


def unsubscribe_link(user_id: int) -> str:
    """Where a user gets no more e-mail, without signing in: the link itself is the proof, and opens nothing else."""
    return f"{settings().public_url}/unsubscribe/{_signer().dumps(user_id)}"


def unsubscribing(token: str) -> int | None:
    """The user of an unsubscribe link's last part; none if it was not made here."""
    try:
        return int(_signer().loads(token))
    except BadData:
        return None


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="recourse.unsubscribe")
