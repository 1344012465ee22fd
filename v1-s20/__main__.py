"""Measure how fast resets run on this machine, beside two other ways to do the same. See README.md."""

import argparse
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import chord, ours, script, table
from benchmarks.outcome import OutcomesDifferError, must_be_same
from benchmarks.stage import Stage, Target
from benchmarks.workers import WorkerError
from cli.local import LocalServersError

MANY = Target("many", 20_000)
FEW = Target("few", 2_000)
WARM_UP = Target("warm", 300)  # reset by everybody before the clock starts


def main() -> None:
    """Run the benchmark."""
    options = _options()
    many, few = (Target("many", 4_000), Target("few", 400)) if options.quick else (MANY, FEW)
    pairs = options.pairs or (2 if options.quick else 5)
    try:
        results = measure(many, few, pairs)
    except KeyboardInterrupt:
        sys.exit("Ended; the worker and the servers are stopped.")
    except (LocalServersError, OutcomesDifferError, WorkerError) as error:
        sys.exit(str(error))
    table.show(results)
    if not options.quick:
        table.save(results)


def measure(many: Target, few: Target, pairs: int) -> table.Results:
    """Recourse and each of the others by turns, so that a slow minute of the machine falls on both."""
    results = table.Results(many, few)
    with _bar() as bar, Stage([many, few, WARM_UP]) as stage:
        job = bar.add_task("starting", total=4 * pairs + 1)
        stage.fill(lambda what: bar.update(job, description=what))
        results.machine = table.machine(stage)
        bar.advance(job)
        for place in range(1, pairs + 1):
            for target, name, other, pairing in (
                (many, "the script", script.run, results.script),
                (few, "the chord", chord.run, results.chord),
            ):
                bar.update(job, description=f"pair {place}: Recourse, {target.learners:,} learners")
                first = ours.run(stage, target, WARM_UP)
                bar.update(job, advance=1, description=f"pair {place}: {name}, {target.learners:,} learners")
                second = other(stage, target, WARM_UP)
                bar.advance(job)
                must_be_same(first, second, name)
                pairing.append((first, second))
    return results


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, metavar="N", help="runs of each contender (5, or 2 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the learners, to see that it works; not saved")
    return parser.parse_args()


if __name__ == "__main__":
    main()
