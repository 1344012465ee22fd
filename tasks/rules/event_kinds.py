"""The words for kinds of events."""

from dataclasses import dataclass

from models.events import EventKind


@dataclass(frozen=True)
class Words:
    """What a kind of event is called."""

    name: str
    one: str  # with its article
    hint: str  # for whoever reports one


WORDS = {
    EventKind.INCIDENT: Words("incident", "an incident", "Somebody was hurt, something broke, or it nearly happened."),
    EventKind.NON_COMPLIANCE: Words("non-compliance", "a non-compliance event", "A rule or a standard was not kept."),
    EventKind.PROCEDURE_CHANGED: Words(
        "changed procedure", "a changed procedure", "What the course teaches is done differently from now on."
    ),
}
