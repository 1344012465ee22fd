"""What a body may hold, by where it goes and who sends it."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from config.settings import settings
from models.access import Actor
from web.places import Places

KILOBYTE, MEGABYTE = 1_000, 1_000_000
OPEN_LIMIT = 32 * KILOBYTE  # from nobody we know: a sign-in, a mail program's click, a signed event
FORM_LIMIT = 1 * MEGABYTE  # and of JSON: it is held in memory, and JSON can take twenty times its length there
IMPORT_LIMIT = 2_000 * MEGABYTE

# Whoever sends slowly keeps their own places, and leaves the others theirs.
FORMS = Places("requests", total=64, organization=32, person=8)
UPLOADS = Places("uploads", total=64, organization=32, person=2)  # a class hands in before the bell
IMPORTS = Places("imports", total=8, organization=2, person=2)
FORM_PATIENCE = 10.0  # seconds that a request waits for its place, unread
UPLOAD_PATIENCE = 20.0


@dataclass(frozen=True)
class Rule:
    """What one request's body is held to."""

    limit: int  # bytes
    places: Places | None = None
    patience: float = 0.0  # seconds to wait for a place
    spooled: bool = False  # it waits on the disk, and not in memory
    cut_off: bool = False  # what is beyond the limit is read and thrown away, and the rest of the form is kept


def rule_for(path: str, headers: Headers, actor: Actor | None) -> Rule:
    """The rule for what this actor, or somebody unknown, sends to this path."""
    if actor is None:
        return Rule(OPEN_LIMIT)
    if path.startswith("/v1/imports/"):
        return Rule(IMPORT_LIMIT, IMPORTS, spooled=True)
    with_file = headers.get("content-type", "").lower().startswith("multipart/form-data")  # other forms are no files
    if path.startswith("/my/courses/") and "/attempts/" in path and with_file:
        limit = (settings().file_limit_mb + 1) * MEGABYTE  # a file, and the other fields
        return Rule(limit, UPLOADS, UPLOAD_PATIENCE, spooled=True, cut_off=True)
    return Rule(FORM_LIMIT, FORMS, FORM_PATIENCE)
