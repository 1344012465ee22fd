"""Plans and resets."""

from config.languages import translatable
from models.refusals.base import Refused, some_of


class AudienceInvalid(Refused):
    code = "audience-invalid"


class NotAssigned(Refused):
    code = "not-assigned"

    def __init__(self, who: list[str], course: str) -> None:
        names = some_of(who, 5)
        super().__init__(
            "{course} is not assigned to {names}. Assign it first, or leave them out.", course=course, names=names
        )


class PlanInvalid(Refused):
    code = "plan-invalid"

    def __init__(self) -> None:
        super().__init__("This plan was not issued here, or was changed. Preview the reset again.")


class PlanExpired(Refused):
    code = "plan-expired"
    status = 409

    def __init__(self, minutes: int) -> None:
        super().__init__(
            "This plan is older than {minutes} minutes. Preview the reset again to see what it would do now.",
            minutes=minutes,
        )


class PlanOutdated(Refused):
    """Carries what has changed, and the plan's current numbers."""

    code = "plan-outdated"
    status = 409

    def __init__(
        self, changes: list[str], learners: int, removed: dict[str, int], alerts: int, *, about: bool = False
    ) -> None:
        super().__init__(
            "Things have changed since the preview: {what}. "
            "Nothing was reset. Preview the reset again, and confirm it if that is what you want.",
            what="; ".join(changes),
        )
        self.changes, self.learners, self.removed, self.alerts, self.about = changes, learners, removed, alerts, about


class ConfirmMismatch(Refused):
    code = "confirm-mismatch"

    def __init__(self, course: str) -> None:
        super().__init__(
            "The confirmation does not match. Type the course code {course} exactly to confirm.", course=course
        )


class ReasonMissing(Refused):
    code = "reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "A reset needs a reason, which is kept in the audit. Say why: for example “yearly recertification”."
        )


class DueInDaysInvalid(Refused):
    code = "due-in-days-invalid"

    def __init__(self) -> None:
        super().__init__("The new due date is out of range. Choose 1 to 3650 days from now.")


class SkipCompletedInvalid(Refused):
    code = "skip-completed-invalid"

    def __init__(self) -> None:
        super().__init__("The number of days is out of range. Choose 1 to 3650.")


class StartAtInvalid(Refused):
    code = "start-at-invalid"

    def __init__(self) -> None:
        super().__init__("Choose a start in the future, within the next 365 days. Nothing was changed.")


class AlreadyResetting(Refused):
    code = "already-resetting"
    status = 409

    def __init__(self, course: str) -> None:
        super().__init__(
            "Another reset of {course} is already running for all of these learners. Nothing was changed; "
            "wait until it ends, then preview again.",
            course=course,
        )


class ResetUnknown(Refused):
    code = "reset-unknown"
    status = 404

    def __init__(self, reset: str) -> None:
        super().__init__("There is no reset {reset!r}. Check its id.", reset=reset)


class ResetAmbiguous(Refused):
    code = "reset-ambiguous"
    status = 409

    def __init__(self, reset: str, alike: str) -> None:
        super().__init__(
            "Several resets have ids like {reset!r}: {alike}. Type more of the id.", reset=reset, alike=alike
        )


class AlreadyBegun(Refused):
    code = "already-begun"
    status = 409

    def __init__(self) -> None:
        super().__init__("This reset has begun, has ended, or was cancelled, so it cannot be moved. Open its page.")


CANCEL = translatable("This reset has already ended ({state}). There is nothing left to cancel.")
PAUSE = translatable("This reset has already ended ({state}). There is nothing left to pause.")


class AlreadySettled(Refused):
    code = "already-settled"
    status = 409

    def __init__(self, state: str, sentence: str = CANCEL) -> None:
        super().__init__(sentence, state=translatable(state.replace("_", " ")))


AFTER_DAYS = translatable(
    "The details of this reset were deleted {days:,} days after its end; its totals are kept. Preview a new reset."
)
AT_AGE = translatable(
    "The details of this reset were deleted when they reached their age limit; its totals are kept. "
    "Preview a new reset."
)


class DetailsDeleted(Refused):
    code = "details-deleted"
    status = 410

    def __init__(self, days: int = 0) -> None:
        super().__init__(AFTER_DAYS if days else AT_AGE, days=days)


class NothingToRetry(Refused):
    code = "nothing-to-retry"
    status = 409

    def __init__(self, state: str) -> None:
        super().__init__(
            "This reset is {state} and has no failed learners to retry. To reset more, preview and request a new one.",
            state=translatable(state.replace("_", " ")),
        )


class NotYetOver(Refused):
    code = "not-yet-over"
    status = 409

    def __init__(self) -> None:
        super().__init__("Another job is working on this. Nothing was changed; try again in a few seconds.")
