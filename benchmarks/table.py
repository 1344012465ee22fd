"""What was measured: a table to read, and `results/latest.json` to compare with."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.outcome import Measured
from benchmarks.stage import Stage, Target
from benchmarks.workers import PROCESSES
from config.settings import settings
from tasks.app import app

LATEST = Path(__file__).parent / "results" / "latest.json"
POSTGRES_SETTINGS = ("shared_buffers", "max_wal_size", "wal_compression", "fsync", "synchronous_commit", "jit")
MEANINGS = (  # of the ratios, in their order
    "the script, by the time until all records were gone and all alerts written",
    "the script, by the time until the last alert was sent, as the script has then",
    "the chord, by the time until all records were gone and all alerts written",
    "the chord, by the time until the last alert was sent, as the chord has then",
)
Pair = tuple[Measured, Measured]


@dataclass
class Results:
    """The pairs of runs, Recourse's first, and what they ran on."""

    many: Target
    few: Target
    machine: dict[str, Any] = field(default_factory=dict)
    script: list[Pair] = field(default_factory=list)
    chord: list[Pair] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """One way to reset one course, over all its runs."""

    name: str
    learners: int
    seconds: Sequence[float]

    @property
    def speed(self) -> float:
        """Learners a second, in the median run."""
        return self.learners / median(self.seconds)


def lines(results: Results) -> dict[str, Line]:
    """What the table and the file say of each contender."""
    many, few = results.many.learners, results.few.learners
    return {
        "recourse": Line("Recourse, settled", many, [ours.seconds for ours, _ in results.script]),
        "recourse_alerts": Line("Recourse, alerts sent", many, [ours.with_alerts for ours, _ in results.script]),
        "script": Line("Script, one commit", many, [script.seconds for _, script in results.script]),
        "recourse_few": Line("Recourse, settled", few, [ours.seconds for ours, _ in results.chord]),
        "recourse_few_alerts": Line("Recourse, alerts sent", few, [ours.with_alerts for ours, _ in results.chord]),
        "chord": Line("Chord, task per user", few, [chord.seconds for _, chord in results.chord]),
    }


def ratios(results: Results) -> dict[str, list[float]]:
    """How many times as fast as the other Recourse was, pair by pair."""
    return {
        "vs_script": [other.seconds / ours.seconds for ours, other in results.script],
        "vs_script_alerts": [other.seconds / ours.with_alerts for ours, other in results.script],
        "vs_chord": [other.seconds / ours.seconds for ours, other in results.chord],
        "vs_chord_alerts": [other.seconds / ours.with_alerts for ours, other in results.chord],
    }


def peaks(results: Results) -> tuple[int, int]:
    """The most memory, in MB, that a worker process took for the large course and for the small one."""
    many, few = (max(ours.peak for ours, _ in pairs) / 1024**2 for pairs in (results.script, results.chord))
    return round(many), round(few)


def show(results: Results) -> None:
    """Print the table, with a sentence for each ratio."""
    table = Table(title=f"Resetting a course, {len(results.script)} pairs of runs")
    table.add_column("", no_wrap=True)
    for heading in ("learners", "median", "min to max", "learners/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for key, line in lines(results).items():
        low, high = min(line.seconds), max(line.seconds)
        figures = (
            f"{line.learners:,}",
            f"{median(line.seconds):.2f} s",
            f"{low:.2f} to {high:.2f} s",
            f"{line.speed:,.0f}",
        )
        table.add_row(line.name, *figures, end_section=key == "script")
    console = Console()
    console.print(table)
    console.print("Recourse's speed by the other's, pair by pair (1.0: as fast; more: faster)", highlight=False)
    for (name, values), meaning in zip(ratios(results).items(), MEANINGS, strict=True):
        spread = f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
        console.print(f"  {name:<17}{spread:<25}{meaning}", highlight=False, soft_wrap=True)
    many, few = peaks(results)
    console.print(
        f"Peak memory of a worker process: {many} MB for {results.many.learners:,} learners, "
        f"{few} MB for {results.few.learners:,}.",
        highlight=False,
    )


def save(results: Results) -> None:
    """Write `results/latest.json`: no name of the machine, no path."""
    many, few = peaks(results)
    found = {
        **{name: round(median(values), 3) for name, values in ratios(results).items()},
        "pairs": len(results.script),
        "ratios_by_pair": {name: [round(value, 3) for value in values] for name, values in ratios(results).items()},
        "runs": {
            name: {
                "learners": line.learners,
                "median_seconds": round(median(line.seconds), 3),
                "seconds": [round(value, 3) for value in line.seconds],
                "learners_per_second": round(line.speed),
            }
            for name, line in lines(results).items()
        },
        "peak_memory_mb": {str(results.many.learners): many, str(results.few.learners): few},
        **results.machine,
    }
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(found, indent=2) + "\n")


def machine(stage: Stage) -> dict[str, Any]:
    """What the runs depend on: versions, cores, memory, settings."""
    with app.connection() as broker:
        redis = broker.default_channel.client.info("server")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {
            "postgresql": stage.ask("SHOW server_version").split()[0],
            "valkey" if "valkey_version" in redis else "redis": redis.get("valkey_version", redis["redis_version"]),
            "python": platform.python_version(),
            **{name: version(name) for name in ("celery", "sqlalchemy", "psycopg")},
        },
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 1024**2,
        "worker_processes": PROCESSES,
        "slices_in_flight": settings().slices_in_flight,
        "postgresql_settings": {name: stage.ask(f"SHOW {name}") for name in POSTGRES_SETTINGS},
    }
