"""Evidence: the organization's store, what waits for it, and the public keys, for anyone."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from config.languages import gettext
from models.refusals.evidence import EvidenceOff
from tasks.evidence.commands import write_now
from tasks.evidence.keys import public_key, public_keys
from tasks.evidence.lookup import standing_of_all, store_seen_by
from web.access import CoursesAdmin
from web.database import Database
from web.templating import page

router = APIRouter()

KEYS = "/.well-known/recourse-evidence"
PEM = "application/x-pem-file"
SHORTLY = {"Cache-Control": "public, max-age=300"}  # a renewed key is signed with at once


@router.get("/evidence")
def evidence_page(
    request: Request, person: CoursesAdmin, session: Database, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """Show the store, and what waits for it."""
    try:
        store = store_seen_by(session, person.actor)
    except EvidenceOff:
        store = None
    return page(
        request,
        "evidence.html",
        store=store,
        standing=standing_of_all(session, person.actor),
        keys=public_keys(session),
        address=KEYS,
        done=done == "tried",
    )


@router.post("/evidence/write-now")
def try_now(person: CoursesAdmin, session: Database) -> Response:
    """Try a store that is back."""
    write_now(session, person.actor)
    return RedirectResponse("/evidence?done=tried", 303)


@router.get(f"{KEYS}.pem")
def every_key(session: Database) -> Response:
    """Send all public keys, newest first: for `recourse evidence verify`."""
    keys = "".join(key.public_key for key in public_keys(session))
    return PlainTextResponse(keys, media_type=PEM, headers=SHORTLY)


@router.get(KEYS + "/{key_id}.pem")
def one_key(key_id: str, session: Database) -> Response:
    """Send the public key with this id: for `openssl`, which reads one."""
    found = public_key(session, key_id)
    if found is None:
        return PlainTextResponse(gettext("There is no such key.") + "\n", 404)
    return PlainTextResponse(found, media_type=PEM, headers=SHORTLY)
