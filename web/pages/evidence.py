"""Evidence: the organization's store, what waits for it, and the public keys, for anyone; setting the store."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from config.languages import gettext, translatable
from models.evidence import LONGEST_LOCK, EvidenceStore
from models.refusals.base import Refused
from models.refusals.evidence import EvidenceFolderOperatorOnly, EvidenceOff, EvidenceStoreInvalid
from models.refusals.requests import TooManyWaiting
from models.session import Session, transaction
from tasks.evidence.commands import NO_LOCK, Terms, set_store, try_store, turn_off, write_now
from tasks.evidence.keys import public_key, public_keys
from tasks.evidence.lookup import standing_of_all, store_seen_by
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.numbers import number_in
from web.templating import page
from web.waiting import waiting_outside

router = APIRouter()

KEYS = "/.well-known/recourse-evidence"
PEM = "application/x-pem-file"
SHORTLY = {"Cache-Control": "public, max-age=300"}  # a renewed key is signed with at once
DONE = {
    "tried": translatable("The store is being tried again now."),
    "set": translatable("The store accepted a test object. Evidence is kept there from the next reset on."),
    "off": translatable("Evidence before deletion is off. What is in the store stays there."),
}

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class Typed(BaseModel):
    """The values of the form, as typed."""

    model_config = ConfigDict(frozen=True)

    url: Words = ""
    endpoint: Words = ""
    region: Words = Terms.region
    access_key_id: Words = ""
    secret: Annotated[str, StringConstraints(max_length=2000)] = ""
    lock_days: Words = ""

    def terms(self) -> Terms:
        """Returns what was typed as terms. Raises `EvidenceStoreInvalid`."""
        days = number_in(self.lock_days)
        if self.lock_days and days is None:
            raise EvidenceStoreInvalid(NO_LOCK)
        return Terms(
            self.url, self.endpoint or None, self.region, self.access_key_id or None, self.secret or None, days
        )


@router.get("/evidence")
def evidence_page(
    request: Request, person: CoursesAdmin, session: Database, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """Show the store, and what waits for it, with a form to change it."""
    return _show(request, person, session, done=DONE.get(done, ""))


@router.post("/evidence")
async def change_store(request: Request, person: CoursesAdmin, typed: Annotated[Typed, Form()]) -> Response:
    """Turn evidence before deletion on, or change the store, which is tried first. No thread of other pages waits."""
    actor = person.actor
    try:
        terms = typed.terms()
        await waiting_outside(actor.organization_id, partial(try_store, actor, terms))
        await run_in_threadpool(_set, person, terms)
    except (EvidenceStoreInvalid, EvidenceFolderOperatorOnly, TooManyWaiting) as error:
        return await run_in_threadpool(_refused, request, person, typed, error)
    return RedirectResponse("/evidence?done=set", 303)


@router.post("/evidence/turn-off")
def turn_evidence_off(person: CoursesAdmin, session: Database) -> Response:
    """Turn evidence before deletion off."""
    turn_off(session, person.actor)
    return RedirectResponse("/evidence?done=off", 303)


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


def _set(person: SignedIn, terms: Terms) -> None:
    with transaction() as session:
        set_store(session, person.actor, terms)


def _refused(request: Request, person: SignedIn, typed: Typed, error: Refused) -> Response:
    with transaction() as session:
        return _show(request, person, session, error=error, typed=typed)


def _show(
    request: Request,
    person: SignedIn,
    session: Session,
    *,
    done: str = "",
    error: Refused | None = None,
    typed: Typed | None = None,
) -> Response:
    try:
        store = store_seen_by(session, person.actor)
    except EvidenceOff:
        store = None
    return page(
        request,
        "evidence.html",
        status=error.status if error else 200,
        store=store,
        standing=standing_of_all(session, person.actor),
        keys=public_keys(session),
        address=KEYS,
        done=done,
        manages=person.actor.has_all(),
        typed=typed.model_dump(exclude={"secret"}) if typed else _stored(store),
        longest_lock=LONGEST_LOCK,
        error=error,
    )


def _stored(store: EvidenceStore | None) -> dict[str, Any]:
    """Return the values of the form for a bucket that is set. A folder is not for the form."""
    names = set(Typed.model_fields) - {"secret"}
    if store is None or store.url.startswith("file:"):
        return Typed().model_dump(include=names)
    return {name: getattr(store, name) or "" for name in names}
