"""Request a reset by a signed message."""

from typing import Any

from models.resets import Audience
from models.session import transaction
from models.tokens import Scope
from tasks.app import app
from tasks.door import Door, refusals_by_code
from tasks.reset.plan import make_plan, signed, together
from tasks.reset.request import request_reset
from tasks.signed_messages import Asked, Id, Words, actor_of


class Message(Asked):
    """The arguments of `recourse.request_reset`."""

    course: Words  # its code, or `external:` and its external id
    confirm: Words  # the same again
    requested_by: Id | None = None  # the id of a user; a signed message must name its token's user
    reason: Words
    audience: str = Audience.ASSIGNED
    user_ids: list[Id] | None = None  # with the audience `users`
    users: list[Words] | None = None  # or their addresses, or `external:` and their external ids
    group: Words | None = None  # its code, with the audience `group`
    due_in_days: int | None = None
    notify: bool = True

    @property
    def named_users(self) -> list[str | int] | None:
        """The named users together."""
        return together(self.user_ids, self.users)


@app.task(name="recourse.request_reset", bind=True, base=Door)
def request_reset_by_message(self: Door, **arguments: Any) -> dict[str, Any]:
    """Request a reset by a signed message from another application that shares the broker; see `asked_by_message`.

    Gives `{"reset": id}`; fails with `RequestRefused`. Either is also sent to `reply_to`.
    """
    with refusals_by_code():
        asked = Message(**arguments)
        with transaction() as session:
            actor = actor_of(session, self.name, asked, arguments, Scope.RESETS_WRITE, asked.requested_by)
            plan = make_plan(
                session,
                actor,
                asked.course,
                audience=asked.audience,
                users=asked.named_users,
                group=asked.group,
                due_in_days=asked.due_in_days,
                notify=asked.notify,
            )
            reset = request_reset(
                session,
                actor,
                plan=signed(plan),
                confirm=plan.course_code if asked.confirm == asked.course else asked.confirm,
                reason=asked.reason,
                idempotency_key=asked.idempotency_key,
            )
        return {"reset": str(reset.id)}
