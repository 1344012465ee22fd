"""Measure how fast resets run on this machine, beside other ways to do the same. See README.md."""

import argparse
import subprocess
import sys

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import page, table
from benchmarks import results as file
from benchmarks.bench import Bench
from benchmarks.keys import KEYS, chosen
from benchmarks.machine import machine
from benchmarks.measures.every import MEASURES
from benchmarks.outcome import OutcomesDifferError
from benchmarks.programs import RunError
from benchmarks.results import Results
from benchmarks.stage import Stage
from cli.local import LocalServersError

PAIRS, QUICK_PAIRS = 5, 1
QUICK_SHARE = 0.1


def main() -> None:
    """Run the benchmark."""
    options = _options()
    try:
        results = measure(options)
    except KeyboardInterrupt:
        sys.exit("Ended; the workers and the servers are stopped.")
    except (LocalServersError, OutcomesDifferError, RunError, psycopg.Error) as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{(error.stderr or b'').decode() if isinstance(error.stderr, bytes) else error.stderr}")
    table.show(results)
    whole = not options.only and not options.quick and options.share == 1
    if whole or options.save:
        file.save(results, whole=whole)
    if options.write_docs:
        page.write()


def measure(options: argparse.Namespace) -> Results:
    """Do the wanted measures, one after the other. Returns what they found."""
    results = Results()
    share = QUICK_SHARE * options.share if options.quick else options.share
    pairs = options.pairs or (QUICK_PAIRS if options.quick else PAIRS)
    with _bar() as bar:
        job = bar.add_task("starting", total=None)

        def say(what: str) -> None:
            bar.update(job, description=what)
            if not bar.console.is_terminal:  # a log shows no bar
                bar.console.log(what)

        with Stage(say) as stage:
            wanted = frozenset(options.only or KEYS)
            bench = Bench(stage, results, wanted, pairs, share, lambda: bar.advance(job))
            measures = [one for one in MEASURES if one.is_wanted(bench)]
            bar.update(job, total=sum(one.runs(bench) for one in measures))
            results.machine = machine(stage)
            for one in measures:
                one.measure(bench)
    return results


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, log_path=False),
        transient=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="KEY", default=[], help="measure only these keys")
    parser.add_argument(
        "--pairs", type=int, metavar="N", help=f"pairs of runs ({PAIRS}, or {QUICK_PAIRS} with --quick)"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the learners, in less than 5 minutes")
    parser.add_argument("--share", type=float, default=1.0, metavar="X", help="scale the numbers of learners by X")
    parser.add_argument("--save", action="store_true", help="put a partial run into results/latest.json too")
    parser.add_argument(
        "--write-docs", action="store_true", help="then put results/latest.json and the plot into docs/performance.md"
    )
    options = parser.parse_args()
    try:
        options.only = chosen(options.only)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
