"""What is refused, and what to do about it. A refusal is an answer, not a fault: nothing was changed."""

from typing import ClassVar


class Refused(Exception):  # noqa: N818 - it is caught and shown as an answer
    """Base of all refusals. The message is a plain sentence for the person who asked.

    `code` is the stable name by which programs tell refusals apart.
    """

    code: ClassVar[str]


class OrganizationUnknown(Refused):
    code = "organization-unknown"


class OrganizationExists(Refused):
    code = "organization-exists"

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is an organization {slug!r} already. Use another short name.")


class OrganizationInvalid(Refused):
    code = "organization-invalid"


class FirstStartOver(Refused):
    code = "first-start-over"

    def __init__(self) -> None:
        super().__init__(
            "This link is not valid, or no longer. Open the sign-in page: if there is no organization yet, the web "
            "app's log then has a new link."
        )


class CourseUnknown(Refused):
    code = "course-unknown"

    def __init__(self, code: str) -> None:
        super().__init__(f"There is no course {code!r}. Check the course code; upper and lower case count.")


class UserUnknown(Refused):
    code = "user-unknown"

    def __init__(self, who: str) -> None:
        super().__init__(f"There is no active user {who!r} in this organization. Check the address or id.")


class UserExists(Refused):
    code = "user-exists"

    def __init__(self, who: str) -> None:
        super().__init__(f"There is a user {who!r} in this organization already. Use another address.")


class EraseMismatch(Refused):
    code = "erase-mismatch"

    def __init__(self) -> None:
        super().__init__("This is not the user's e-mail address. Type it exactly to confirm; nothing was erased.")


class NotOneself(Refused):
    code = "not-oneself"

    def __init__(self) -> None:
        super().__init__("You cannot erase yourself. Ask another administrator, or the operator of this installation.")


class NotAssigned(Refused):
    code = "not-assigned"

    def __init__(self, who: list[str], course: str) -> None:
        names = ", ".join(who[:5]) + (f" and {len(who) - 5:,} more" if len(who) > 5 else "")
        super().__init__(f"{course} is not assigned to {names}. Assign it first, or leave them out.")


class CourseNotAssigned(Refused):
    code = "course-not-assigned"

    def __init__(self, code: str, whom: str) -> None:
        super().__init__(f"The course {code} is not assigned to {whom}. Ask an administrator to assign it.")


class AudienceInvalid(Refused):
    code = "audience-invalid"


class Forbidden(Refused):
    code = "forbidden"

    def __init__(self, permission: str) -> None:
        self.permission = permission
        super().__init__(f"This needs the permission “{permission}”. Ask an administrator for it.")


class PlanInvalid(Refused):
    code = "plan-invalid"

    def __init__(self) -> None:
        super().__init__("This plan is not one that was issued here, or it was changed. Preview the reset again.")


class PlanExpired(Refused):
    code = "plan-expired"

    def __init__(self, minutes: int) -> None:
        super().__init__(
            f"This plan is older than {minutes} minutes. Preview the reset again to see what it would do now."
        )


class PlanOutdated(Refused):
    """It carries what has changed, and the plan's figures as they are now."""

    code = "plan-outdated"

    def __init__(
        self, changes: list[str], learners: int, removed: dict[str, int], alerts: int, *, about: bool = False
    ) -> None:
        super().__init__(
            f"This is not what the preview showed any more: {'; '.join(changes)}. "
            "Nothing was reset. Preview the reset again, and confirm it if that is what you want."
        )
        self.changes, self.learners, self.removed, self.alerts, self.about = changes, learners, removed, alerts, about


class ConfirmMismatch(Refused):
    code = "confirm-mismatch"

    def __init__(self, course: str) -> None:
        super().__init__(f"The confirmation does not match. Type the course code {course} exactly to confirm.")


class ReasonMissing(Refused):
    code = "reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "A reset needs a reason. Say why, so that the audit can tell: for example “yearly recertification”."
        )


class DueInDaysInvalid(Refused):
    code = "due-in-days-invalid"

    def __init__(self) -> None:
        super().__init__("The number of days until the new due date must be from 1 to 3650.")


class IdempotencyMismatch(Refused):
    code = "idempotency-mismatch"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another request. Use a new key for a new request.")


class ResetUnknown(Refused):
    code = "reset-unknown"

    def __init__(self, reset: str) -> None:
        super().__init__(f"There is no reset {reset!r}. `recourse resets` lists them.")


class AlreadySettled(Refused):
    code = "already-settled"

    def __init__(self, state: str) -> None:
        super().__init__(f"This reset has already ended ({state.replace('_', ' ')}); there is nothing left to cancel.")


class DetailsDeleted(Refused):
    code = "details-deleted"

    def __init__(self, days: int = 0) -> None:
        after = f"{days:,} days after its end" if days else "by their age"
        super().__init__(f"The details of this reset were deleted {after}; its figures are kept. Preview a new reset.")


