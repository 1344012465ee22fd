"""What was written, by the records of PostgreSQL's write-ahead log."""

import re
import subprocess
from dataclasses import dataclass

from benchmarks.asked import value
from benchmarks.stage import HOME, Stage
from cli.local.place import place_of
from cli.local.programs import postgres_programs

LINE = re.compile(r"^(?P<kind>\w+/\w+(?:\+INIT)?)\s+(?P<count>\d+) \(")
TOTAL = re.compile(r"^Total .*?(\d+) \[100%\]\s*$")
ROWS = ("Heap/INSERT", "Heap/UPDATE", "Heap/HOT_UPDATE")
INDEX_ENTRIES = ("Btree/INSERT_LEAF", "Btree/INSERT_POST", "Btree/SPLIT_L", "Btree/SPLIT_R")


@dataclass(frozen=True)
class Written:
    """Counts of records in the log, by their kind, and the log's size in bytes."""

    records: dict[str, int]
    bytes: int

    def a_learner(self, learners: int) -> dict[str, float]:
        """Returns the figures for one of so many learners."""
        figures = {
            "row_versions": self._count(*ROWS),
            "of_these_in_place": self._count("Heap/HOT_UPDATE"),
            "deleted_rows": self._count("Heap/DELETE"),
            "index_entries": self._count(*INDEX_ENTRIES),
            "wal_bytes": self.bytes,
        }
        return {what: round(figure / learners, 2) for what, figure in figures.items()}

    def _count(self, *kinds: str) -> int:
        return sum(self.records.get(kind, 0) + self.records.get(f"{kind}+INIT", 0) for kind in kinds)


def position() -> str:
    """Returns the end of the log; everything before it is on disk."""
    here = str(value("SELECT pg_current_wal_insert_lsn()"))
    value("SELECT pg_logical_emit_message(true, 'benchmark', '')")  # its commit waits for the disk
    return here


def written(stage: Stage, since: str, until: str) -> Written:
    """Returns what was written between two positions of the log, in all databases."""
    program = postgres_programs(place_of(HOME.absolute())) / "pg_waldump"
    folder = f"{stage.ask('SHOW data_directory')}/pg_wal"
    command = [str(program), "--stats=record", "--path", folder, "--start", since, "--end", until]
    return parsed(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def parsed(statistics: str) -> Written:
    """Returns what `pg_waldump --stats=record` printed."""
    records: dict[str, int] = {}
    size = 0
    for line in statistics.splitlines():
        if found := LINE.match(line):
            records[found["kind"]] = int(found["count"])
        elif total := TOTAL.match(line):
            size = int(total[1])
    return Written(records, size)
