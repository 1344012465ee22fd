"""The transition tables of resets and rules: each edge is allowed, and every other change of state is refused."""

from uuid import uuid4

import pytest

from models.resets import SETTLED, TRANSITIONS, Reset, ResetState, TransitionError
from models.retraining import RULE_TRANSITIONS, Rule, RuleState

RESET_EDGES = {
    ("requested", "running"),
    ("requested", "failed"),
    ("requested", "cancelled"),
    ("running", "succeeded"),
    ("running", "partly_failed"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("partly_failed", "running"),
    ("failed", "running"),
}
RULE_EDGES = {
    ("active", "paused"),
    ("active", "waiting"),
    ("active", "ended"),
    ("active", "removed"),
    ("paused", "active"),
    ("paused", "removed"),
    ("waiting", "active"),
    ("waiting", "paused"),
    ("waiting", "removed"),
    ("ended", "removed"),
}
CHANGES = [
    (Reset, start, end, (start, end) in RESET_EDGES) for start in ResetState for end in ResetState
] + [(Rule, start, end, (start, end) in RULE_EDGES) for start in RuleState for end in RuleState]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "start", "end", "allowed"), CHANGES, ids=[f"{kind.__name__} {a} to {b}" for kind, a, b, _ in CHANGES]
)
def test_each_edge_is_allowed_and_every_other_change_is_refused(
    table: type[Reset] | type[Rule], start: ResetState | RuleState, end: ResetState | RuleState, allowed: bool
) -> None:
    row = table(id=uuid4(), state=start)
    if allowed:
        row.move_to(end)
        assert row.state == end
    else:
        with pytest.raises(TransitionError, match=f"{row.id} cannot go from {start} to {end}$"):
            row.move_to(end)
        assert row.state == start


def test_each_edge_is_explained_in_words_of_its_own() -> None:
    for states, table in ((ResetState, TRANSITIONS), (RuleState, RULE_TRANSITIONS)):
        assert set(table) == set(states)
        for start, edges in table.items():
            reasons = [reason.strip() for reason in edges.values()]
            assert all(reasons), start
            assert len(set(reasons)) == len(reasons), f"two edges from {start} have the same explanation"


def test_only_failed_resets_run_again() -> None:
    assert {state for state in SETTLED if ResetState.RUNNING in TRANSITIONS[state]} == {
        ResetState.PARTLY_FAILED,
        ResetState.FAILED,
    }


def test_a_removed_rule_stays_removed() -> None:
    assert not RULE_TRANSITIONS[RuleState.REMOVED]
