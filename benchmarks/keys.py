"""The figures that the benchmark gives, their goals, and what they mean."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Key:
    """A figure: the median over the pairs of runs. It has a goal: at least that much, or at most."""

    name: str
    learners: int
    meaning: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal as people read it; a dash if there is none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "–" if self.at_most is None else f"≤ {self.at_most:g}"  # noqa: RUF001 - an en dash in a table

    def is_reached_by(self, figure: float) -> bool:
        """Returns whether the figure reaches the goal."""
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)


MILLION = 1_000_000
KEYS = {
    key.name: key
    for key in (
        Key("vs_script", 20_000, "speed by the script's, to the last alert, on the same tables", at_least=1.2),
        Key("vs_bare_script", 20_000, "the same, with the fence dropped for the script", at_least=1.0),
        Key("vs_bare_script_100k", 100_000, "the same, with the fence dropped for the script", at_least=1.0),
        Key("vs_script_few", 2_000, "speed by the script's, to the last alert, on the same tables", at_least=0.6),
        Key("few_seconds", 200, "seconds to the last alert, each learner a subtask", at_most=1.5),
        Key("vs_chord", 10_000, "speed by that of a Celery chord", at_least=100),
        Key("vs_dramatiq", 5_000, "speed by that of Dramatiq", at_least=12),
        Key("vs_procrastinate", 5_000, "speed by that of Procrastinate", at_least=12),
        Key("vs_oban", 5_000, "speed by that of Oban", at_least=12),
        Key("vs_loop", 5_000, "speed by that of a Python loop", at_least=12),
        Key("longest_writer_wait_ms", MILLION, "longest write of a learner's work meanwhile, in ms", at_most=250),
        Key("interactive_slowdown", MILLION, "p95 of one-learner resets meanwhile, by p95 alone", at_most=3),
        Key("scale_cost", MILLION, "time a learner, by that at 20,000 learners", at_most=1.1),
        Key("worker_memory_growth", MILLION, "peak memory of a worker process, by that at 20,000", at_most=1.1),
        Key("redis_growth_mb", MILLION, "most memory that Redis takes in addition, in MB", at_most=5),
        Key("alerts_share", MILLION, "time from settled to the last alert, by the whole", at_most=0.15),
        Key("preview_share", MILLION, "time of an exact preview, by that of the reset to settled", at_most=0.03),
        Key("flower_factor", 20_000, "speed with events and Flower, by that without", at_least=0.95),
        Key("mail_factor", 100_000, "e-mails a second, by those of a loop with as many connections", at_least=0.9),
        Key("writes_per_learner", 20_000, "row versions, index entries and bytes of WAL written for a learner"),
        Key("processes", 20_000, "learners a second with 1, 2 and 4 worker processes, and the cores that were busy"),
        Key("speeds", MILLION, "learners a second of every contender, from 100 learners on: the plot"),
    )
}


def summary(key: Key, figures: list[float]) -> dict[str, object]:
    """Returns a key's figures, one for each pair, as `results/latest.json` has them."""
    middle = median(figures)
    return {
        "median": rounded(middle),
        "range": [rounded(min(figures)), rounded(max(figures))],
        "by_pair": [rounded(figure) for figure in figures],
        "goal": key.goal,
        "reached": key.is_reached_by(middle),
    }


def rounded(figure: float) -> float:
    """Round to three digits, or to whole numbers."""
    return round(figure, 3) if abs(figure) < 100 else round(figure)


def chosen(names: list[str]) -> list[str]:
    """Returns the keys that are named, separated by spaces or commas. Raises `ValueError` for one that is unknown."""
    wanted = [name for part in names for name in part.split(",") if name]
    if unknown := [name for name in wanted if name not in KEYS]:
        raise ValueError(f"unknown: {', '.join(unknown)}. There are: {', '.join(KEYS)}")
    return wanted
