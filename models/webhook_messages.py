"""Writing webhook messages and their deliveries, in the transaction of the event they report."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Select, Subquery, Text, any_, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB, Insert, aggregate_order_by, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import BigInteger, String, Uuid

from models.base import Base
from models.people import User
from models.resets import Reset
from models.training import Course
from models.webhooks import WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookMessage

LEARNERS_A_MESSAGE = 500

_MESSAGE = (WebhookMessage.organization_id, WebhookMessage.event, WebhookMessage.reset_id, WebhookMessage.data)


class LearnerEvent(Base):
    """A learner with a new registration, kept until a message reports it at the end of the reset."""

    __tablename__ = "learner_event"

    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
    outcome: Mapped[str]  # cleared or unchanged, as in the ledger
    old_registration: Mapped[UUID]
    new_registration: Mapped[UUID]


def tell(session: Session, organization_id: int, event: WebhookEvent, reset_id: UUID, data: dict[str, Any]) -> int:
    """Write a message to every endpoint that subscribes to the event. Returns the number of deliveries."""
    message = select(
        literal(organization_id, BigInteger),
        literal(event.value, String),
        literal(reset_id, Uuid),
        literal(data, JSONB),
    ).where(_anyone_subscribes(organization_id, event))
    return _send(session, organization_id, event, message)


def note_learners(organization_id: ColumnElement[int], reset_id: ColumnElement[UUID], learners: Subquery) -> Insert:
    """Returns the statement that notes the learners and their new registrations, if any endpoint subscribes.

    `learners` has the columns `user_id`, `outcome`, `old_registration` and `new_registration`. `tell_learners` reports
    them all at once.
    """
    names = ("user_id", "outcome", "old_registration", "new_registration")
    return (
        insert(LearnerEvent)
        .from_select(
            [LearnerEvent.reset_id, *(getattr(LearnerEvent, name) for name in names)],
            select(reset_id, *(learners.c[name] for name in names)).where(
                _anyone_subscribes(organization_id, WebhookEvent.LEARNER_RESET)
            ),
        )
        .on_conflict_do_nothing()
    )


def tell_learners(session: Session, reset: Reset, course: Course) -> int:
    """Write the messages about the noted learners, up to `LEARNERS_A_MESSAGE` in each. Returns the number of
    deliveries."""
    noted = (
        delete(LearnerEvent)
        .where(LearnerEvent.reset_id == reset.id)
        .returning(
            LearnerEvent.user_id,
            LearnerEvent.outcome,
            LearnerEvent.old_registration,
            LearnerEvent.new_registration,
        )
        .cte("noted")
    )
    learner = _json_object(
        user=noted.c.user_id,
        external_id=User.external_id.expression,
        outcome=noted.c.outcome,
        old_registration=noted.c.old_registration,
        new_registration=noted.c.new_registration,
    )
    place = func.row_number().over(order_by=noted.c.user_id) - 1
    placed = (
        select(noted.c.user_id, learner.label("learner"), (place // LEARNERS_A_MESSAGE).label("message"))
        .join(User, User.id == noted.c.user_id)
        .subquery()
    )
    data = _json_object(
        reset=literal(str(reset.id), String),
        course=literal(course.code, String),
        course_external_id=literal(course.external_id, String),
        reason=literal(reset.reason, String),
        idempotency_key=literal(reset.idempotency_key, String),
        learners=func.jsonb_agg(aggregate_order_by(placed.c.learner, placed.c.user_id)),
    )
    messages = select(
        literal(reset.organization_id, BigInteger),
        literal(WebhookEvent.LEARNER_RESET.value, String),
        literal(reset.id, Uuid),
        data,
    ).group_by(placed.c.message)
    return _send(session, reset.organization_id, WebhookEvent.LEARNER_RESET, messages)


_FORGET = text("""
UPDATE webhook_message SET data = jsonb_set(data, '{learners}', (
    SELECT jsonb_agg(CASE WHEN learner['user'] = to_jsonb(CAST(:user AS bigint))
                          THEN learner || '{"external_id": null}' ELSE learner END ORDER BY place)
    FROM jsonb_array_elements(data['learners']) WITH ORDINALITY AS listed(learner, place)))
WHERE organization_id = :organization AND event = 'learner.reset'
  AND data @> jsonb_build_object('learners', jsonb_build_array(jsonb_build_object('user', CAST(:user AS bigint))))
""")


def forget_external_id(session: Session, user: User) -> None:
    """Remove the user's external id from the messages that are kept."""
    session.execute(_FORGET, {"organization": user.organization_id, "user": user.id})


def _json_object(**values: ColumnElement[Any]) -> ColumnElement[Any]:
    pairs = [part for name, value in values.items() for part in (literal(name, String), value)]
    return func.jsonb_build_object(*pairs)


def _subscribes(organization_id: int | ColumnElement[int], event: WebhookEvent) -> ColumnElement[bool]:
    """Returns the condition that an endpoint is open and receives the organization's events of this type."""
    return (
        (WebhookEndpoint.organization_id == organization_id)
        & WebhookEndpoint.disabled_at.is_(None)
        & (literal(event.value, Text) == any_(WebhookEndpoint.events))
    )


def _anyone_subscribes(organization_id: int | ColumnElement[int], event: WebhookEvent) -> ColumnElement[bool]:
    return select(WebhookEndpoint).where(_subscribes(organization_id, event)).exists()


def _send(session: Session, organization_id: int, event: WebhookEvent, rows: Select[Any]) -> int:
    """Insert the messages, and a delivery of each to every endpoint that subscribes. Returns the number of
    deliveries."""
    messages = insert(WebhookMessage).from_select([*_MESSAGE], rows).returning(WebhookMessage.id).cte("message")
    deliveries = (
        insert(WebhookDelivery)
        .from_select(
            [WebhookDelivery.message_id, WebhookDelivery.endpoint_id],
            select(messages.c.id, WebhookEndpoint.id)
            .select_from(messages)
            .join(WebhookEndpoint, _subscribes(organization_id, event)),
        )
        .returning(WebhookDelivery.endpoint_id)
        .cte("deliveries")
    )
    return session.scalars(select(func.count()).select_from(deliveries)).one()
