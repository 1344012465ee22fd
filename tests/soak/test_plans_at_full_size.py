"""The same as `tests/integration/retention/test_plans_of_ticks.py`, with as much as there will ever be: `make soak`.

It takes some 15 GB of disk and a quarter of an hour, nearly all of it to fill the tables.
"""

import time
from collections.abc import Callable

import pytest

from tests.integration.retention.test_plans_of_ticks import in_all_of_it, years
from tests.post import Post
from tests.web import serving

RESETS, EACH, LEARNERS = 200_000, 100, 20_000


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_no_statement_of_a_tick_reads_a_whole_table_at_full_size(
    database: str, post: Post, set_up: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(
        smtp_host="127.0.0.1",
        smtp_port=9,
        smtp_security="none",
        mail_from="training@example.org",
        statement_timeout_seconds=1200,
        task_time_limit_seconds=1200,
    )
    began = time.monotonic()
    scene = years(RESETS, EACH, learners=LEARNERS)
    filled = time.monotonic() - began
    with serving() as base:
        seen = list(in_all_of_it(scene, post, base))
    slowest = sorted(seen, key=lambda looked: -looked.milliseconds)[:40]
    with capsys.disabled():
        print(f"\nFilled in {filled:.0f} s; {len(seen)} statements. The slowest:")  # noqa: T201
        print("\n".join(map(str, slowest)))  # noqa: T201
    assert not [str(looked) for looked in seen if looked.from_end_to_end]
