"""Resets named by a part of their id."""

import pytest

from models.refusals.resets import ResetAmbiguous, ResetUnknown
from models.resets import reset_named
from models.session import transaction
from models.short_ids import short
from tests.post import Post
from tests.scenes import make_scene


def test_a_reset_is_found_by_its_id_or_by_a_part_that_only_it_has(database: str, post: Post) -> None:
    scene = make_scene(learners=2)
    first, second = scene.request(), scene.request(course=scene.other_course.code)
    alike = next(length for length in range(36) if str(first)[length] != str(second)[length])
    with transaction() as session:
        for name in (str(first), str(first).upper(), first.hex, short([first, second])[first], str(first)[: alike + 1]):
            assert reset_named(session, name).id == first
        with pytest.raises(ResetAmbiguous, match=f"{first.hex[-8:]}.*Type more") as refusal:
            reset_named(session, str(first)[:alike])
        assert second.hex[-8:] in str(refusal.value)
        for name in ("0000", first.hex[-3:], "%", "no-such-reset", str(first) + "0"):
            with pytest.raises(ResetUnknown):
                reset_named(session, name)
