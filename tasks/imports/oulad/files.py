"""The files of the data set: their columns, and what each column may hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.refusals.base import Refused


class MalformedFile(Refused):
    """A file is not as published. The message names the file and, if known, the line and column."""

    code = "malformed-file"

    def __init__(self, file: str, problem: str, line: int | None = None, column: str | None = None) -> None:
        self.file, self.line, self.column = file, line, column
        place = file + (f", line {line}" if line else "") + (f", column {column}" if column else "")
        super().__init__(f"{place}: {problem}. Nothing was imported. Correct the files and import them again.")


@dataclass(frozen=True)
class File:
    """A CSV file, and the temporary table that it is loaded into."""

    name: str
    table: str
    columns: Mapping[str, str]  # name and domain, in header order
    key: tuple[str, ...]


# What a column may hold, as a domain and in words. `?` means no value; a domain that is NOT NULL refuses it.
DOMAINS = {
    "oulad_module": ("text NOT NULL CHECK (value ~ '^[A-Za-z0-9]+$')", "a module code of letters and digits"),
    "oulad_half_year": (
        "text NOT NULL CHECK (value ~ '^20[0-9]{2}[BJ]$')",
        "a year from 2000 to 2099 with B or J, such as 2014J",
    ),
    "oulad_id": ("bigint NOT NULL CHECK (value >= 0)", "a whole number"),
    "oulad_length": ("integer NOT NULL CHECK (value BETWEEN 1 AND 1000)", "a number of days from 1 to 1000"),
    "oulad_day": ("integer NOT NULL CHECK (value BETWEEN -9999 AND 9999)", "a day from -9999 to 9999"),
    "oulad_day_or_none": ("integer CHECK (value BETWEEN -9999 AND 9999)", "a day from -9999 to 9999, or ?"),
    "oulad_yes_no": ("smallint NOT NULL CHECK (value IN (0, 1))", "0 or 1"),
    "oulad_assessment_type": ("text NOT NULL CHECK (value IN ('TMA', 'CMA', 'Exam'))", "TMA, CMA or Exam"),
    "oulad_activity_type": ("text NOT NULL CHECK (value ~ '^[A-Za-z0-9_]+$')", "a type of letters and digits"),
    "oulad_result": (
        "text NOT NULL CHECK (value IN ('Pass', 'Distinction', 'Fail', 'Withdrawn'))",
        "Pass, Distinction, Fail or Withdrawn",
    ),
    # Text, because a missing score may also be empty. The CASE keeps words from the cast.
    "oulad_score": (
        "text CHECK (CASE WHEN value ~ '^[0-9]{1,3}([.][0-9]+)?$' THEN value::numeric <= 100 ELSE value = '' END)",
        "a number from 0 to 100",
    ),
    # Ignored, but without line breaks: a row's number must be its line number.
    "oulad_unread": (r"text CHECK (value !~ '[\r\n]')", "text within one line"),
}

PRESENTATION_COLUMNS = {"code_module": "oulad_module", "code_presentation": "oulad_half_year"}

COURSES = File(
    "courses.csv",
    "oulad_course",
    {**PRESENTATION_COLUMNS, "module_presentation_length": "oulad_length"},
    key=("code_module", "code_presentation"),
)
ASSESSMENTS = File(
    "assessments.csv",
    "oulad_assessment",
    {
        **PRESENTATION_COLUMNS,
        "id_assessment": "oulad_id",
        "assessment_type": "oulad_assessment_type",
        "date": "oulad_unread",
        "weight": "oulad_unread",
    },
    key=("id_assessment",),
)
SITES = File(
    "vle.csv",
    "oulad_site",
    {
        "id_site": "oulad_id",
        **PRESENTATION_COLUMNS,
        "activity_type": "oulad_activity_type",
        "week_from": "oulad_unread",
        "week_to": "oulad_unread",
    },
    key=("id_site",),
)
STUDENTS = File(
    "studentInfo.csv",
    "oulad_student",
    {
        **PRESENTATION_COLUMNS,
        "id_student": "oulad_id",
        "gender": "oulad_unread",
        "region": "oulad_unread",
        "highest_education": "oulad_unread",
        "imd_band": "oulad_unread",
        "age_band": "oulad_unread",
        "num_of_prev_attempts": "oulad_unread",
        "studied_credits": "oulad_unread",
        "disability": "oulad_unread",
        "final_result": "oulad_result",
    },
    key=("code_module", "code_presentation", "id_student"),
)
REGISTRATIONS = File(
    "studentRegistration.csv",
    "oulad_registration",
    {
        **PRESENTATION_COLUMNS,
        "id_student": "oulad_id",
        "date_registration": "oulad_day_or_none",
        "date_unregistration": "oulad_day_or_none",
    },
    key=("code_module", "code_presentation", "id_student"),
)
SUBMISSIONS = File(
    "studentAssessment.csv",
    "oulad_submission",
    {
        "id_assessment": "oulad_id",
        "id_student": "oulad_id",
        "date_submitted": "oulad_day",
        "is_banked": "oulad_yes_no",
        "score": "oulad_score",
    },
    key=("id_assessment", "id_student"),
)
FILES = (COURSES, ASSESSMENTS, SITES, STUDENTS, REGISTRATIONS, SUBMISSIONS)
