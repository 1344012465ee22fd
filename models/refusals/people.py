"""Users and groups."""

from models.external_ids import LONGEST
from models.refusals.base import Refused


class UserUnknown(Refused):
    code = "user-unknown"
    status = 404

    def __init__(self, who: str) -> None:
        super().__init__(f"There is no active user {who!r} in this organization. Check the address or id.")


class UserExists(Refused):
    code = "user-exists"
    status = 409

    def __init__(self, who: str) -> None:
        super().__init__(f"The address {who!r} already belongs to a user of this organization. Use another one.")


class UserInvalid(Refused):
    code = "user-invalid"

    def __init__(self, why: str) -> None:
        super().__init__(f"Correct the user and try again: {why}. Nothing was changed.")


class ExternalIdTaken(Refused):
    code = "external-id-taken"
    status = 409

    def __init__(self, external_id: str) -> None:
        super().__init__(
            f"The external id {external_id!r} already belongs to another one. Use its own. Nothing was changed."
        )


class EraseMismatch(Refused):
    code = "erase-mismatch"

    def __init__(self) -> None:
        super().__init__("This is not the user's e-mail address. Nothing was erased. Type it exactly to confirm.")


class NotOneself(Refused):
    code = "not-oneself"
    status = 409

    def __init__(self, verb: str = "erase") -> None:
        super().__init__(
            f"You cannot {verb} yourself. Ask another administrator, or the operator of this installation."
        )


class PermissionsElsewhere(Refused):
    code = "permissions-elsewhere"
    status = 409

    def __init__(self, provider: str) -> None:
        super().__init__(
            f"{provider} decides this user's permissions at each sign-in. Ask its administrator to change their groups "
            "there."
        )


class GroupUnknown(Refused):
    code = "group-unknown"
    status = 404

    def __init__(self, group: object) -> None:
        super().__init__(f"This organization has no group {group!r}. Check its code; upper and lower case count.")


class GroupInvalid(Refused):
    code = "group-invalid"

    def __init__(self) -> None:
        super().__init__(
            "Use 1 to 100 characters without “/” for the group's code, 1 to 200 for its name, and up to "
            f"{LONGEST} for its external id."
        )


class GroupMismatch(Refused):
    code = "group-mismatch"

    def __init__(self) -> None:
        super().__init__("This is not the group's code. Nothing was deleted. Type it exactly to confirm.")


class GroupInUse(Refused):
    code = "group-in-use"
    status = 409

    def __init__(self, group: str) -> None:
        super().__init__(
            f"The group {group!r} stays: resets, rules or events are about it. Use it without members, or another name."
        )


class ListTooLong(Refused):
    code = "list-too-long"

    def __init__(self, most: int) -> None:
        super().__init__(f"The list has more than {most:,} lines. Send it in parts. Nothing was changed.")
