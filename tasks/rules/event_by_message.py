"""Report an event by a signed message."""

from typing import Annotated, Any

from pydantic import Field

from models.events import EventKind
from models.session import transaction
from models.tokens import Scope
from tasks.app import app
from tasks.door import Door, refusals_by_code
from tasks.rules.events import report_event, rules_of
from tasks.signed_messages import Asked, Id, Words, actor_of


class Report(Asked):
    """The arguments of `recourse.report_event`."""

    course: Words  # its code
    kind: Annotated[EventKind, Field(strict=False)]  # strict mode refuses the name, which is all that JSON has
    reason: Words
    reported_by: Id | None = None  # a user's id; in a signed message only that of the token's user
    group: Words | None = None  # its code
    users: list[Words] | None = None  # their addresses, or `external:` and external ids


@app.task(name="recourse.report_event", bind=True, base=Door)
def report_event_by_message(self: Door, **arguments: Any) -> dict[str, Any]:
    """Report an event for another application that shares the broker, by a signed message.

    Returns `{"event": id, "rules": number made due}`. Raises `RequestRefused`. Either is also sent to `reply_to`.
    """
    with refusals_by_code():
        asked = Report(**arguments)
        with transaction() as session:
            event = report_event(
                session,
                actor_of(session, self.name, asked, arguments, Scope.EVENTS_WRITE, asked.reported_by),
                kind=asked.kind,
                course=asked.course,
                reason=asked.reason,
                key=asked.idempotency_key,
                group=asked.group,
                users=asked.users,
            )
            return {"event": event.id, "rules": rules_of(session, event)}
