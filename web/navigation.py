"""The menu. Each page also checks its permission itself."""

from dataclasses import dataclass

from models.access import Permission
from web.access import SignedIn


@dataclass(frozen=True)
class Place:
    """A menu entry, shown to people with at least one of `permissions`; to everyone if there are none."""

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
    Place("Groups", "/groups", frozenset({Permission.COURSES, Permission.USERS})),
    Place("Incidents", "/incidents", frozenset({Permission.COURSES})),
    Place("Resets", "/resets", frozenset({Permission.COURSES, Permission.USERS})),
    Place("Webhooks", "/webhooks", frozenset({Permission.COURSES})),
    Place("Participants", "/participants", frozenset({Permission.COURSES})),
    Place("Evidence", "/evidence", frozenset({Permission.COURSES})),
)


LANDINGS = {Permission.COURSES: "/training/content/courses", Permission.USERS: "/users"}


def landing_of(person: SignedIn) -> str:
    """Return the page where this person's work is."""
    return next((path for permission, path in LANDINGS.items() if person.may(permission)), "/my/training")


def menu_for(person: SignedIn | None) -> list[Place]:
    """Return the entries this person sees."""
    if person is None:
        return []
    return [place for place in MENU if not place.permissions or place.permissions & person.actor.permissions]
