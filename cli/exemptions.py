"""The commands about exemptions: learners whom the resets of a course leave out."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.acting_as import actor, organization_of_course
from cli.options import As, AsJson, CourseCode, Organization, end
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, print_json, print_table
from models.directory import course_of, users_by_address
from models.exemptions import Exemption, exemptions_of
from models.people import User
from models.session import transaction
from tasks.reset.exemptions import end_exemption, exempt

app = typer.Typer()
exemptions = typer.Typer(help="Leave learners out of the resets of a course.", no_args_is_help=True)
app.add_typer(exemptions, name="exemptions")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The learner's e-mail address.")]


@exemptions.command("add")
def add_command(
    course: CourseCode,
    email: Email,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why. It is kept in the audit.")],
    until: Annotated[
        datetime | None,
        typer.Option(
            metavar="WHEN",
            parser=end,
            help="The last day, such as 2027-03-01, or a moment, such as 2027-03-01T06:00+01:00; else UTC. Without "
            "it, for good.",
        ),
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Exempt a learner, until a moment or for good. Resets and rules leave them out, and say so.

    Example: `recourse exemptions add SAFETY-101 lee@acme.example --reason "on leave" --until 2027-03-01`
    """
    with servers_and_database(), transaction() as session:
        who = actor(session, organization_of_course(session, course, organization), as_)
        [user] = users_by_address(session, who.organization_id, [email])
        made = exempt(session, who, course_of(session, who.organization_id, course), user, reason=reason, until=until)
        maker = session.get_one(User, who.user_id).name if who.user_id is not None else who.name
        facts = _facts(made, user, maker)
    sentence = f"{email} is exempt from {course} {f'until {until:%Y-%m-%d %H:%M %Z}' if until else 'for good'}."
    answer(facts, sentence, as_json=as_json)


@exemptions.command("list")
def list_command(course: CourseCode, organization: Organization = None, as_json: AsJson = False) -> None:
    """List the learners who are exempt from resets of a course."""
    with servers_and_database(), transaction() as session:
        owner = organization_of_course(session, course, organization)
        found = exemptions_of(session, course_of(session, owner.id, course))
    if as_json:
        print_json([_facts(*line) for line in found])
    elif found:
        table = Table("Learner", "Until", "Reason", "By")
        for one, user, maker in found:
            table.add_row(user.email, f"{one.until:%Y-%m-%d %H:%M %Z}" if one.until else "for good", one.reason, maker)
        print_table(table)
    else:
        console.print(f"Nobody is exempt from {course}. `recourse exemptions add` exempts a learner.")


@exemptions.command("end")
def end_command(
    course: CourseCode, email: Email, organization: Organization = None, as_: As = None, as_json: AsJson = False
) -> None:
    """End an exemption: the next resets of the course include the learner."""
    with servers_and_database(), transaction() as session:
        who = actor(session, organization_of_course(session, course, organization), as_)
        [user] = users_by_address(session, who.organization_id, [email])
        end_exemption(session, who, course_of(session, who.organization_id, course), user)
    answer({"id": user.id, "outcome": "ended"}, f"{email} is no longer exempt from {course}.", as_json=as_json)


def _facts(exemption: Exemption, user: User, maker: str) -> dict[str, Any]:
    return {
        "user_id": user.id,
        "name": user.name,
        "email": user.email,
        "reason": exemption.reason,
        "until": exemption.until,
        "made_by": maker,
        "made_at": exemption.made_at,
    }
