"""The results as a table to read in a terminal."""

from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.keys import KEYS, rounded
from benchmarks.results import Results


def show(results: Results) -> None:
    """Print the keys with their goals, and what each contender took."""
    console = Console()
    if results.figures:
        console.print(_keys(results))
    for name, writes in results.writes.items():
        figures = ", ".join(f"{figure:g} {what.replace('_', ' ')}" for what, figure in writes.items())
        console.print(f"Written for a learner by {name}: {figures}", highlight=False)
    for count, found in results.processes.items():
        said = ", ".join(f"{figure:,g} {what.replace('_', ' ')}" for what, figure in found.items())
        console.print(f"With {count} worker process{'' if count == 1 else 'es'}: {said}", highlight=False)
    if results.runs:
        console.print(_runs(results))
    for what in results.left_out:
        console.print(f"Left out: {what}.")


def _keys(results: Results) -> Table:
    table = Table("key", "learners", "goal", "median", "min to max", "reached")
    for name, key in KEYS.items():
        values = results.figures.get(name)
        if not values:
            continue
        middle = median(values)
        table.add_row(
            name,
            f"{results.learners[name]:,}",
            key.goal,
            f"{rounded(middle):,}",
            f"{rounded(min(values)):,} to {rounded(max(values)):,}",
            "yes" if key.is_reached_by(middle) else "no",
        )
    return table


def _runs(results: Results) -> Table:
    table = Table("contender", "learners", "runs", "settled", "last alert", "learners/s")
    for (name, learners), took in results.runs.items():
        last = median(one.last_alert for one in took)
        settled = median(one.settled for one in took)
        figures = (f"{learners:,}", f"{len(took)}", f"{settled:.2f} s", f"{last:.2f} s", f"{learners / last:,.0f}")
        table.add_row(name, *figures)
    return table