class NothingToRetry(Refused):
    code = "nothing-to-retry"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"This reset is {state.replace('_', ' ')} and has no failed learner who could be tried again now. "
            "To reset more, preview and request a new one."
        )


class NotYetOver(Refused):
    code = "not-yet-over"

    def __init__(self) -> None:
        super().__init__("Another job has this in hand at the moment. Nothing was changed; try again in a few seconds.")


class StaleRegistration(Refused):
    code = "stale-registration"

    def __init__(self) -> None:
        super().__init__(
            "This registration is no longer current: the course was reset or is not assigned any more. "
            "Nothing was saved. Open the course again to start afresh."
        )


class ActivityUnknown(Refused):
    code = "activity-unknown"

    def __init__(self, activity: object, kind: str) -> None:
        super().__init__(f"This course has no {kind.replace('_', ' ')} {activity}. Nothing was saved.")


class GroupUnknown(Refused):
    code = "group-unknown"

    def __init__(self, group: object) -> None:
        super().__init__(f"There is no group {group!r} in this organization. `recourse groups list` lists them.")


class GroupInvalid(Refused):
    code = "group-invalid"

    def __init__(self) -> None:
        super().__init__("A group's code must be 1 to 100 characters long, without “/”, and its name 1 to 200.")


class RecurrenceInvalid(Refused):
    code = "recurrence-invalid"

    def __init__(self, why: str) -> None:
        super().__init__(f"This is no recurrence that a rule can have. {why} Nothing was changed.")


class RuleInvalid(Refused):
    code = "rule-invalid"


class RuleUnknown(Refused):
    code = "rule-unknown"

    def __init__(self, rule: object) -> None:
        super().__init__(f"There is no rule {rule}. `recourse rules list` lists them.")


class RuleNotSo(Refused):
    code = "rule-not-so"

    def __init__(self, state: str, what: str) -> None:
        super().__init__(f"This rule is {state.replace('_', ' ')} and cannot be {what}. Nothing was changed.")


class BrakeHolds(Refused):
    code = "brake-holds"


class EventMismatch(Refused):
    code = "event-mismatch"

    def __init__(self) -> None:
        super().__init__("This key was used for another event. Use a new key for a new event.")


class EventSourceUnknown(Refused):
    code = "event-source-unknown"

    def __init__(self) -> None:
        super().__init__("There is no such event source, or it was closed. `recourse events sources list` lists them.")


class EventInvalid(Refused):
    code = "event-invalid"

    def __init__(self, wrong: str) -> None:
        told = f" What is wrong: {wrong}." if wrong else ""
        super().__init__(
            "This is no event. Say its kind, the course's code and the reason, and perhaps the group's code, as one "
            f"JSON object. Nothing was changed.{told}"
        )


class SignatureInvalid(Refused):
    code = "signature-invalid"

    def __init__(self) -> None:
        super().__init__(
            "The signature does not match, or the message is more than five minutes old. Check that the exact body is "
            "signed with the source's secret, as Standard Webhooks says. Nothing was changed."
        )


class FileTooLarge(Refused):
    code = "file-too-large"

    def __init__(self, limit_mb: int) -> None:
        super().__init__(f"This file is larger than {limit_mb:,} MB, so it was not saved. Hand in a smaller one.")


class FileTypeRefused(Refused):
    code = "file-type-refused"

    def __init__(self, why: str, allowed: str) -> None:
        super().__init__(f"{why} It was not saved. Hand in a file of one of these types: {allowed}.")


class FileUnknown(Refused):
    code = "file-unknown"

    def __init__(self, file_id: object) -> None:
        super().__init__(f"There is no file {file_id}. Check the link; if the course was reset, its files are gone.")


class CertificateMissing(Refused):
    code = "certificate-missing"

    def __init__(self, course: str) -> None:
        super().__init__(f"You have no certificate of {course}. Open the course to see what is still to be done.")


class WebhookAddressRefused(Refused):
    code = "webhook-address-refused"

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Use one that anybody on the internet could reach, such as https://example.org/hook.")


class WebhookUnknown(Refused):
    code = "webhook-unknown"

    def __init__(self, webhook: object) -> None:
        super().__init__(f"There is no webhook {webhook}. Check the link; it may have been deleted.")


class WebhookEventsMissing(Refused):
    code = "webhook-events-missing"

    def __init__(self) -> None:
        super().__init__(
            "A webhook that is told of nothing is of no use. Choose one event at least. Nothing was saved."
        )


class UploadExpired(Refused):
    code = "upload-expired"

    def __init__(self) -> None:
        super().__init__("This upload was not handed in within an hour, and is gone. Choose the file again.")


class StorageUnavailable(Refused):
    code = "storage-unavailable"

    def __init__(self) -> None:
        super().__init__(
            "Files cannot be stored or fetched at the moment. Nothing was changed; try again in a few minutes."
        )


