"""Reports: what a participant answers later, signed with its secret, by API or message."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from standardwebhooks import Webhook, WebhookVerificationError

from config.languages.stored import stored
from models.participants import AskState, Participant, ParticipantRequest
from models.refusals.participants import ReportInvalid, RequestUnknown
from models.session import transaction
from tasks.app import app
from tasks.door import Door, refusals_by_code
from tasks.faults import faults_in
from tasks.participants.protocol import ClearAnswer, Outcome
from tasks.participants.settle import settle
from tasks.signed_messages import RequestRefused, signature_of


class Message(ClearAnswer):
    """The arguments of `recourse.report_cleared`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    idempotency_key: UUID
    signature: Annotated[str, Field(max_length=200)]


def check_signature(session: Session, key: UUID, headers: Mapping[str, str], body: bytes) -> None:
    """Check that the asked participant signed a report, as Standard Webhooks specifies.

    Raises `RequestUnknown`, also for an unknown request: who has no secret does not learn which there are.
    """
    for secret in _asked(session, key).secrets():
        with suppress(WebhookVerificationError, ValueError):
            Webhook(secret).verify(body, dict(headers))
            return
    raise RequestUnknown


def take_report(session: Session, key: UUID, outcomes: list[Outcome]) -> bool:
    """Take what a participant says of some or all learners of a request, once its signature is checked.

    Returns whether it was waited for: a report that comes after its learners have an end, or after the reset was
    cancelled, changes nothing.
    """
    request = session.get_one(ParticipantRequest, key, with_for_update=True)
    if request.state != AskState.WAITING:
        return False
    request.outcome = stored("reported")
    settle(session, request, outcomes, whole=False)
    return True


@app.task(name="recourse.report_cleared", bind=True, base=Door)
def report_by_message(self: Door, **arguments: Any) -> dict[str, Any]:
    """Take a participant's report by message: its request's `idempotency_key`, `learners`, and `signature`, which is
    that of other messages, made with the participant's secret.

    Returns `{"taken": whether it was waited for}`. Raises `RequestRefused`.
    """
    with refusals_by_code():
        try:
            said = Message(**arguments)
        except ValidationError as error:
            raise RequestRefused("participant-report-invalid", str(ReportInvalid(faults_in(error)[0]))) from None
        with transaction() as session:
            secrets = _asked(session, said.idempotency_key).secrets()
            if said.signature not in [signature_of(secret, self.name, arguments) for secret in secrets]:
                raise RequestUnknown
            return {"taken": take_report(session, said.idempotency_key, said.outcomes())}


def _asked(session: Session, key: UUID) -> Participant:
    """Returns the participant that was asked. Raises `RequestUnknown`."""
    participant = session.scalar(
        select(Participant)
        .join(ParticipantRequest, ParticipantRequest.participant_id == Participant.id)
        .where(ParticipantRequest.id == key)
    )
    if participant is None:
        raise RequestUnknown
    return participant
