"""The menu: where people go, and who is shown what. Each place checks its permission itself as well."""

from dataclasses import dataclass

from models.access import Permission
from web.access import SignedIn


@dataclass(frozen=True)
class Place:
    """An entry of the menu; `permissions` is whose holders see it, of whom one is enough, or nobody in particular."""

    title: str
    path: str
    permissions: frozenset[Permission] = frozenset()


MENU = (
    Place("My training", "/my/training"),
    Place("Inbox", "/my/inbox"),
    Place("Users", "/users", frozenset({Permission.USERS})),
    Place("Training", "/training/content/courses", frozenset({Permission.COURSES})),
    Place("Analytics", "/training/analytics", frozenset({Permission.COURSES})),
    Place("Rules", "/rules", frozenset({Permission.COURSES})),
    Place("Resets", "/resets", frozenset({Permission.COURSES, Permission.USERS})),
    Place("Webhooks", "/webhooks", frozenset({Permission.COURSES})),
)


def menu_for(person: SignedIn | None) -> list[Place]:
    """What this person is shown."""
    if person is None:
        return []
    return [place for place in MENU if not place.permissions or place.permissions & person.actor.permissions]
