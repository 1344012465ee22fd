"""The benchmark's arithmetic, and that its contenders know every record kind."""

import pytest

from benchmarks.contenders.script import SCRIPT
from benchmarks.jobs.learner import TABLES
from benchmarks.keys import KEYS, chosen, summary
from benchmarks.measures.every import MEASURES
from benchmarks.measures.million import p95
from benchmarks.page import BEGIN, END, PAGE, between_markers, figures
from benchmarks.results import Results, merged
from benchmarks.target import Target
from benchmarks.wal import parsed
from models.records import record_kinds

STATISTICS = """
Type                                           N      (%)          Record size      (%)             FPI size      (%)        Combined size      (%)
----                                           -      ---          -----------      ---             --------      ---        -------------      ---
Heap/INSERT                                   10 ( 41.67)                 1520 ( 63.18)                    0 (  0.00)                 1520 ( 63.18)
Heap/INSERT+INIT                               2 (  8.33)                  100 (  4.00)                    0 (  0.00)                  100 (  4.00)
Heap/HOT_UPDATE                                4 ( 16.67)                  420 ( 17.46)                    0 (  0.00)                  420 ( 17.46)
Btree/INSERT_LEAF                              8 ( 33.33)                  512 ( 21.28)                    0 (  0.00)                  512 ( 21.28)
                                        --------                      --------                      --------                      --------
Total                                         24                          2406 [100.00%]                   0 [0.00%]                  2406 [100%]
"""  # noqa: E501 - as pg_waldump prints it


def test_a_goal_is_a_least_or_a_most_and_the_median_decides() -> None:
    assert summary(KEYS["vs_script"], [1.0, 1.25, 1.3])["reached"] is True
    assert summary(KEYS["vs_script"], [1.0, 1.1, 1.3])["reached"] is False
    assert summary(KEYS["longest_writer_wait_ms"], [100, 240, 900]) == {
        "median": 240,
        "range": [100, 900],
        "by_pair": [100, 240, 900],
        "goal": "≤ 250",
        "reached": True,
    }


def test_every_key_is_measured_once() -> None:
    measured = [key for measure in MEASURES for key in measure.keys]
    assert sorted(measured) == sorted(KEYS)


def test_keys_are_named_with_spaces_or_commas_and_an_unknown_one_is_refused() -> None:
    assert chosen(["vs_script,scale_cost", "speeds"]) == ["vs_script", "scale_cost", "speeds"]
    with pytest.raises(ValueError, match="unknown: vs_scrip"):
        chosen(["vs_scrip"])


def test_a_part_replaces_only_what_it_measured() -> None:
    before = {"vs_script": 1.0, "scale_cost": 1.0, "details": {"vs_script": {"median": 1.0}, "scale_cost": {}}}
    now = {"vs_script": 2.0, "details": {"vs_script": {"median": 2.0}}, "runs": {"script, 20": {}}}
    assert merged(before, now) == {
        "vs_script": 2.0,
        "scale_cost": 1.0,
        "details": {"vs_script": {"median": 2.0}, "scale_cost": {}},
        "runs": {"script, 20": {}},
    }


def test_the_page_keeps_what_is_around_its_markers() -> None:
    page = f"# Before\n{BEGIN}\nold\n{END}\nAfter\n"
    assert between_markers(page, "new") == f"# Before\n{BEGIN}\n\nnew\n\n{END}\nAfter\n"
    with pytest.raises(ValueError, match="The page has no"):
        between_markers("# Before\n", "new")
    assert between_markers(PAGE.read_text(), "new")


def test_the_page_says_which_goals_are_not_reached() -> None:
    results = Results(machine={"date": "2027-01-01", "cores": 2, "memory_mb": 4096, "system": "Linux", "versions": {}})
    for key, figure in (("vs_script", 1.5), ("scale_cost", 1.5)):
        results.figures[key].append(figure)
        results.learners[key] = 20_000
    text = figures(results.as_json(), has_plot=False)
    assert "| ≥ 1.2 | **1.5** | 1.5 to 1.5 |" in text
    assert "| ≤ 1.1 | 1.5, not reached | 1.5 to 1.5 |" in text


def test_the_page_has_a_row_for_each_number_of_worker_processes() -> None:
    results = Results(machine={"date": "2027-01-01", "cores": 2, "memory_mb": 4096, "system": "Linux", "versions": {}})
    for count in (1, 4):
        results.processes[count] = {"learners_per_second": 5000 * count, "cores_of_workers": 0.25}
    text = figures(results.as_json(), has_plot=False)
    assert "| worker processes | learners per second | cores of workers |" in text
    assert "| 4 | 20,000 | 0.25 |" in text


def test_what_is_written_is_counted_by_the_records_of_the_log() -> None:
    assert parsed(STATISTICS).a_learner(2) == {
        "row_versions": 8,
        "of_these_in_place": 2,
        "deleted_rows": 0,
        "index_entries": 4,
        "wal_bytes": 1203,
    }


def test_the_course_that_is_reset_lies_between_others() -> None:
    assert Target(20_000).course == "C4"
    assert Target(1_000_000, courses=2).codes == ["C1", "C2"]
    assert Target(1_000_000, courses=2).course == "C1"


def test_a_time_that_95_of_100_do_not_exceed() -> None:
    assert p95([1.0] * 99 + [50.0]) == 1.0
    assert p95([1.0, 2.0]) == 2.0


def test_the_other_contenders_delete_every_record_kind() -> None:
    kinds = {kind.kind() for kind in record_kinds() if kind.__module__ == "models.records"}
    assert set(TABLES) == kinds
    assert all(f"DELETE FROM {kind} " in SCRIPT.decode() for kind in kinds)
