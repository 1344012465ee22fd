"""What forms offer, and what they read."""

import pytest

from models.tokens import Scope
from web.numbers import BIGGEST, number_in


def test_a_token_can_get_every_scope_by_hand() -> None:
    from web.pages.tokens import SCOPES  # imports tasks, which no test module may

    assert set(SCOPES) == set(Scope)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), (str(BIGGEST), BIGGEST), (str(BIGGEST + 1), None), ("9" * 5000, None)]
    + [(text, None) for text in ("", "-1", "1.5", " 1", "²", "٣", "x")],
)
def test_a_number_is_read_or_it_is_none(text: str, number: int | None) -> None:
    assert number_in(text) == number
