"""Courses, and what learners do in them."""

from config.languages import translatable
from models.refusals.base import Refused


class CourseUnknown(Refused):
    code = "course-unknown"
    status = 404

    def __init__(self, code: str) -> None:
        super().__init__("There is no course {code!r}. Check the course code; upper and lower case count.", code=code)


class CourseNotAssigned(Refused):
    code = "course-not-assigned"
    status = 404

    def __init__(self, code: str, whom: str) -> None:
        super().__init__(
            "The course {code} is not assigned to {whom}. Ask an administrator to assign it.", code=code, whom=whom
        )


class StaleRegistration(Refused):
    code = "stale-registration"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "This registration is no longer current: the course was reset, or is no longer assigned. "
            "Nothing was saved. Open the course again to start over."
        )


class ActivityUnknown(Refused):
    code = "activity-unknown"

    def __init__(self, activity: object, kind: str) -> None:
        super().__init__(
            "This course has no {kind} {activity}. Nothing was saved. Open the course again.",
            kind=translatable(kind.replace("_", " ")),
            activity=activity,
        )


class NothingHandedIn(Refused):
    code = "nothing-handed-in"

    def __init__(self) -> None:
        super().__init__("There is neither text nor a file. Nothing was saved; write something, or choose a file.")


UNFINISHED = translatable("This course is not finished yet. Open it and finish what is left.")
NOTHING_TO_DO = translatable(
    "This course has no activities here, so you cannot complete it yourself. Ask its manager to record that you "
    "took it."
)


class NotYetDone(Refused):
    code = "not-yet-done"

    def __init__(self, *, anything_to_do: bool = True) -> None:
        super().__init__(UNFINISHED if anything_to_do else NOTHING_TO_DO)


class OwnWork(Refused):
    code = "own-work"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "You cannot mark your own work. Hand it in without a score, and ask someone else to mark it. "
            "Nothing was saved."
        )


class OwnCompletion(Refused):
    code = "own-completion"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "You cannot give your own completion a date or a score. Ask someone else to record it. Nothing was saved."
        )


class CompletionUndatable(Refused):
    code = "completion-undatable"

    def __init__(self, why: str) -> None:
        super().__init__(
            "The completion was not saved: {why}. Check the date. "
            "If the learner has completed the course since, send the date of that.",
            why=why,
        )


class CertificateMissing(Refused):
    code = "certificate-missing"
    status = 404

    def __init__(self, course: str) -> None:
        super().__init__(
            "You have no certificate for {course}. Open the course to see what is left to do.", course=course
        )
