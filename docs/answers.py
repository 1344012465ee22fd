"""What the commands print with `--json`: the types of the HTTP API where it is the same thing."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter

from cli.checks.finding import Finding
from models.sign_on import ClaimsFrom
from tasks.imports.oulad import ImportReport
from tasks.people.organizations import OrganizationLine
from web.api.schemas.access import PasswordLink
from web.api.schemas.analytics import CourseDayFigures, CourseFigures, UserFigures
from web.api.schemas.events import EventPreviewDetails, ReportedEvent
from web.api.schemas.evidence import EvidenceStoreDetails
from web.api.schemas.exemptions import ExemptionDetails
from web.api.schemas.groups import GroupDetails
from web.api.schemas.imports import ImportResult
from web.api.schemas.participants import ParticipantDetails
from web.api.schemas.plans import AheadForCourse, AudienceListDetails, Removed
from web.api.schemas.resets import ResetDetails
from web.api.schemas.rule_occurrences import RuleOccurrences, UpcomingOccurrence
from web.api.schemas.rules import RuleDetails
from web.api.schemas.tokens import TokenDetails
from web.api.schemas.users import ErasedUser, UserDetails
from web.api.schemas.webhooks import Delivery, NewWebhook, SentAgain, WebhookDetails, WebhookTest


class Gone(BaseModel):
    """What a command deleted or ended."""

    id: int | str = Field(
        description="The id of a webhook or exempt user, the code of a group, the name of a participant, or the "
        "short name of an organization"
    )
    outcome: Literal["removed", "deleted", "ended", "turned off"]


class Secret(BaseModel):
    """The secret that messages are signed with."""

    secret: str


class Preview(BaseModel):
    """What a reset would remove."""

    course: str = Field(description="The course code")
    learners: int
    removed: Removed = Field(description="Rows, by record kind")
    alerts: int = Field(description="Alerts to send")
    excluded: dict[str, int] = Field(description="Learners who would be skipped, by reason")
    audience_list: AudienceListDetails | None = Field(description="With --users-from")
    ahead: list[AheadForCourse] = Field(description="What is running, queued or planned for the course already")
    elsewhere: dict[str, dict[str, int] | None] = Field(
        description="What each participant would remove, by its own kinds; null if it did not say"
    )


class CourseCompletion(CourseFigures):
    """How many learners a course of an organization has, by state."""

    organization: str = Field(description="Its short name")


class Completion(BaseModel):
    """Course completion."""

    courses: list[CourseCompletion]
    users: list[UserFigures] = Field([], description="Only if a course is named")
    days: list[CourseDayFigures] = Field([], description="Only with --over-time, instead of users")


class Rule(RuleDetails):
    """A retraining rule."""

    open_occurrences: int = Field(description="Due times that are not settled or skipped yet")


class SavedFile(BaseModel):
    """A file with the outcome of a reset."""

    file: str
    bytes: int


class EvidenceKey(BaseModel):
    """A key that signs evidence, or signed it."""

    id: str
    public_key: str = Field(description="PEM")
    created_at: datetime
    retired_at: datetime | None = Field(description="Null: it signs now")


class Verified(BaseModel):
    """What was found genuine."""

    bundles: int
    files: int
    learners: int = Field(description="Learners that the bundles are about")
    certificates: int
    resets: list[UUID]
    keys: list[str] = Field(description="The ids of the keys that signed them")


class EventSource(BaseModel):
    """A system that reports events by signed webhook."""

    id: UUID
    name: str
    open: bool = Field(description="Whether its events are accepted")
    address: str = Field(description="Where it sends them")


class NewEventSource(EventSource):
    """A new event source, with its secret."""

    secret: str = Field(description="It signs its events with this")


class AddedParticipant(ParticipantDetails):
    """A new participant, with its secret."""

    secret: str | None = Field(description="Requests to it, and its reports, are signed with this; null for a plug-in")


class ChangedGroup(GroupDetails):
    """A group, and how many members joined or left."""

    joined: int
    left: int


class NewToken(TokenDetails):
    """A new token. Its text is not shown again."""

    token: str = Field(description="Store it safely: only its hash is kept")


@dataclass(frozen=True, kw_only=True)
class NewOrganization(OrganizationLine):
    """A new organization, and how its admin signs in."""

    sign_in: Annotated[str, Field(description="The address of the page")]
    password: Annotated[str | None, Field(description="The generated password, shown only now; null: you gave one")]


@dataclass(frozen=True, kw_only=True)
class OuladImport(ImportReport):
    """What an import of the Open University's dataset found and added."""

    organization: str


class User(UserDetails):
    """A user, and the courses assigned to them."""

    courses: list[str] = Field(description="Course codes")


class Provider(BaseModel):
    """The provider of an organization's single sign-on."""

    issuer: str
    client_id: str
    has_secret: bool
    name: str
    scopes: str
    claims_from: ClaimsFrom
    by_address: bool
    trusts_addresses: bool
    external_id_claim: str | None
    roles_claim: str | None
    roles: dict[str, list[str]] = Field(description="Permissions by value of that claim")
    adds_users: bool
    check_seconds: int
    away_seconds: int
    passwords_off: bool


class SignOn(BaseModel):
    """An organization's single sign-on."""

    provider: Provider | None
    addresses: dict[Literal["redirect_uri", "post_logout_redirect_uri", "backchannel_logout_uri"], str] = Field(
        description="To enter at the provider"
    )


class ChangedSignOn(SignOn):
    """An organization's single sign-on after a change."""

    sessions_ended: int


