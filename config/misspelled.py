"""Misspelled settings. Nothing else reports them: an unknown variable is ignored."""

import os
from difflib import get_close_matches

from dotenv import dotenv_values

from config.settings import Settings

PREFIX = "RECOURSE_"
ELSEWHERE = {
    "RECOURSE_AS",
    "RECOURSE_CHILD_OF",
    "RECOURSE_VERSION",
    "RECOURSE_OULAD",
    "RECOURSE_TEST_PICTURES",
    "RECOURSE_TEST_POSTGRES",
}
"""Variables that only the command line, Compose or the tests read."""


def misspelled() -> list[str]:
    """Returns a sentence for each variable `RECOURSE_…` in the environment or in `.env` that is not a setting."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name.upper() for name in (*os.environ, *dotenv_values(".env")) if name.upper().startswith(PREFIX)}
    return [_sentence(name, known) for name in sorted(given - known - ELSEWHERE)]


def _sentence(name: str, known: set[str]) -> str:
    like = get_close_matches(name, known, n=1, cutoff=0.8)
    return f"{name} is not a setting and has no effect. " + (
        f"Did you mean {like[0]}?" if like else "`.env.example` lists the settings."
    )