class StorageFull(StorageUnavailable):
    code = "storage-full"

    def __init__(self) -> None:
        Refused.__init__(
            self,
            "The file cannot be stored: the disk of the storage is full. Nothing was changed. Tell an administrator, "
            "who has to free some space there.",
        )


class StartAtInvalid(Refused):
    code = "start-at-invalid"

    def __init__(self) -> None:
        super().__init__("The moment to begin must lie ahead, and within the next 365 days. Nothing was changed.")


class IdempotencyInProgress(Refused):
    code = "idempotency-in-progress"

    def __init__(self) -> None:
        super().__init__("A request with this idempotency key is being worked on. Try again in a moment.")


class IdempotencyKeyMissing(Refused):
    code = "idempotency-key-missing"

    def __init__(self) -> None:
        super().__init__(
            "This needs the header Idempotency-Key: 1 to 255 visible ASCII characters of your choice, such as a UUID, "
            "the same when you send the same request again. Nothing was changed."
        )


class SignInFailed(Refused):
    code = "sign-in-failed"

    def __init__(self) -> None:
        super().__init__("That organization, address and password do not go together. Check all three and try again.")


class SignInThrottled(Refused):
    code = "sign-in-throttled"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many sign-ins have failed, so none is taken now. Try again in {seconds // 60} minutes.")
        self.seconds = seconds


class SignInBusy(Refused):
    code = "sign-in-busy"
    seconds = 5

    def __init__(self) -> None:
        super().__init__("Too many people are signing in at once. Nothing was changed. Try again in a moment.")


class PasswordTooShort(Refused):
    code = "password-too-short"

    def __init__(self, shortest: int) -> None:
        super().__init__(
            f"A password must be at least {shortest} characters long. A few words in a row make a good one."
        )


class TokenUnknown(Refused):
    code = "token-unknown"

    def __init__(self, token: object) -> None:
        super().__init__(f"There is no token {token}. `recourse token list` lists them.")


class TokenInvalid(Refused):
    code = "token-invalid"

    def __init__(self) -> None:
        super().__init__(
            "This needs a valid bearer token: none was sent, or it has expired or was revoked. "
            "Ask an administrator for one."
        )


class ScopeMissing(Refused):
    code = "scope-missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This token may not be used for “{scope}”. Use one that was created with that scope.")


class MessageNotSigned(Refused):
    code = "message-not-signed"

    def __init__(self) -> None:
        super().__init__(
            "The message is not signed, or not with the secret of a valid token of the user whom it names. Check the "
            "token, its secret, and that exactly what is sent is what was signed. Nothing was changed."
        )


class MessageExpired(Refused):
    code = "message-expired"

    def __init__(self) -> None:
        super().__init__(
            "The message was signed more than a day ago, or by a clock that is ahead. Check the clock, sign it anew, "
            "and send it with the same key. Nothing was changed."
        )


class FormNotGenuine(Refused):
    code = "form-not-genuine"

    def __init__(self) -> None:
        super().__init__(
            "This form is too old, or was not sent from this site. Open the page anew. Nothing was changed."
        )


class AlreadyResetting(Refused):
    code = "already-resetting"

    def __init__(self, course: str) -> None:
        super().__init__(
            f"Everyone this is for is being reset in {course} by another job already. Nothing was changed; "
            "wait for its end, then preview again."
        )


class NothingHandedIn(Refused):
    code = "nothing-handed-in"

    def __init__(self) -> None:
        super().__init__("There is neither a text nor a file. Nothing was saved; write something, or choose a file.")


class NotYetDone(Refused):
    code = "not-yet-done"

    def __init__(self, *, anything_to_do: bool = True) -> None:
        super().__init__(
            "Something in this course is not done yet. Open the course and finish what is left."
            if anything_to_do
            else "There is nothing to do in this course here, so you cannot complete it yourself. "
            "Ask whoever manages it to record that you took it."
        )


class OwnWork(Refused):
    code = "own-work"

    def __init__(self) -> None:
        super().__init__(
            "Nobody marks their own work. Hand it in without a score, and have somebody else mark it. "
            "Nothing was saved."
        )


class TimeZoneUnknown(Refused):
    code = "time-zone-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no time zone {name!r}. Use a name such as Europe/Zurich. Nothing was changed.")


class ImportInvalid(Refused):
    code = "import-invalid"

    def __init__(self, errors: list[tuple[int, str]], more: int) -> None:
        """`errors` are lines and what is wrong with each; `more` is how many further ones there are."""
        told = "; ".join(f"line {line}: {detail}" for line, detail in errors[:3])
        further = len(errors[3:]) + more
        super().__init__(
            f"Nothing was imported. Put this right and send the file again: {told}"
            + (f"; and {further:,} more." if further else ".")
        )
        self.errors, self.more = errors, more
