"""Users and groups."""

from config.languages import translatable
from models.external_ids import LONGEST
from models.refusals.base import Refused


class UserUnknown(Refused):
    code = "user-unknown"
    status = 404

    def __init__(self, who: str) -> None:
        super().__init__("There is no active user {who!r} in this organization. Check the address or id.", who=who)


class UserExists(Refused):
    code = "user-exists"
    status = 409

    def __init__(self, who: str) -> None:
        super().__init__(
            "The address {who!r} already belongs to a user of this organization. Use another one.", who=who
        )


class UserInvalid(Refused):
    code = "user-invalid"

    def __init__(self, why: str) -> None:
        super().__init__("Correct the user and try again: {why}. Nothing was changed.", why=why)


class ExternalIdTaken(Refused):
    code = "external-id-taken"
    status = 409

    def __init__(self, external_id: str) -> None:
        super().__init__(
            "The external id {external_id!r} already belongs to another one. Use its own. Nothing was changed.",
            external_id=external_id,
        )


class EraseMismatch(Refused):
    code = "erase-mismatch"

    def __init__(self) -> None:
        super().__init__("This is not the user's e-mail address. Nothing was erased. Type it exactly to confirm.")


ERASE = translatable("You cannot erase yourself. Ask another administrator, or the operator of this installation.")
DEACTIVATE = translatable(
    "You cannot deactivate yourself. Ask another administrator, or the operator of this installation."
)
REMOVE = translatable("You cannot remove yourself. Ask another administrator, or the operator of this installation.")
PERMISSIONS = translatable(
    "You cannot change your own permissions. Ask another administrator, or the operator of this installation."
)


class NotOneself(Refused):
    code = "not-oneself"
    status = 409

    def __init__(self, sentence: str = ERASE) -> None:
        super().__init__(sentence)


class PermissionsElsewhere(Refused):
    code = "permissions-elsewhere"
    status = 409

    def __init__(self, provider: str) -> None:
        super().__init__(
            "{provider} decides this user's permissions at each sign-in. Ask its administrator to change their groups "
            "there.",
            provider=provider,
        )


class GroupUnknown(Refused):
    code = "group-unknown"
    status = 404

    def __init__(self, group: object) -> None:
        super().__init__(
            "This organization has no group {group!r}. Check its code; upper and lower case count.", group=group
        )


class GroupInvalid(Refused):
    code = "group-invalid"

    def __init__(self) -> None:
        super().__init__(
            "Use 1 to 100 characters without “/” for the group's code, 1 to 200 for its name, and up to "
            "{longest} for its external id.",
            longest=LONGEST,
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
            "The group {group!r} stays: resets, rules or events are about it. Use it without members, or another name.",
            group=group,
        )


class ListTooLong(Refused):
    code = "list-too-long"

    def __init__(self, most: int) -> None:
        super().__init__("The list has more than {most:,} lines. Send it in parts. Nothing was changed.", most=most)
