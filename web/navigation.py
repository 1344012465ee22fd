"""The menu. Each page also checks its permission itself."""

from dataclasses import dataclass

from config.languages import translatable
from models.access import Permission
from web.access import SignedIn


@dataclass(frozen=True)
class Place:
    """A menu entry, shown to people with at least one of `permissions`; to everyone if there are none."""

    title: str
    path: str
    permissions: frozenset[Permission] = frozenset()


MENU = (
    Place(translatable("My training"), "/my/training"),
    Place(translatable("Inbox"), "/my/inbox"),
    Place(translatable("Users"), "/users", frozenset({Permission.USERS})),
    Place(translatable("Training"), "/training/content/courses", frozenset({Permission.COURSES})),
    Place(translatable("Analytics"), "/training/analytics", frozenset({Permission.COURSES})),
    Place(translatable("Rules"), "/rules", frozenset({Permission.COURSES})),
    Place(translatable("Groups"), "/groups", frozenset({Permission.COURSES, Permission.USERS})),
    Place(translatable("Incidents"), "/incidents", frozenset({Permission.COURSES})),
    Place(translatable("Resets"), "/resets", frozenset({Permission.COURSES, Permission.USERS})),
    Place(translatable("Webhooks"), "/webhooks", frozenset({Permission.COURSES})),
    Place(translatable("Participants"), "/participants", frozenset({Permission.COURSES})),
    Place(translatable("Evidence"), "/evidence", frozenset({Permission.COURSES})),
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
