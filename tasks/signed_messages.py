"""Who asks by message: an application that signs what it sends with the secret of an API token.

Whoever can write to the broker can send any task. Those that only say "look at the ledger" do what was asked for
already, whoever sends them. Those that ask for something are believed only when they are signed.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import structlog
from kombu import Queue  # type: ignore[attr-defined]
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from config.settings import settings
from models.access import Actor, acting_user_by_id, actor_for
from models.people import Organization
from models.refusals.access import MessageExpired, MessageNotSigned, ScopeMissing
from models.refusals.base import Refused
from models.refusals.organizations import OrganizationUnknown
from models.tokens import Scope, message_secrets, usable_token
from tasks.app import app
from tasks.base import Step

OLDEST = timedelta(days=1)  # a broker or a worker may have been away; beyond that, keys may be forgotten
FASTEST_CLOCK = timedelta(minutes=5)  # ahead of ours

log = structlog.get_logger(__name__)

Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]  # what the database has room for
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]


class RequestRefused(Exception):  # noqa: N818 - its name is what the caller is shown
    """A request by message was refused: its arguments are the refusal's code and its sentence."""


class ReplyTo(BaseModel):
    """Where the sender wants to hear what became of it: a task of theirs, with one argument, and its queue."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    task: Name
    queue: Name


class Asked(BaseModel):
    """What every message that asks for something says besides. Plain JSON, and ids instead of names."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    organization: Words  # its slug
    idempotency_key: Words  # not optional, since the message may arrive twice
    reply_to: ReplyTo | None = None
    application: Id | None = None  # the id of the token whose secret signs it
    sent_at: Id | None = None  # seconds since 1970
    signature: Annotated[str | None, Field(max_length=200)] = None


def signature_of(secret: str, task: str, arguments: Mapping[str, Any]) -> str:
    """The signature of a message: HMAC-SHA256, in hexadecimal, of its task's name and arguments as JSON.

    That JSON has its keys in order, no spaces, and nothing but ASCII.
    """
    signed = {"task": task, **{name: value for name, value in arguments.items() if name != "signature"}}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"))
    return hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex()


def actor_of(
    session: Session, task: str, asked: Asked, arguments: Mapping[str, Any], scope: Scope, user_id: int | None
) -> Actor:
    """In whose name the message asks: the user of the token that it is signed with. `user_id` is whom it names itself.

    Raises `MessageNotSigned`, `MessageExpired`, `ScopeMissing`, `OrganizationUnknown`, `UserUnknown`.
    """
    if asked.application is None and settings().allow_unsigned_messages:
        if user_id is None:
            raise MessageNotSigned
        return acting_user_by_id(session, _organization(session, asked.organization), user_id)
    if asked.application is None or asked.sent_at is None or asked.signature is None:
        raise MessageNotSigned
    found = usable_token(session, asked.application)
    if found is None or not any(
        hmac.compare_digest(signature_of(secret, task, arguments).encode(), asked.signature.encode())
        for secret in message_secrets(found.token)
    ):  # that there is such a token is nobody's business who cannot sign
        raise MessageNotSigned
    age = datetime.now(UTC).timestamp() - asked.sent_at
    if not -FASTEST_CLOCK.total_seconds() <= age <= OLDEST.total_seconds():
        raise MessageExpired
    if scope not in found.token.scopes:
        raise ScopeMissing(scope)
    if user_id not in (None, found.user.id):  # a token is its user's, and speaks for nobody else
        raise MessageNotSigned
    if _organization(session, asked.organization).id != found.user.organization_id:
        raise OrganizationUnknown(f"There is no organization {asked.organization!r}. Check its short name.")
    return actor_for(found.user)


def _organization(session: Session, slug: str) -> Organization:
    owner = session.scalar(select(Organization).where(Organization.slug == slug))
    if owner is None:
        raise OrganizationUnknown(f"There is no organization {slug!r}. Check its short name.")
    return owner


class Door(Step):
    """The task class of what asks for something: the sender is told how it ended, if they said where."""

    abstract = True
    # Nothing of it is in the database yet that `recover` could find. So it waits for the database as long as it takes.
    autoretry_for = (OperationalError,)
    retry_backoff = 2
    retry_backoff_max = 60  # seconds
    max_retries = None
    throws = (RequestRefused,)
    ignore_result = False

    def on_success(self, retval: dict[str, Any], _task_id: str, _args: Any, kwargs: dict[str, Any]) -> None:
        """Celery calls this once the result is stored."""
        _reply(self, kwargs, retval)

    def on_failure(self, exc: Exception, _task_id: str, _args: Any, kwargs: dict[str, Any], _info: Any) -> None:
        """And this when there will be none."""
        if isinstance(exc, RequestRefused):
            code, sentence = exc.args
        else:
            code, sentence = "internal-error", "Something went wrong that we did not foresee. It was logged."
        log.warning("message_refused", message=self.name, code=code)
        _reply(self, kwargs, {"refused": code, "because": sentence})


@contextmanager
def refusals_by_code() -> Iterator[None]:
    """Give refusals, and arguments that do not fit, to whoever sent the message, as `RequestRefused`."""
    try:
        yield
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise RequestRefused("arguments-invalid", f"Put these arguments right and send it again: {wrong}") from None
    except Refused as refusal:
        raise RequestRefused(refusal.code, str(refusal)) from None


def _reply(task: Step, arguments: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    try:
        where = ReplyTo.model_validate(arguments.get("reply_to"))
    except ValidationError:
        return  # none was asked for, or none that can be given
    if where.task.startswith("recourse.") or where.queue.startswith(settings().broker_prefix):
        return  # what is ours is not for others to set off through us
    told = {"task": task.name, "idempotency_key": arguments.get("idempotency_key"), **answer}
    queue = Queue(where.queue)  # type: ignore[no-untyped-call]
    try:
        # Nothing is declared: the queue is theirs.
        app.send_task(where.task, args=[told], queue=queue, declare=[], ignore_result=True, add_to_parent=False)
    except Exception as error:  # who asks again with the same key gets the same answer
        log.warning("reply_not_sent", reply_task=where.task, error=type(error).__name__)
