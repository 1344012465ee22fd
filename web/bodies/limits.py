"""How large a body may be and how many are read at once, by address and sender."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from config.languages import translatable
from config.settings import settings
from models.access import Actor
from web.places import Places

KILOBYTE, MEGABYTE = 1_000, 1_000_000
OPEN_LIMIT = 32 * KILOBYTE  # from unknown senders: a sign-in, a mail program's click, a signed event
FORM_LIMIT = 1 * MEGABYTE  # also for JSON, which can take twenty times its length in memory
IMPORT_LIMIT = 2_000 * MEGABYTE
LIST_LIMIT = 20 * MEGABYTE  # 100,000 lines of 200 bytes

# Slow senders occupy their own places and leave those of others free.
FORMS = Places(translatable("requests"), total=64, organization=32, person=8)
UPLOADS = Places(translatable("uploads"), total=64, organization=32, person=2)  # a whole class hands in at the deadline
IMPORTS = Places(translatable("imports"), total=8, organization=2, person=2)
FORM_PATIENCE = 10.0  # seconds that an unread request waits for a place
UPLOAD_PATIENCE = 20.0


@dataclass(frozen=True)
class Limits:
    """The limits of one request's body."""

    size: int  # bytes
    places: Places | None = None
    patience: float = 0.0  # seconds to wait for a place
    spooled: bool = False  # kept on the disk, not in memory
    cut_off: bool = False  # what exceeds the size is read and discarded, and the rest of the form kept


def limits_for(path: str, headers: Headers, actor: Actor | None) -> Limits:
    """Returns the limits of what the actor, `None` if unknown, sends to this path."""
    if actor is None:
        return Limits(OPEN_LIMIT)
    if path.startswith("/v1/imports/"):
        return Limits(IMPORT_LIMIT, IMPORTS, spooled=True)
    if path.startswith("/v1/courses/") and path.endswith("/reset-plans:from-list"):
        return Limits(LIST_LIMIT, IMPORTS, spooled=True)
    with_file = headers.get("content-type", "").lower().startswith("multipart/form-data")
    if path.startswith("/training/content/courses/") and path.endswith("/reset/list") and with_file:
        return Limits(LIST_LIMIT, UPLOADS, UPLOAD_PATIENCE, spooled=True, cut_off=True)
    if path.startswith("/my/courses/") and "/attempts/" in path and with_file:
        size = (settings().file_limit_mb + 1) * MEGABYTE  # a file, and the other fields
        return Limits(size, UPLOADS, UPLOAD_PATIENCE, spooled=True, cut_off=True)
    return Limits(FORM_LIMIT, FORMS, FORM_PATIENCE)
