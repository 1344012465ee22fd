"""The words for kinds of events."""

from dataclasses import dataclass

from config.languages import translatable
from models.events import EventKind
from tasks.event_reasons import NAMES


@dataclass(frozen=True)
class Words:
    """What a kind of event is called."""

    name: str
    one: str  # with its article
    hint: str  # for whoever reports one


WORDS = {
    EventKind.INCIDENT: Words(
        NAMES[EventKind.INCIDENT],
        translatable("an incident"),
        translatable("Somebody was hurt, something broke, or it nearly happened."),
    ),
    EventKind.NON_COMPLIANCE: Words(
        NAMES[EventKind.NON_COMPLIANCE],
        translatable("a non-compliance event"),
        translatable("A rule or a standard was not kept."),
    ),
    EventKind.PROCEDURE_CHANGED: Words(
        NAMES[EventKind.PROCEDURE_CHANGED],
        translatable("a changed procedure"),
        translatable("What the course teaches is done differently from now on."),
    ),
}
