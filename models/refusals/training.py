"""Courses, and what learners do in them."""

from models.refusals.base import Refused


class CourseUnknown(Refused):
    code = "course-unknown"
    status = 404

    def __init__(self, code: str) -> None:
        super().__init__(f"There is no course {code!r}. Check the course code; upper and lower case count.")


class CourseNotAssigned(Refused):
    code = "course-not-assigned"
    status = 404

    def __init__(self, code: str, whom: str) -> None:
        super().__init__(f"The course {code} is not assigned to {whom}. Ask an administrator to assign it.")


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
            f"This course has no {kind.replace('_', ' ')} {activity}. Nothing was saved. Open the course again."
        )


class NothingHandedIn(Refused):
    code = "nothing-handed-in"

    def __init__(self) -> None:
        super().__init__("There is neither text nor a file. Nothing was saved; write something, or choose a file.")


class NotYetDone(Refused):
    code = "not-yet-done"

    def __init__(self, *, anything_to_do: bool = True) -> None:
        super().__init__(
            "This course is not finished yet. Open it and finish what is left."
            if anything_to_do
            else "This course has no activities here, so you cannot complete it yourself. "
            "Ask its manager to record that you took it."
        )


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
            f"The completion was not saved: {why}. Check the date. "
            "If the learner has completed the course since, send the date of that."
        )


class CertificateMissing(Refused):
    code = "certificate-missing"
    status = 404

    def __init__(self, course: str) -> None:
        super().__init__(f"You have no certificate for {course}. Open the course to see what is left to do.")
