"""What `recourse doctor` checks: one file per part. Each says what it found, and what to do about it.

Checks start, change and repair nothing. If a part fails, the parts that need it are not checked.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from cli.checks import (
    beat,
    broker,
    database,
    disk_space,
    files,
    flower,
    mail,
    migrations,
    outboxes,
    pauses,
    record_kinds,
    secret_key,
    web_app,
    workers,
)
from cli.checks.finding import AwayError, FaultyError, Finding, Places, with_remedy_of_up

__all__ = ["CHECKS", "PARTS", "Finding", "Places", "examine"]


@dataclass(frozen=True)
class Check:
    """How to check one part."""

    part: str
    look: Callable[[Places], str]  # returns what it found; raises `FaultyError`
    needs: str | None = None  # another part, which comes first
    name_in_up: str | None = None  # what `recourse up` calls the part, if it runs it


CHECKS = (
    Check("disk space", disk_space.check),
    Check("database", database.check, name_in_up="PostgreSQL"),
    Check("migrations", migrations.check, needs="database"),
    Check("record kinds", record_kinds.check, needs="migrations"),
    Check("secret key", secret_key.check, needs="migrations"),
    Check("broker", broker.check, name_in_up="Redis"),
    Check("workers", workers.check, needs="broker", name_in_up="worker"),
    Check("beat", beat.check, needs="migrations", name_in_up="beat"),
    Check("pauses", pauses.check, needs="migrations"),
    Check("outboxes", outboxes.check, needs="migrations"),
    Check("web app", web_app.check, name_in_up="web app"),
    Check("Flower", flower.check, name_in_up="Flower"),
    Check("files", files.check),
    Check("mail", mail.check),
)
PARTS = tuple(check.part for check in CHECKS)


def examine(places: Places, only: Collection[str] | None = None) -> Iterator[Finding]:
    """Check each part in turn, or only these parts and those that they need."""
    works: dict[str, bool] = {}
    for check in _wanted(only):
        if check.needs and not works[check.needs]:
            finding = Finding(check.part, None, f"not checked: it needs the {check.needs}")
        else:
            finding = _find(check, places)
        works[check.part] = bool(finding.ok)
        yield finding


def _wanted(only: Collection[str] | None) -> list[Check]:
    wanted = set(PARTS if only is None else only)
    for check in reversed(CHECKS):
        if check.part in wanted and check.needs:
            wanted.add(check.needs)
    return [check for check in CHECKS if check.part in wanted]


def _find(check: Check, places: Places) -> Finding:
    try:
        return Finding(check.part, True, check.look(places))
    except FaultyError as fault:
        says, remedy = fault.args
        finding = Finding(check.part, False, says, remedy)
        if isinstance(fault, AwayError) and check.name_in_up in places.ours:
            return with_remedy_of_up(finding, check.name_in_up, places.up)
        return finding
