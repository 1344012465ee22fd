"""The Open University Learning Analytics Dataset: seven real modules, without the click log.

    courses.csv                presentation            course, certificates on
    studentInfo.csv            student                 user; a row per student and presentation is an enrolment
    assessments.csv            TMA                     assignment
                               CMA, Exam               practical assessment
    vle.csv                    forumng                 discussion
                               anything else           lesson
    studentAssessment.csv      submission              assignment submission or practical assessment
    final_result               Pass, Distinction       completed, with completion and certificate at the end
                               Fail                    in progress, or assigned if nothing was handed in
                               Withdrawn               unassigned, without records

Days count from the start of a presentation: 1 February (B) or 1 October (J) of its year. Importing again adds what is
missing and changes nothing else. Records come only with enrolments that the same import creates: those of an existing
enrolment may have been removed by a reset.

    files      the columns of each file, and what they may hold
    read       loads the files into temporary tables; PostgreSQL checks each value, and names line and column
    check      checks the files against each other
    write      writes courses, users, activities, enrolments and records from the temporary tables
"""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.access import console_account
from models.people import Organization
from tasks.imports.oulad.check import check_references
from tasks.imports.oulad.files import MalformedFile
from tasks.imports.oulad.read import drop_files, read_files
from tasks.imports.oulad.write import Count, ImportReport, write_everything
from tasks.people.organizations import FirstAdmin, add_organization

__all__ = ["Count", "ImportReport", "MalformedFile", "import_oulad"]


def import_oulad(
    session: Session,
    folder: Path,
    organization_slug: str = "oulad",
    progress: Callable[[str], None] = lambda _: None,
) -> ImportReport:
    """Import the data set's files in `folder` within the session's transaction. Calls `progress` before each step.

    Raises `MalformedFile`, and leaves the session as it was.
    """
    with session.begin_nested():
        read_files(session, folder, progress)
        progress("Checking the files against each other")
        check_references(session)
        report = write_everything(session, _organization(session, organization_slug).id, progress)
        drop_files(session)
    return report


def _organization(session: Session, slug: str) -> Organization:
    """Returns the organization with this slug, and adds it if there is none."""
    organization = session.scalar(select(Organization).where(Organization.slug == slug))
    if organization is None:
        admin = FirstAdmin(f"admin@{slug}.example", "Alex Admin")
        user = add_organization(session, console_account(), slug, "Open University", admin)
        organization = session.get_one(Organization, user.organization_id)
    return organization
