"""Permissions, tokens, signed messages and forms."""

from config.languages import gettext, translatable
from models.refusals.base import Refused


class Forbidden(Refused):
    code = "forbidden"
    status = 403

    def __init__(self, *permissions: str) -> None:
        self.permission = "” or “".join(permissions)
        names = gettext("” or “").join(map(gettext, permissions))
        super().__init__("You need the permission “{names}” for this. Ask an administrator for it.", names=names)


class OnlyAtConsole(Refused):
    code = "only-at-command-line"
    status = 403

    def __init__(self, permission: str) -> None:
        super().__init__(
            "The permission “{name}” concerns every organization, so only the command line gives it to a user or takes "
            "it. Ask an operator there. Nothing was changed.",
            name=translatable(permission),
        )


class TokenUnknown(Refused):
    code = "token-unknown"
    status = 404

    def __init__(self, token: object) -> None:
        super().__init__("There is no token {token}. Check its number.", token=token)


class TokenRequestInvalid(Refused):
    code = "token-request-invalid"

    def __init__(self) -> None:
        super().__init__("Say what the token is for, and choose at least one scope. Nothing was created.")


class SessionUnknown(Refused):
    code = "session-unknown"
    status = 404

    def __init__(self) -> None:
        super().__init__("This session has ended already. Open the list of sessions again.")


class TokenInvalid(Refused):
    code = "token-invalid"
    status = 401

    def __init__(self) -> None:
        super().__init__(
            "This needs a valid bearer token. None was sent, or it has expired or was revoked. "
            "Ask an administrator for a new one."
        )


class ScopeMissing(Refused):
    code = "scope-missing"
    status = 403

    def __init__(self, scope: str) -> None:
        super().__init__("This token does not have the scope “{scope}”. Use one that was created with it.", scope=scope)


class MessageNotSigned(Refused):
    code = "message-not-signed"

    def __init__(self) -> None:
        super().__init__(
            "The message is not signed with the secret of a valid token of the user it names. Check the token, its "
            "secret, and that you sign exactly what you send. Nothing was changed."
        )


class MessageExpired(Refused):
    code = "message-expired"

    def __init__(self) -> None:
        super().__init__(
            "The message was signed more than a day ago, or its clock is fast. Check the clock, sign the "
            "message again, and send it with the same key. Nothing was changed."
        )


class PageExpired(Refused):
    code = "page-expired"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "This page has expired, or the form was not sent from this site. Nothing was changed. "
            "Open the page again, and repeat what you did."
        )
