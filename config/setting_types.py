"""The types of settings that need more than a plain value: each checks what the environment holds."""

from ipaddress import ip_network
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

LONGEST_DAYS = 36_500
YOUNGEST_AUDIT_DAYS = 90  # the database itself refuses to delete younger entries


def _for_psycopg(url: str) -> str:
    """Accept the URL as operators write it; without a driver name, SQLAlchemy would look for psycopg 2."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _web_address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return url.rstrip("/")


def _course_address(template: str) -> str:
    _web_address(template)
    try:
        fields = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        fields = set()
    if not fields or fields - {"course", "external_id"}:
        raise ValueError("must contain {course} or {external_id}, such as https://lms.example/courses/{external_id}")
    return template


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < 32:
        raise ValueError("must have at least 32 characters; `openssl rand -hex 32` makes one")
    return key


def _networks(value: object) -> object:
    """Accept addresses and networks only: behind a name or `*`, anyone could forge the address of a request."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        try:
            ip_network(part)
        except ValueError as error:
            raise ValueError(f"{error}; give addresses or networks, such as 172.18.0.1 or 10.0.0.0/8") from None
    return parts


def _old_enough_for_the_audit(days: int) -> int:
    if 0 < days < YOUNGEST_AUDIT_DAYS:
        raise ValueError(f"must be 0, which keeps everything, or at least {YOUNGEST_AUDIT_DAYS}")
    return days


PostgresUrl = Annotated[str, AfterValidator(_for_psycopg)]
WebUrl = Annotated[str, AfterValidator(_web_address)]
CourseUrl = Annotated[str, AfterValidator(_course_address)]
SecretKey = Annotated[SecretStr, AfterValidator(_long_enough)]
Networks = Annotated[list[str], NoDecode, BeforeValidator(_networks)]
Days = Annotated[int, Field(ge=0, le=LONGEST_DAYS)]
AuditDays = Annotated[Days, AfterValidator(_old_enough_for_the_audit)]
