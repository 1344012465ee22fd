"""Signing in, and passwords."""

from models.refusals.base import Refused


class SignInFailed(Refused):
    code = "sign-in-failed"
    status = 401

    def __init__(self) -> None:
        super().__init__("The organization, address or password is wrong. Check all three and try again.")


class SignInThrottled(Refused):
    code = "sign-in-throttled"
    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many sign-ins have failed. Try again in {minutes} minutes.", minutes=seconds // 60)
        self.seconds = seconds


class SignInBusy(Refused):
    code = "sign-in-busy"
    status = 503
    seconds = 5

    def __init__(self) -> None:
        super().__init__("Too many people are signing in at once. Nothing was changed. Try again in a moment.")


class PasswordLinkOver(Refused):
    code = "password-link-over"
    status = 404

    def __init__(self, hours: int) -> None:
        super().__init__(
            "This link has been used, is older than {hours} hours, or is incomplete. Ask an administrator for a new "
            "one.",
            hours=hours,
        )


class PasswordTooShort(Refused):
    code = "password-too-short"

    def __init__(self, shortest: int) -> None:
        super().__init__(
            "Use at least {shortest} characters. A few words in a row make a good password.", shortest=shortest
        )
