"""The signed plan, without which there is no reset."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from models.refusals.resets import PlanInvalid
from models.resets import Audience
from tasks.reset.plan import Plan, expired, opened, signed
from tests.conftest import SECRET

PLAN = Plan(
    id=UUID("0197a0a0-0000-7000-8000-000000000001"),
    organization_id=1,
    course_id=2,
    course_code="FIRE-101",
    audience=Audience.USERS,
    user_ids=[3, 4],
    planned_at=datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC),
    due_in_days=30,
    notify=False,
)


@pytest.fixture(autouse=True)
def _secret(set_up: Callable[..., None]) -> None:
    set_up(secret_key=SECRET)


def token(plan: Plan = PLAN) -> str:
    return signed(plan)


def test_a_token_holds_its_plan_unchanged() -> None:
    assert opened(token()) == PLAN


def test_a_token_fits_into_a_url() -> None:
    assert set(token()) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize("place", range(40))
def test_a_token_with_one_letter_changed_is_not_a_plan(place: int) -> None:
    whole = token()
    at = place * len(whole) // 40
    other = "A" if whole[at] != "A" else "B"
    with pytest.raises(PlanInvalid):
        opened(whole[:at] + other + whole[at + 1 :])


@pytest.mark.parametrize("nonsense", ["", ".", "a.b", "e30.e30", "x" * 5000, "💥"])
def test_other_text_is_not_a_plan(nonsense: str) -> None:
    with pytest.raises(PlanInvalid):
        opened(nonsense)


def test_a_token_of_another_installation_is_not_a_plan(set_up: Callable[..., None]) -> None:
    elsewhere = token()
    set_up(secret_key="another secret of another installation")
    with pytest.raises(PlanInvalid):
        opened(elsewhere)


def test_a_plan_expires_when_the_settings_say(set_up: Callable[..., None]) -> None:
    set_up(secret_key=SECRET, plan_minutes=20)
    now = datetime.now(UTC)
    assert not expired(made_at(now - timedelta(minutes=19, seconds=50)))
    assert expired(made_at(now - timedelta(minutes=20, seconds=1)))


def made_at(moment: datetime) -> Plan:
    return Plan(**vars(PLAN) | {"planned_at": moment})
