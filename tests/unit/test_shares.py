"""Organizations share mail, webhooks and imports by weight."""

from collections import Counter
from typing import Any

import anyio
import pytest

from models.outbox import Turn
from tasks.outbox.turns import _in_turn
from web.api.import_turns import Turns

MANY, ONE = "many", "one"


def test_a_round_has_as_many_turns_of_each_organization_as_its_weight() -> None:
    due = [Turn(f"endpoint {number}", MANY) for number in range(5)] + [Turn("endpoint 9", ONE)]
    assert [turn.organization for turn in _in_turn(due, {}, {})] == [MANY, ONE]
    weighty = [turn.organization for turn in _in_turn(due, {ONE: 3}, {})]
    assert (Counter(weighty), weighty[0]) == (Counter({ONE: 3, MANY: 1}), ONE)
    # Its endpoints come one after the other, and all of them if nobody else waits
    served: dict[Any, float] = {}
    for moment in range(1, 6):
        [mine] = [turn for turn in _in_turn(due, {}, served) if turn.organization == MANY]
        served[mine.key] = float(moment)
    assert len(served) == 5
    assert len(_in_turn(due[:5], {}, {})) == 5


@pytest.mark.parametrize(("weight", "before_it"), [(1, 5), (3, 4)])
def test_an_import_waits_for_few_of_another_organization(weight: int, before_it: int) -> None:
    """`before_it`: how many of the other ten imports have begun when the third import of one with this weight does."""
    turns, begun, released = Turns(4), [], anyio.Event

    async def run(name: str, organization: int, weight: int, ends: anyio.Event) -> None:
        async with turns.taken(organization, weight):
            begun.append(name)
            await ends.wait()

    async def play() -> None:
        ends = {number: released() for number in range(13)}
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(run, MANY, 1, 1, ends[number])
            await anyio.wait_all_tasks_blocked()
            assert begun == [MANY] * 4
            for number in range(10, 13):
                group.start_soon(run, ONE, 2, weight, ends[number])
            await anyio.wait_all_tasks_blocked()
            assert begun == [MANY] * 4
            for number in (0, 1, 2, 10, 11, 12, *range(3, 10)):
                ends[number].set()
                await anyio.wait_all_tasks_blocked()

    anyio.run(play)
    third = [place for place, name in enumerate(begun) if name == ONE][2]
    assert begun[:third].count(MANY) == before_it
    assert len(begun) == 13
