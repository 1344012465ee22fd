"""The commands for rules, groups and events."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.cli.test_cli import COURSE, Command, recourse, up

__all__ = ["recourse", "up"]  # fixtures: servers in a folder of their own, and `recourse up`

WHEN = f"{datetime.now(UTC).year + 1}-03-01T06:00"


@pytest.mark.usefixtures("up")
def test_a_rule_is_made_confirmed_again_paused_and_removed(recourse: Command) -> None:
    terms = ("rules", "add", COURSE, "--reason", "yearly", "--every", "FREQ=YEARLY", "--starts", WHEN)
    zone = ("--time-zone", "Europe/Zurich", "--warn-days", "14")
    # Without a terminal and without `--confirm`, it prints what the rule would do and makes nothing.
    refused = recourse(*terms, *zone)
    assert refused.returncode == 2
    assert "each year on 1 March at 06:00 (Europe/Zurich)" in " ".join((refused.stdout + refused.stderr).split())
    made = recourse.answer(*terms, *zone, "--confirm", COURSE)
    rule = made["id"]
    assert [one["id"] for one in recourse.answer("rules", "list")] == [rule]
    ahead = recourse.answer("rules", "dry-run", rule)
    assert len(ahead) == 12
    assert {one["learners"] for one in ahead} == {4}
    confirmed = recourse("rules", "confirm", rule, "--most-learners", "3", "--confirm", COURSE)
    assert confirmed.returncode == 0, confirmed.stderr
    assert recourse.answer("rules", "show", rule)["terms"]["most_learners"] == 3
    assert recourse("rules", "pause", rule).returncode == 0
    assert recourse("rules", "remove", rule).returncode == 0
    assert recourse.answer("rules", "list") == []
    again = recourse("rules", "resume", rule)
    assert again.returncode == 2
    assert "removed" in again.stderr


@pytest.mark.usefixtures("up")
def test_an_event_for_a_group_resets_only_its_members(recourse: Command) -> None:
    assert recourse("groups", "add", "bern", "--name", "Plant 2").returncode == 0
    assert recourse("groups", "join", "bern", "student-101@oulad.example").returncode == 0
    assert recourse.answer("groups", "list")[0]["members"] == 1
    assert recourse.answer("preview", COURSE, "--group", "bern")["learners"] == 1
    made = recourse("rules", "add", COURSE, "--reason", "incidents", "--on-event", "--confirm", COURSE)
    assert made.returncode == 0, made.stderr
    report = ("events", "report", COURSE, "--kind", "incident", "--reason", "case 7731", "--group", "bern")
    for _ in range(2):
        reported = recourse(*report, "--key", "7731")
        assert reported.returncode == 0, reported.stderr
        assert "1 rule" in reported.stdout
    # A worker begins it within seconds, and both reports are the same event.
    end = datetime.now(UTC) + timedelta(seconds=60)
    while not (found := recourse.answer("resets")) or not found[0]["done"]:
        assert datetime.now(UTC) < end, found
    assert [(one["state"], one["progress"]["total"]) for one in found] == [("succeeded", 1)]
