"""Links to our pages: in the web app, and in Flower."""

from urllib.parse import quote

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from config.settings import settings, signing_keys


def course_link(code: str, external_id: str | None) -> str:
    """Returns the page where a learner takes the course, on the platform or in the web app."""
    return course_on_the_platform(code, external_id) or f"{settings().public_url}/my/courses/{quote(code, safe='')}"


def course_on_the_platform(code: str, external_id: str | None) -> str | None:
    """Returns the course's page on the platform; `None` if the settings name none, or only by an external id, and the
    course has none."""
    template = settings().course_url
    if template is None or ("{external_id}" in template and external_id is None):
        return None
    return template.format(course=quote(code, safe=""), external_id=quote(external_id or "", safe=""))


def managed_course_link(code: str, external_id: str | None) -> str:
    """Returns the page of the course for whoever manages it, on the platform or in the web app."""
    page = f"{settings().public_url}/training/content/courses/{quote(code, safe='')}"
    return course_on_the_platform(code, external_id) or page


def reset_link(reset_id: object) -> str:
    """Returns the page where an administrator follows the reset."""
    return f"{settings().public_url}/resets/{reset_id}"


def rule_link(rule_id: object) -> str:
    """Returns the page of a retraining rule."""
    return f"{settings().public_url}/rules/{rule_id}"


def verify_link(serial: str) -> str:
    """Returns the public page that says whether a certificate is valid."""
    return f"{settings().public_url}/verify/{quote(serial, safe='')}"


def settings_link() -> str:
    """Returns the page where users choose their alerts."""
    return f"{settings().public_url}/my/alerts"


def unsubscribe_link(user_id: int) -> str:
    """Returns the page where the user turns off e-mail without signing in: the signed link proves who they are, and
    opens nothing else."""
    return f"{settings().public_url}/unsubscribe/{_unsubscribe_signer().dumps(user_id)}"


def unsubscribing(token: str) -> int | None:
    """Returns the id of the user whose unsubscribe link ends in this token, `None` if we did not sign it."""
    try:
        return int(_unsubscribe_signer().loads(token))
    except BadData:
        return None


def password_link(user_id: int, before: str) -> str:
    """Returns the page where the user chooses a password. `before` tells how the account was before it."""
    return f"{settings().public_url}/set-password/{_password_signer().dumps([user_id, before])}"


def choosing_password(token: str, seconds: int) -> tuple[int, str] | None:
    """Returns what the link ending in this token was made with, `None` if it is older or we did not sign it."""
    try:
        user_id, before = _password_signer().loads(token, max_age=seconds)
    except BadData:
        return None
    return int(user_id), str(before)


def flower_row(task_id: object) -> str | None:
    """Returns Flower's page of the run with this task id (`Reset.task_id`), `None` if Flower's address is not set."""
    return _in_flower(f"/task/{task_id}")


def flower_worker(name: str) -> str | None:
    """Returns Flower's page of the worker with this name, `None` if Flower's address is not set."""
    return _in_flower(f"/worker/{quote(name)}")


def _in_flower(path: str) -> str | None:
    address = settings().flower_url
    return None if address is None else address + path


def _password_signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_keys(), salt="recourse.password")


def _unsubscribe_signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="recourse.unsubscribe")
