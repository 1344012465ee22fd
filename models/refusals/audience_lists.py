"""Audience lists, and exemptions."""

from config.languages import gettext
from models.refusals.base import Refused
from models.refusals.imports import LineError


class AudienceFileInvalid(Refused):
    code = "audience-file-invalid"

    def __init__(self, errors: list[LineError], more: int) -> None:
        """`errors` are the first ones; `more` is the number of further ones."""
        first = "; ".join(map(str, errors[:3]))
        further = len(errors[3:]) + more
        lines = gettext("{first}; and {further:,} more", first=first, further=further) if further else first
        super().__init__(
            "Nothing was changed: this file is not a list of learners. Correct it and send it again: {lines}.",
            lines=lines,
        )
        self.errors, self.more = errors, more


class AudienceTooLarge(Refused):
    code = "audience-too-large"

    def __init__(self, most: int) -> None:
        super().__init__(
            "A list has at most {most:,} learners. Nothing was changed. Choose a group, or divide the list.", most=most
        )


class NobodySelected(Refused):
    code = "nobody-selected"

    def __init__(self) -> None:
        super().__init__("No one was selected. Choose at least one user, or a file that names some.")


class ListUnknown(Refused):
    code = "audience-list-unknown"
    status = 404

    def __init__(self) -> None:
        super().__init__(
            "There is no such list of learners, or it is more than a day old. Send the file or select the users again."
        )


class ListUsed(Refused):
    code = "audience-list-used"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "A reset was already requested with this list. To reset more, send the file or select the users again."
        )


class ExemptionInvalid(Refused):
    code = "exemption-invalid"

    def __init__(self) -> None:
        super().__init__(
            "An exemption needs a reason of 1 to 500 characters, and an end in the future if it has one. Correct it."
        )


class ExemptionUnknown(Refused):
    code = "exemption-unknown"
    status = 404

    def __init__(self, who: str, course: str) -> None:
        super().__init__(
            "There is no exemption of {who} from {course}. Nothing was changed; check the list of exemptions.",
            who=who,
            course=course,
        )
