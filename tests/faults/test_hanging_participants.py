"""A participant that hangs holds up the resets that wait for it, and nobody else's."""

import time
from collections.abc import Callable

from tests.elsewhere import Elsewhere
from tests.receiver import dawdle
from tests.scenes import make_scene, report_of, state_of
from tests.workers import Worker, until


def test_resets_of_others_end_while_a_participant_hangs(
    start_worker: Callable[..., Worker], set_up: Callable[..., None]
) -> None:
    # Given an organization whose participant hangs, on the same workers as another one, whose participant answers
    set_up(webhook_allow_private="true", recover_every_seconds=1, recover_after_seconds=2)
    stuck, well = make_scene("acme", learners=250), make_scene("globex", learners=250)
    with Elsewhere() as hanging, Elsewhere() as answering:
        hanging.join(stuck.admin, learners_at_once=10)
        answering.join(well.admin, learners_at_once=10)
        hanging.answer = dawdle(300)
        answering.fill(well.enrolments())
        start_worker()
        waiting = stuck.request()
        until(lambda: hanging.received, 60)
        # When both reset, the other one's ends
        reset = well.request()
        until(lambda: state_of(reset) == "succeeded", 60)
        assert answering.attempts == {}
        until(lambda: report_of(reset)["done"], 30)
        assert state_of(waiting) == "running"
        assert report_of(waiting)["waiting_for"] == {"scorm": 250}
        # And cancelling the one that waits does not wait for the participant
        stuck.cancel(waiting)
        began = time.monotonic()
        until(lambda: state_of(waiting) != "running", 30)
        assert time.monotonic() - began < 30
