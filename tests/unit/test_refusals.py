"""The codes and messages of refusals."""

import inspect
import re

import pytest

from models.access import Permission
from models.refusals import every_refusal
from models.refusals.access import Forbidden
from models.refusals.base import Refused
from models.refusals.imports import LineError
from models.refusals.resets import AlreadySettled, NotAssigned
from models.refusals.rules import RecurrenceInvalid
from tasks.imports.oulad import MalformedFile

SAMPLES: dict[str, object] = {
    "whole": "The organization",
    "code": "FIRE-101",
    "who": "kim@acme.example",
    "whom": "you",
    "course": "FIRE-101",
    "permission": "Training: Manage courses",
    "minutes": 15,
    "days": 730,
    "reset": "0197",
    "alike": "0a5f91c2, 77d0133e",
    "state": "partly_failed",
    "activity": 7,
    "kind": "practical_assessment",
    "seconds": 900,
    "shortest": 12,
    "token": 7,
    "group": "bern-2",
    "rule": "0197",
    "what": "resumed",
    "scope": "resets:write",
    "name": "Europe/Nowhere",
    "limit_mb": 50,
    "anything_to_do": True,
    "why": "This file is empty.",
    "allowed": "pdf, docx",
    "file_id": 7,
    "webhook": 7,
    "wrong": "kind is missing",
    "verb": "remove",
    "external_id": "hr-7",
    "errors": [LineError(7, "`email` is missing")],
    "removed_rows": 3,
    "of": 12,
    "most": 0.1,
    "more": 3,
    "slug": "acme",
    "changes": ["completions: 1 instead of none"],
    "learners": 12,
    "removed": {"completion": 1},
    "alerts": 1,
    "about": False,
    "file": "AAA.csv",
    "problem": "this is no number",
    "line": 7,
    "provider": "Keycloak",
    "error": "access_denied",
    "column": "score",
    "hours": 24,
    "unknown": ["who@acme.example", "hr-2"],
}
KINDS = every_refusal()
assert MalformedFile in KINDS  # the only one outside of models/refusals
STEPS = {
    "ask",
    "assign",
    "check",
    "choose",
    "correct",
    "hand",
    "open",
    "preview",
    "say",
    "send",
    "sign",
    "try",
    "type",
    "use",
}
STEPS |= {"wait", "write"}
"""The verbs that a next step can begin with."""
WITHOUT_A_STEP = [AlreadySettled, RecurrenceInvalid]  # there is none; it is the part that differs
WORDED = [kind for kind in KINDS if "__init__" in vars(kind)]  # the others get their sentence where they are raised


def sample(kind: type[Refused]) -> Refused:
    if kind is Forbidden:
        return Forbidden(*Permission)
    parameters = inspect.signature(kind).parameters
    values = {name: SAMPLES[name] for name in parameters if name != "sentence"}
    if kind is NotAssigned:
        values["who"] = [f"learner-{number}" for number in range(1200)]
    return kind(**values)


def test_each_refusal_has_its_own_code() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes) > 60
    assert all(code == code.lower() and " " not in code and "_" not in code for code in codes)


@pytest.mark.parametrize("kind", WORDED)
def test_a_refusal_is_written_in_sentences_for_people(kind: type[Refused]) -> None:
    words = str(sample(kind))
    assert words[0].isupper() or words[0].isdigit()
    assert words.endswith(".")
    assert "_" not in words
    assert "recourse " not in words, "people in the browser read it too: the command line adds its own hints"


@pytest.mark.parametrize("kind", WORDED)
def test_a_refusal_says_what_to_do_next(kind: type[Refused]) -> None:
    first_words = {
        step.split()[0].lower() for step in re.split(r"[.;:,] (?:and |or |then )*", str(sample(kind))) if step
    }
    assert first_words & STEPS or kind in WITHOUT_A_STEP


def test_only_some_of_many_unassigned_users_are_named() -> None:
    assert "learner-4 and 1,195 more" in str(sample(NotAssigned))
