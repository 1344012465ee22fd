"""Single sign-on."""

from config.languages import translatable
from models.refusals.base import Refused


class SignOnUnknown(Refused):
    code = "sign-on-unknown"
    status = 404

    def __init__(self) -> None:
        super().__init__("This organization has no single sign-on. Open the sign-in page, or ask an administrator.")


class SignOnInvalid(Refused):
    code = "sign-on-invalid"

    def __init__(self, why: str) -> None:
        super().__init__("{why} Correct it and try again: nothing was saved.", why=why)


class SignOnExpired(Refused):
    code = "sign-on-expired"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "This sign-in took too long, was used before, or began in another browser. Open the sign-in page and "
            "start again."
        )


class SignOnDeclined(Refused):
    code = "sign-on-declined"
    status = 403

    def __init__(self, provider: str, error: str) -> None:
        words = error.replace("_", " ")
        super().__init__(
            "{provider} did not sign you in: {words}. Try again, or ask an administrator.",
            provider=provider,
            words=words,
        )


class SignOnFailed(Refused):
    """An answer of the provider that cannot be trusted."""

    code = "sign-on-failed"
    status = 403

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(
            "The answer of {provider} was not accepted: {why}. Nothing was changed. Try again; if it fails again, "
            "tell an administrator.",
            provider=provider,
            why=why,
        )


class SignOnUnavailable(Refused):
    code = "sign-on-unavailable"
    status = 503
    seconds = 5

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(
            "{provider} cannot be reached: {why}. Nothing was changed. Try again in a moment.",
            provider=provider,
            why=why,
        )


class SignOnNobody(Refused):
    code = "sign-on-nobody"
    status = 403

    def __init__(self, provider: str, who: str) -> None:
        super().__init__(
            "{provider} knows you as {who}, but there is no active user here who that is. Ask an administrator to "
            "add you, or sign in there with another account.",
            provider=provider,
            who=who,
        )


class SignOnTaken(Refused):
    code = "sign-on-taken"
    status = 403

    def __init__(self, provider: str, who: str) -> None:
        super().__init__(
            "The user {who} signs in with another account at {provider}. Use that account, or ask an administrator "
            "to release it.",
            who=who,
            provider=provider,
        )


class PermissionUnchecked(Refused):
    """A permission whose holder could not be checked at the provider for too long."""

    code = "permission-unchecked"
    status = 503
    seconds = 5

    def __init__(self, permission: str) -> None:
        super().__init__(
            "Your organization's sign-in service cannot be reached, so your permission “{name}” cannot be "
            "checked. Nothing was changed. Try again in a moment.",
            name=translatable(permission),
        )


class PasswordsOff(Refused):
    code = "passwords-off"
    status = 403

    def __init__(self, provider: str) -> None:
        super().__init__(
            "Your organization has turned passwords off. Use “Sign in with {provider}” on the sign-in page.",
            provider=provider,
        )


class PasswordsNeeded(Refused):
    code = "passwords-needed"
    status = 409

    def __init__(self, provider: str) -> None:
        super().__init__(
            "No administrator has signed in with {provider} yet, so nobody could manage users without passwords. "
            "Sign in with it first, then turn passwords off.",
            provider=provider,
        )
