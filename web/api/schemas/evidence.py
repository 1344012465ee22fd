"""The store of evidence before deletion."""

from datetime import datetime
from typing import Any

from pydantic import Field

from models.evidence import LONGEST_LOCK, EvidenceStore
from tasks.evidence.lookup import Standing, facts_of
from web.api.schemas.base import NO_NUL, Answer, Body, example

STORE: dict[str, Any] = {
    "url": "s3://acme-evidence/recourse",
    "endpoint": "https://s3.example.org",
    "region": "eu-central-1",
    "access_key_id": "recourse-writer",
    "lock_days": 3650,
}


class EvidenceStoreRequest(Body):
    """A bucket that evidence is written to. Its credentials need the right to put objects, and no other."""

    model_config = example(STORE | {"secret_access_key": "…"})

    url: str = Field(min_length=1, max_length=2000, pattern=NO_NUL, description="s3://bucket/prefix")
    endpoint: str | None = Field(
        None, min_length=1, max_length=2000, pattern=NO_NUL, description="Address of a server other than Amazon's"
    )
    region: str = Field("us-east-1", min_length=1, max_length=40, pattern=NO_NUL)
    access_key_id: str | None = Field(None, min_length=1, max_length=2000, pattern=NO_NUL)
    secret_access_key: str | None = Field(
        None,
        min_length=1,
        max_length=2000,
        pattern=NO_NUL,
        description="Kept encrypted, and never shown. Without it, that of the same access key and endpoint stays.",
    )
    lock_days: int | None = Field(
        None, strict=True, ge=1, le=LONGEST_LOCK, description="Lock each object for so long; the bucket needs locks on"
    )


class EvidenceStoreDetails(Answer):
    """The store, and the parts of evidence by state."""

    model_config = example(
        STORE
        | {
            "changed_at": "2027-01-31T12:00:00Z",
            "written": 41,
            "waiting": 0,
            "given_up": 0,
            "why": None,
            "next_try_at": None,
        }
    )

    url: str
    endpoint: str | None
    region: str
    access_key_id: str | None
    lock_days: int | None
    changed_at: datetime
    written: int = Field(description="Parts in the store")
    waiting: int = Field(description="Parts to be written; their learners are not reset yet")
    given_up: int = Field(description="Parts that were not written; their learners failed")
    why: str | None = Field(description="What a failed attempt said")
    next_try_at: datetime | None


def store_of(store: EvidenceStore, standing: Standing) -> EvidenceStoreDetails:
    """Returns the store as an answer."""
    return EvidenceStoreDetails.model_validate(facts_of(store, standing))
