"""Settings that there are none of: a name with a typing error changes nothing, and says so nowhere else."""

import os
from difflib import get_close_matches

from dotenv import dotenv_values

from config.settings import Settings

PREFIX = "RECOURSE_"
ELSEWHERE = {"RECOURSE_AS", "RECOURSE_VERSION", "RECOURSE_OULAD", "RECOURSE_TEST_PICTURES"}
"""Names that are read by the command line, by compose and by the tests."""


def misspelled() -> list[str]:
    """A sentence for each variable `RECOURSE_…`, in the environment or in `.env`, that nothing reads."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name.upper() for name in (*os.environ, *dotenv_values(".env")) if name.upper().startswith(PREFIX)}
    return [_sentence(name, known) for name in sorted(given - known - ELSEWHERE)]


def _sentence(name: str, known: set[str]) -> str:
    like = get_close_matches(name, known, n=1, cutoff=0.8)
    return f"{name} is no setting, so it does nothing. " + (
        f"Perhaps it is to be {like[0]}." if like else "`.env.example` lists those there are."
    )
