"""Measure imports over the API: a first one with history, a nightly one, a changed one: `python -m benchmarks.imports`.

100,000 users, 300 courses and 1,000,000 enrolments with two years of completions. What is imported is compared with the
files; an import that writes another row than it should, or none that it should, ends the benchmark.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, text

from benchmarks.memory import watched
from benchmarks.programs import Program, RunError, running
from benchmarks.stage import HOME, Stage
from cli.local.ports import answers, free_port
from models.access import actor_for, console_account
from models.people import User
from models.retraining import Rule, RuleKind
from models.session import transaction
from models.tokens import Scope
from tasks.people.organizations import FirstAdmin, add_organization
from tasks.people.tokens import create_token
from tasks.rules.lifecycle import make_rule
from tasks.rules.occurrences import due_enrolments
from tasks.rules.proposals import propose_rule
from tasks.rules.recurrence import completions_due, on_the_clock
from tasks.rules.terms import Terms

ORGANIZATION = "imports"
NIGHTLY = 100_000  # enrolments
HISTORY_FROM, HISTORY_MINUTES = datetime(2023, 1, 1, tzinfo=UTC), 2 * 365 * 24 * 60
CHANGED_AT = HISTORY_FROM + timedelta(days=800)  # later than any other completion
CHANGED_IN = 100  # one of so many
MONTHS = 12
RESULTS = Path(__file__).parent / "results" / "imports.json"
TABLES = ('"user"', "course", "enrolment", "completion")
COMPLETIONS = """
SELECT count(*) FROM completion JOIN enrolment USING (registration) JOIN course k ON k.id = course_id
WHERE k.external_id IS NOT NULL
"""
HEAD = "course_external_id,user_external_id,progress,completed_at,score\n"


class WrongError(RunError):
    """An import did something else than its file says."""


@dataclass(frozen=True)
class Sizes:
    """How much is imported."""

    users: int = 100_000
    courses: int = 300
    enrolments: int = 1_000_000

    def completed_at(self, number: int, *, changed: bool = False) -> datetime | None:
        """Returns when the learner of this line completed the course; seven of ten did."""
        if number % 10 >= 7:
            return None
        if changed and number % CHANGED_IN == 0:
            return CHANGED_AT
        return HISTORY_FROM + timedelta(minutes=number * 7919 % HISTORY_MINUTES)

    def changes(self, lines: int) -> int:
        """Returns how many of these lines change."""
        return (lines - 1) // CHANGED_IN + 1

    def line(self, number: int, *, changed: bool = False) -> str:
        """Returns a line of enrolments: the users in turn, each time with their next course."""
        user, place = number % self.users, number // self.users
        at = self.completed_at(number, changed=changed)
        words = f",{at.isoformat()},{number % 51 + 50}" if at else f"{number % 90 if number % 10 < 9 else ''},,"
        return f"c-{(user + 31 * place) % self.courses},p-{user},{words}\n"


@dataclass
class Took:
    """What was measured."""

    seconds: dict[str, float] = field(default_factory=dict)
    web_mb: dict[str, float] = field(default_factory=dict)  # resident memory: before, and the most
    due: int = 0  # learners whom the rolling rule found on its day
    sizes: dict[str, int] = field(default_factory=dict)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument(
        "--share", type=float, default=1.0, metavar="X", help="scale the numbers of users and enrolments"
    )
    share = parser.parse_args().share
    sizes = Sizes(users=round(100_000 * share), enrolments=round(1_000_000 * share))
    notes = Console(stderr=True, log_path=False)
    try:
        with Stage(notes.log) as stage, stage.filled([]), stage.clone():
            token = new_organization()
            with _served() as (base, web), _client(base, token) as api:
                resident = psutil.Process(web.pid).memory_info
                with watched(lambda: resident().rss) as peak:
                    before = resident().rss
                    took = measure(api, sizes, HOME, notes.log)
                took.web_mb = {"before": round(before / 1e6), "most": round(peak.bytes / 1e6)}
    except RunError as error:
        sys.exit(str(error))
    _show(took)
    if share == 1:
        RESULTS.write_text(
            json.dumps(asdict(took) | {"at": datetime.now(UTC).isoformat(timespec="seconds")}, indent=2) + "\n"
        )


def new_organization() -> str:
    """Add an organization without learners. Returns a token of its admin."""
    with transaction() as session:
        admin = add_organization(
            session, console_account(), ORGANIZATION, "Imports", FirstAdmin("admin@imports.example", "Alex Admin")
        )
        until = datetime.now(UTC) + timedelta(days=1)
        return create_token(session, actor_for(admin), admin, "benchmark", list(Scope), until)


def measure(api: httpx.Client, sizes: Sizes, folder: Path, say: Callable[[str], object]) -> Took:
    """Import everything, import it again, change some of it. Raises `WrongError`."""
    took = Took(sizes=asdict(sizes))

    def send(what: str, kind: str, lines: Iterator[str], head: str, *, full: bool = False) -> dict[str, Any]:
        path = folder / "import.csv"
        with path.open("w") as file:
            file.write(head)
            file.writelines(lines)
        say(what)
        began = time.perf_counter()
        answer = _post(api, kind, path, full=full)
        took.seconds[what] = round(time.perf_counter() - began, 1)
        return answer

    everything = sizes.enrolments
    users = send("users", "users", (f"p-{n},user-{n}@imports.example,User {n}\n" for n in range(sizes.users)),
                 "external_id,email,name\n", full=True)  # fmt: skip
    courses = send("courses", "courses", (f"c-{n},COURSE-{n},Course {n}\n" for n in range(sizes.courses)),
                   "external_id,code,title\n")  # fmt: skip
    _must(users["counts"]["users"]["new"] == sizes.users, "every user is new", users)
    _must(courses["counts"]["courses"]["new"] == sizes.courses, "every course is new", courses)

    first = send("enrolments with history", "enrolments", map(sizes.line, range(everything)), HEAD, full=True)
    _must(first["counts"]["enrolments"]["new"] == everything, "every enrolment is new", first)
    _compare_with_the_file(sizes)
    took.due = _find_who_is_due(sizes)

    versions = _versions()
    again = send("the same again, in full", "enrolments", map(sizes.line, range(everything)), HEAD, full=True)
    _must(again["counts"]["enrolments"]["unchanged"] == everything, "nothing changes", again)
    nightly = min(NIGHTLY, everything)
    same = send(f"{nightly:,} of them again", "enrolments", map(sizes.line, range(nightly)), HEAD)
    _must(same["counts"]["enrolments"]["unchanged"] == nightly, "nothing changes", same)
    _must(_versions() == versions, "no row version is written", again)

    middle = everything // 2
    lines = (sizes.line(n, changed=True) if n != middle else "c-0,nobody,,,\n" for n in range(everything))
    refused = send("with a broken line", "enrolments", lines, HEAD, full=True)
    _must([error["line"] for error in refused["errors"]] == [middle + 2], "the broken line is named", refused)
    _must(_versions() == versions, "nothing is imported", refused)

    with transaction() as session:
        session.execute(text("CREATE TABLE bench_before AS SELECT id, xmin::text AS version FROM enrolment"))
    changed = (sizes.line(n, changed=True) for n in range(everything))
    some = send("with 1% changed", "enrolments", changed, HEAD, full=True)
    _must(some["counts"]["enrolments"]["changed"] == sizes.changes(everything), "exactly those change", some)
    _must(_changed_rows() == (sizes.changes(everything), 0), "exactly those rows are written", some)
    return took


def _post(api: httpx.Client, kind: str, path: Path, *, full: bool) -> dict[str, Any]:
    with path.open("rb") as file:
        answer = api.post(
            f"/v1/imports/{kind}",
            params={"full": "true"} if full else None,
            content=file,
            headers={"Content-Type": "text/csv", "Content-Length": str(path.stat().st_size)},
        )
    if answer.status_code not in (200, 422):
        raise WrongError(f"{kind}: {answer.status_code} {answer.text[:2000]}")
    return dict(answer.json())


def _must(right: bool, what: str, answer: dict[str, Any]) -> None:
    if not right:
        raise WrongError(f"It should be that {what}. The answer: {json.dumps(answer)[:2000]}")


def _versions() -> list[Any]:
    """Returns the number of rows of each table, and a checksum of their versions."""
    one = "SELECT count(*), sum(hashtextextended(ctid::text || '-' || xmin::text, 0)) FROM "
    with transaction() as session:
        session.execute(text("SET LOCAL statement_timeout TO '10min'"))
        return [tuple(session.execute(text(one + table)).one()) for table in TABLES]


def _changed_rows() -> tuple[int, int]:
    """Returns how many enrolments were written, and how many of them should not have been."""
    query = """
        SELECT count(*), count(*) FILTER (WHERE e.completed_at IS DISTINCT FROM :at)
        FROM enrolment e JOIN bench_before b USING (id) WHERE e.xmin::text <> b.version
    """
    with transaction() as session:
        written, wrong = session.execute(text(query), {"at": CHANGED_AT}).one()
        return int(written), int(wrong)


def _compare_with_the_file(sizes: Sizes) -> None:
    """Raises `WrongError` if the completions of a few users, or the number of all, are not those of the file."""
    query = """
        SELECT u.external_id, k.external_id, e.completed_at, c.completed_at
        FROM enrolment e JOIN "user" u ON u.id = e.user_id JOIN course k ON k.id = e.course_id
        LEFT JOIN completion c USING (registration) WHERE u.external_id = ANY (:users)
    """
    some = range(0, sizes.users, max(1, sizes.users // 50))
    wanted = set()
    for number in range(sizes.enrolments):
        if number % sizes.users in some:
            course, user, *_ = sizes.line(number).split(",")
            at = sizes.completed_at(number)
            wanted.add((user, course, at, at))
    with transaction() as session:
        found = {tuple(row) for row in session.execute(text(query), {"users": [f"p-{user}" for user in some]})}
        completions = session.scalars(text(COMPLETIONS)).one()
    all_of_them = sum(sizes.completed_at(number) is not None for number in range(sizes.enrolments))
    if found != wanted or completions != all_of_them:
        raise WrongError(f"{completions:,} completions are stored, and {len(found ^ wanted)} enrolments differ.")


def _find_who_is_due(sizes: Sizes) -> int:
    """Returns how many learners a rolling rule finds on its day. Raises `WrongError` unless it finds all of them."""
    code, time_zone = "COURSE-0", "Europe/Zurich"
    terms = Terms(course=code, reason="benchmark", kind=RuleKind.ROLLING, months=MONTHS, time_zone=time_zone)
    with transaction() as session:
        admin = session.scalars(select(User).where(User.has_address("admin@imports.example"))).one()
        proposal = propose_rule(session, actor_for(admin), terms).token
        rule = make_rule(session, actor_for(admin), proposal=proposal, confirm=code).id
    completions = {
        number: at
        for number in range(sizes.enrolments)
        if (at := sizes.completed_at(number)) and sizes.line(number).startswith("c-0,")
    }
    one = on_the_clock(min(completions.values()), time_zone).date()
    day = one.replace(year=one.year + MONTHS // 12)
    first, end = completions_due(day, MONTHS, time_zone)
    wanted = {f"p-{number % sizes.users}" for number, at in completions.items() if first <= at < end}
    with transaction() as session:
        now = session.scalars(select(func.now())).one()
        due = due_enrolments(session.get_one(Rule, rule), day, now)
        query = text('SELECT external_id FROM "user" u JOIN enrolment e ON e.user_id = u.id WHERE e.id = ANY (:ids)')
        found = set(session.scalars(query, {"ids": list(session.scalars(due))}))
    if found != wanted:
        raise WrongError(f"The rule finds {len(found):,} learners, of {len(wanted):,} who are due.")
    return len(found)


@contextmanager
def _served() -> Iterator[tuple[str, Program]]:
    """Run the web app within the scope. Provides its address and the program."""
    port = free_port("127.0.0.1", 8000)
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "web.app:app", f"--port={port}", "--no-access-log"]
    with running("web", command) as program:
        end = time.monotonic() + 60
        while not answers(f"{base}/readyz"):
            program.check()
            if time.monotonic() > end:
                raise RunError(f"The web app did not start. The end of its log:\n{program.last_lines()}")
            time.sleep(0.1)
        yield base, program


def _client(base: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=base, timeout=3600, headers={"Authorization": f"Bearer {token}"})


def _show(took: Took) -> None:
    sizes = ", ".join(f"{count:,} {what}" for what, count in took.sizes.items())
    table = Table("Import", "Seconds", title=f"Over the API: {sizes}")
    table.columns[1].justify = "right"
    for what, seconds in took.seconds.items():
        table.add_row(what, f"{seconds:.1f}")
    console = Console()
    console.print(table)
    console.print(f"The web app's memory: {took.web_mb}. Learners found due on one day: {took.due}.")


if __name__ == "__main__":
    main()
