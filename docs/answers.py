"""What the commands print with `--json`: the types of the HTTP API where it is the same thing."""

from functools import cache
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter

from cli.checks.finding import Finding
from models.sign_on import ClaimsFrom
from tasks.imports.oulad import ImportReport
from tasks.people.organizations import OrganizationLine
from web.api.schemas.analytics import CourseDayFigures, CourseFigures, UserFigures
from web.api.schemas.events import ReportedEvent
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
from web.api.schemas.users import UserDetails
from web.api.schemas.webhooks import Delivery, WebhookDetails, WebhookTest


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
    "resets": list[ResetDetails],
    "analytics": Completion,
    **dict.fromkeys(("rules add", "rules show", "rules confirm"), Rule),
    "rules list": list[Rule],
    "rules dry-run": list[UpcomingOccurrence],
    "rules history": list[RuleOccurrences],
    "events report": ReportedEvent,
    "events sources list": list[EventSource],
    "exemptions list": list[ExemptionDetails],
    "participants list": list[ParticipantDetails],
    "evidence store show": EvidenceStoreDetails,
    "evidence verify": Verified,
    **dict.fromkeys(
        (f"import {what}" for what in ("users", "courses", "enrolments", "groups", "oneroster", "xapi")), ImportResult
    ),
    "import oulad": OuladImport,
    "organization list": list[OrganizationLine],
    "user show": User,
    "sign-on show": SignOn,
    "groups list": list[GroupDetails],
    "token list": list[TokenDetails],
    "webhook list": list[WebhookDetails],
    "webhook test": WebhookTest,
    "webhook deliveries": list[Delivery],
    "files sweep": Sweep,
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
