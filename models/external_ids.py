"""The ids that the platform beside us gives to users, courses and groups.

Wherever a user's address or the code of a course or group names one, `external:` and its external id does too.
"""

PREFIX = "external:"


def external_id_in(name: str) -> str | None:
    """Returns the external id if the name is one with its prefix."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None
