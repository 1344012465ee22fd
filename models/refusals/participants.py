"""Participants."""

from models.refusals.base import Refused


class ParticipantInvalid(Refused):
    code = "participant-invalid"

    def __init__(self, why: str) -> None:
        super().__init__("{why} Correct it and try again: nothing was saved.", why=why)


class ParticipantExists(Refused):
    code = "participant-exists"
    status = 409

    def __init__(self, code: str) -> None:
        super().__init__(
            "There is a participant “{code}” already. Choose another name, or remove that one first.", code=code
        )


class ParticipantUnknown(Refused):
    code = "participant-unknown"
    status = 404

    def __init__(self, code: str) -> None:
        super().__init__("There is no participant “{code}”. Check the name; it may have been removed.", code=code)


class ParticipantOperatorOnly(Refused):
    code = "participant-operator-only"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "Only an operator can add a Celery task or a plug-in, since it runs beside those of all organizations. Ask "
            "one, or add a URL."
        )


class RequestUnknown(Refused):
    code = "participant-request-unknown"
    status = 404

    def __init__(self) -> None:
        super().__init__(
            "There is no request with this key, or the signature is not the participant's. Use the idempotency key of "
            "the request, and sign with the participant's secret."
        )


class ReportInvalid(Refused):
    code = "participant-report-invalid"

    def __init__(self, why: str) -> None:
        super().__init__("The report is not as agreed: {why}. Correct it and send it again.", why=why)
