"""Requests by message, from applications that sign what they send with the secret of an API token.

Anyone who can write to the broker can send any task. Tasks that only look at the ledger do what was requested before,
so their sender does not matter. Tasks that request something need a signature. Their class is in `tasks/door.py`.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from config.settings import settings
from models.access import Actor, acting_user_by_id, actor_for
from models.people import organization_by_slug
from models.refusals.access import MessageExpired, MessageNotSigned, ScopeMissing
from models.refusals.organizations import OrganizationUnknown
from models.tokens import Scope, message_secrets, usable_token

OLDEST = timedelta(days=1)  # allows for outages; older idempotency keys may have been deleted
FASTEST_CLOCK = timedelta(minutes=5)  # how far the sender's clock may be ahead

Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]  # the range of a database id
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]


class RequestRefused(Exception):  # noqa: N818 - callers see this name
    """A request by message was refused. Its arguments are the refusal's code and message."""


class TheirTask(BaseModel):
    """A task of another application on the broker, and its queue."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    task: Name
    queue: Name

    @property
    def is_ours(self) -> bool:
        """Whether it is one of our own tasks, or in a queue of ours: nobody may start those through us."""
        return self.task.startswith("recourse.") or self.queue.startswith(settings().broker_prefix)

    def send(self, **message: Any) -> None:
        """Send it. `message` goes to Celery's `send_task`, and so do its exceptions."""
        from kombu import Queue  # type: ignore[attr-defined]  # loads Celery, as the next does

        from tasks.app import app

        queue = Queue(self.queue)  # type: ignore[no-untyped-call]
        # Declare nothing: the queue is theirs.
        app.send_task(self.task, queue=queue, declare=[], ignore_result=True, add_to_parent=False, **message)


class Asked(BaseModel):
    """The arguments that every request by message has. Plain JSON, with ids instead of names."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    organization: Words  # its slug
    idempotency_key: Words  # required: the message may arrive twice
    reply_to: TheirTask | None = None  # takes one argument, the answer
    application: Id | None = None  # the id of the token whose secret signs it
    sent_at: Id | None = None  # seconds since 1970
    signature: Annotated[str | None, Field(max_length=200)] = None


def signature_of(secret: str, task: str, arguments: Mapping[str, Any]) -> str:
    """Returns the signature of a message: the HMAC-SHA256, in hexadecimal, of its task name and arguments as JSON.

    The JSON has sorted keys, no spaces, and only ASCII characters.
    """
    signed = {"task": task, **{name: value for name, value in arguments.items() if name != "signature"}}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"))
    return hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex()


def actor_of(
    session: Session, task: str, asked: Asked, arguments: Mapping[str, Any], scope: Scope, user_id: int | None
) -> Actor:
    """Returns the user whose token signed the message. `user_id` is the user named in the message, if any.

    Raises `MessageNotSigned`, `MessageExpired`, `ScopeMissing`, `OrganizationUnknown`, `UserUnknown`.
    """
    if asked.application is None and settings().allow_unsigned_messages:
        if user_id is None:
            raise MessageNotSigned
        return acting_user_by_id(session, organization_by_slug(session, asked.organization), user_id)
    if asked.application is None or asked.sent_at is None or asked.signature is None:
        raise MessageNotSigned
    found = usable_token(session, asked.application)
    if found is None or not any(
        hmac.compare_digest(signature_of(secret, task, arguments).encode(), asked.signature.encode())
        for secret in message_secrets(found.token)
    ):  # the same refusal for an unknown token: senders must not learn which tokens exist
        raise MessageNotSigned
    age = datetime.now(UTC).timestamp() - asked.sent_at
    if not -FASTEST_CLOCK.total_seconds() <= age <= OLDEST.total_seconds():
        raise MessageExpired
    if scope not in found.token.scopes:
        raise ScopeMissing(scope)
    if user_id not in (None, found.user.id):  # a token speaks for its own user only
        raise MessageNotSigned
    if organization_by_slug(session, asked.organization).id != found.user.organization_id:
        raise OrganizationUnknown(asked.organization)
    return actor_for(found.user, at_most=found.token.permissions)
