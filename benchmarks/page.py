"""Put the figures of `results/latest.json` and their plot into `docs/performance.md`: `python -m benchmarks.page`."""

import sys
from pathlib import Path
from typing import Any

from benchmarks.keys import KEYS
from benchmarks.plot import draw
from benchmarks.results import latest

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
PICTURE = "pictures/speeds.svg"
BEGIN, END = "<!-- figures: written by `python -m benchmarks.page` -->", "<!-- end of figures -->"


def write() -> None:
    """Write both."""
    found = latest()
    if not found:
        sys.exit("There are no results yet: run make bench.")
    has_plot = bool(found.get("speeds"))
    if has_plot:
        draw(found["speeds"], DOCS / PICTURE)
    PAGE.write_text(between_markers(PAGE.read_text(), figures(found, has_plot=has_plot)))


def between_markers(page: str, text: str) -> str:
    """Returns the page with the text in place of what was between its two markers. Raises `ValueError`."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The page has no {BEGIN} … {END}.")
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def figures(found: dict[str, Any], *, has_plot: bool) -> str:
    """Returns the results as Markdown: the plot, the table of keys, what is written, and the machine."""
    parts = [f"![Learners per second by the size of the course, for every contender]({PICTURE})"] if has_plot else []
    parts += [_keys(found["details"])]
    if "writes_per_learner" in found:
        parts += [_writes(found["writes_per_learner"])]
    if "processes" in found:
        parts += [_processes(found["processes"])]
    parts += [_machine(found["machine"]), *(f"Left out: {what}." for what in found.get("left_out", []))]
    return "\n\n".join(parts)


def _keys(details: dict[str, Any]) -> str:
    lines = ["| key | learners | what it is | goal | median | min to max |", "| --- | --: | --- | --: | --: | --: |"]
    for name, key in KEYS.items():
        if one := details.get(name):
            low, high = one["range"]
            median = f"{one['median']:,}"
            shown = f"**{median}**" if one["reached"] else f"{median}, not reached"
            lines.append(
                f"| `{name}` | {one['learners']:,} | {key.meaning} | {one['goal']} | {shown} | {low:,} to {high:,} |"
            )
    return "\n".join(lines)


def _writes(writes: dict[str, dict[str, float]]) -> str:
    """Returns the rows by what is counted, a column a contender."""
    lines = [f"| written for a learner | {' | '.join(writes)} |", f"| --- |{' --: |' * len(writes)}"]
    lines += [
        f"| {what.replace('_', ' ')} | {' | '.join(f'{of_one[what]:,}' for of_one in writes.values())} |"
        for what in next(iter(writes.values()))
    ]
    return "\n".join(lines)


def _processes(processes: dict[str, dict[str, float]]) -> str:
    """Returns a row for each number of worker processes."""
    names = list(next(iter(processes.values())))
    lines = [
        f"| worker processes | {' | '.join(name.replace('_', ' ') for name in names)} |",
        f"| --: |{' --: |' * len(names)}",
    ]
    lines += [
        f"| {count} | {' | '.join(f'{of_one[name]:,}' for name in names)} |" for count, of_one in processes.items()
    ]
    return "\n".join(lines)


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Measured on {machine['date']}, with {machine['cores']} cores and {machine['memory_mb'] // 1024} GB of memory "
        f"({machine['system']}): {versions}."
    )


if __name__ == "__main__":
    write()
