"""What was measured, and the file that keeps it: `results/latest.json`."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders.contender import Took
from benchmarks.keys import KEYS, rounded, summary

LATEST = Path(__file__).parent / "results" / "latest.json"


@dataclass
class Results:
    """The figures of each key, pair by pair; what the runs took; and what they ran on."""

    figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    learners: dict[str, int] = field(default_factory=dict)  # by key, as measured: fewer with --share
    runs: dict[tuple[str, int], list[Took]] = field(default_factory=lambda: defaultdict(list))
    writes: dict[str, dict[str, float]] = field(default_factory=dict)  # by contender
    processes: dict[int, dict[str, float]] = field(default_factory=dict)  # by the number of worker processes
    speeds: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))  # by contender and size
    left_out: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns all of it, without names of machines and paths."""
        found: dict[str, Any] = {name: rounded(median(self.figures[name])) for name in KEYS if name in self.figures}
        if self.writes:
            found["writes_per_learner"] = self.writes
        if self.processes:
            found["processes"] = {str(count): figures for count, figures in self.processes.items()}
        if self.speeds:
            found["speeds"] = {
                name: {str(learners): round(speed) for learners, speed in by_size.items()}
                for name, by_size in self.speeds.items()
            }
        found["details"] = {
            name: summary(key, self.figures[name]) | {"learners": self.learners[name]}
            for name, key in KEYS.items()
            if name in self.figures
        }
        found["runs"] = {f"{name}, {learners:,}": _seconds(took) for (name, learners), took in self.runs.items()}
        if self.left_out:
            found["left_out"] = self.left_out
        return found | {"machine": self.machine}


def _seconds(took: list[Took]) -> dict[str, list[float]]:
    return {
        "settled": [round(one.settled, 3) for one in took],
        "last_alert": [round(one.last_alert, 3) for one in took],
    }


def latest() -> dict[str, Any]:
    """Returns what the file holds; nothing if there is none."""
    found = dict(json.loads(LATEST.read_text())) if LATEST.exists() else {}
    return found if "details" in found else {}  # otherwise a benchmark of former days wrote it


def save(results: Results, *, whole: bool) -> None:
    """Write the file; a part of the benchmark replaces only what it measured."""
    found = results.as_json()
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(found if whole else merged(latest(), found), indent=2, ensure_ascii=False) + "\n")


def merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Returns `before` with what `now` has in place of it; `details` and `runs` are merged entry by entry."""
    whole = before | now
    for part in ("details", "runs"):
        whole[part] = before.get(part, {}) | now.get(part, {})
    return whole
