"""Organizations and the first start."""

from models.refusals.base import Refused


class OrganizationUnknown(Refused):
    code = "organization-unknown"
    status = 404

    def __init__(self, slug: str) -> None:
        super().__init__("There is no organization {slug!r}. Check its short name.", slug=slug)


class OrganizationExists(Refused):
    code = "organization-exists"
    status = 409

    def __init__(self, slug: str) -> None:
        super().__init__("An organization with the short name {slug!r} already exists. Use another one.", slug=slug)


class OrganizationInvalid(Refused):
    code = "organization-invalid"


class FirstStartOver(Refused):
    code = "first-start-over"
    status = 404

    def __init__(self) -> None:
        super().__init__(
            "This link is not valid or has expired. Open the sign-in page: until there is an organization, a new link "
            "appears in the web app's log."
        )


class TimeZoneUnknown(Refused):
    code = "time-zone-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            "There is no time zone {name!r}. Use a name such as Europe/Zurich. Nothing was changed.", name=name
        )