class Release(BaseModel):
    """A user who is bound to no account at the provider."""

    user_id: int
    email: str
    was_bound: bool


class Migrated(BaseModel):
    """What a migration did."""

    migration: str = Field(description="Where the database is")
    ran: list[str] = Field(description="The migrations that ran")
    role: str | None = Field(description="The role that got the rights that the application needs")


class Grant(BaseModel):
    """The rights of a role."""

    role: str
    granted: bool = Field(description="False with --sql")
    statements: list[str] = Field(description="Only with --sql")


class Resealed(BaseModel):
    """Webhook secrets that were encrypted again."""

    encrypted: int = Field(description="With the current key")
    unreadable: int = Field(description="No key can decrypt them")


class OpenReset(BaseModel):
    """A reset that continues, or starts then."""

    id: UUID
    course: str = Field(description="The course code")
    start_at: datetime


class Restored(BaseModel):
    """What was undone after a restore."""

    counts: dict[str, int] = Field(description="By what was undone")
    journal: int = Field(description="Entries of the journal in the storage")
    open_resets: list[OpenReset]


class CheckedMigrations(BaseModel):
    """What a check of the migrations found."""

    postgresql: str = Field(description="Its version")
    blocking: dict[str, list[str]] = Field(description="Statements that block a table's writers, by migration")


class Sweep(BaseModel):
    """What a sweep of the storage found."""

    seen: int = Field(description="Files in the storage")
    orphans: int = Field(description="Of these, files that the database does not know")
    bytes: int = Field(description="The orphans' size")
    deleted: int


ANSWERS: dict[str, Any] = {
    "doctor": list[Finding],
    "preview": Preview,
    **dict.fromkeys(("reset", "show", "cancel", "move", "retry-failed"), ResetDetails),
    **dict.fromkeys(("pause", "resume"), ResetDetails | OrganizationLine | list[OrganizationLine]),
    "resets": list[ResetDetails],
    "analytics": Completion,
    **dict.fromkeys(
        (f"rules {what}" for what in ("add", "show", "confirm", "edit", "pause", "resume", "remove")), Rule
    ),
    "rules list": list[Rule],
    "rules dry-run": list[UpcomingOccurrence],
    "rules history": list[RuleOccurrences],
    "events report": ReportedEvent | EventPreviewDetails,
    "events sources add": NewEventSource,
    "events sources list": list[EventSource],
    "events sources close": EventSource,
    "exemptions add": ExemptionDetails,
    "exemptions list": list[ExemptionDetails],
    "participants add": AddedParticipant,
    "participants list": list[ParticipantDetails],
    **dict.fromkeys((f"participants {what}" for what in ("disable", "enable", "ask-now")), ParticipantDetails),
    "evidence save": SavedFile,
    "evidence verify": Verified,
    **dict.fromkeys((f"evidence store {what}" for what in ("set", "show", "write-now")), EvidenceStoreDetails),
    "evidence key show": list[EvidenceKey],
    "evidence key renew": EvidenceKey,
    **dict.fromkeys(
        (f"import {what}" for what in ("users", "courses", "enrolments", "groups", "oneroster", "xapi")), ImportResult
    ),
    "import oulad": OuladImport,
    "organization add": NewOrganization,
    "organization list": list[OrganizationLine],
    **dict.fromkeys(("organization rename", "organization weight"), OrganizationLine),
    **dict.fromkeys(
        (f"user {what}" for what in ("add", "show", "edit", "remove", "unassign", "password", "permissions")), User
    ),
    "user password-link": PasswordLink,
    "user erase": ErasedUser,
    **dict.fromkeys(("sign-on set", "sign-on show"), SignOn),
    **dict.fromkeys(("sign-on remove", "sign-on passwords"), ChangedSignOn),
    "sign-on release": Release,
    **dict.fromkeys(("groups add", "groups edit"), GroupDetails),
    "groups list": list[GroupDetails],
    **dict.fromkeys((f"groups {what}" for what in ("join", "leave", "fill")), ChangedGroup),
    "token create": NewToken,
    "token list": list[TokenDetails],
    "token revoke": TokenDetails,
    "webhook add": NewWebhook,
    "webhook list": list[WebhookDetails],
    **dict.fromkeys((f"webhook {what}" for what in ("edit", "disable", "enable")), WebhookDetails),
    "webhook test": WebhookTest,
    "webhook deliveries": list[Delivery],
    **dict.fromkeys(("webhook send-again", "webhook send-failed-again"), SentAgain),
    **dict.fromkeys(("events sources secret", "participants secret", "token message-secret", "webhook secret"), Secret),
    **dict.fromkeys(
        ("exemptions end", "participants remove", "evidence store off", "groups remove", "webhook remove"), Gone
    ),
    "files sweep": Sweep,
    "database upgrade": Migrated,
    "database grant": Grant,
    "database reseal": Resealed,
    "database restored": Restored,
    "database check": CheckedMigrations,
}
"""By command."""


@cache
def schema() -> dict[str, Any]:
    """Returns the JSON Schema of an object with an answer of each command."""
    adapters = [(name, "serialization", TypeAdapter(answer)) for name, answer in ANSWERS.items()]
    each, definitions = TypeAdapter.json_schemas(adapters, ref_template="#/$defs/{model}")
    for definition in definitions["$defs"].values():
        definition.pop("examples", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What recourse prints with --json, by command",
        "type": "object",
        "properties": {name: each[name, "serialization"] for name in ANSWERS},
        "$defs": definitions["$defs"],
    }
