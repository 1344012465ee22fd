"""Reported events and their sources."""

from config.languages import gettext
from models.refusals.base import Refused, some_of


class EventMismatch(Refused):
    code = "event-mismatch"

    def __init__(self) -> None:
        super().__init__("This key was used for a different event. Use a new key for a new event.")


class EventUnknown(Refused):
    code = "event-unknown"
    status = 404

    def __init__(self) -> None:
        super().__init__("This event does not exist. Check the link; old events are deleted after a time.")


class EventSourceUnknown(Refused):
    code = "event-source-unknown"
    status = 404

    def __init__(self) -> None:
        super().__init__("This event source does not exist. Check its id.")


class EventInvalid(Refused):
    code = "event-invalid"

    def __init__(self, wrong: str) -> None:
        details = gettext(" Details: {wrong}.", wrong=wrong) if wrong else ""
        super().__init__(
            "This is not a valid event. Send one JSON object with the event's kind, the course's code, the reason and, "
            "optionally, the group's code or the persons' addresses. Nothing was changed.{details}",
            details=details,
        )


class EventKindUnknown(Refused):
    code = "event-kind-unknown"

    def __init__(self) -> None:
        super().__init__("Choose what happened: an incident, a non-compliance or a changed procedure.")


class PersonsUnknown(Refused):
    code = "persons-unknown"

    def __init__(self, unknown: list[str]) -> None:
        names = some_of(unknown, 20)
        super().__init__(
            "These are no users of this organization: {names}. Correct or remove them. Nothing was sent.", names=names
        )


class SignatureInvalid(Refused):
    code = "signature-invalid"
    status = 401

    def __init__(self) -> None:
        super().__init__(
            "The signature does not match, or the message is more than five minutes old. Sign the exact body with the "
            "source's secret, as Standard Webhooks specifies. Nothing was changed."
        )
