"""Course completion."""

from datetime import date, datetime

from pydantic import Field

from models.training import EnrolmentState
from web.api.schemas.base import Answer, example


class CourseFigures(Answer):
    """How many learners a course has, by state."""

    course: str = Field(validation_alias="code", description="The course code", examples=["SAFETY-101"])
    title: str
    assigned: int = Field(description="All learners the course is assigned to")
    in_progress: int
    completed: int
    rate: float = Field(description="`completed` divided by `assigned`, 0 to 1")
    external_id: str | None = Field(description="The platform's own id of the course")


class CourseFiguresList(Answer):
    """Courses by code."""

    model_config = example(
        {
            "items": [
                {
                    "course": "SAFETY-101",
                    "title": "Working safely at height",
                    "assigned": 120,
                    "in_progress": 20,
                    "completed": 90,
                    "rate": 0.75,
                    "external_id": "c-12",
                }
            ]
        }
    )

    items: list[CourseFigures]


class UserFigures(Answer):
    """A user's progress in a course."""

    user_id: int
    name: str
    email: str
    state: EnrolmentState
    progress: int = Field(description="Percent")
    completed_at: datetime | None
    due_at: datetime | None
    overdue: bool = Field(description="The due date has passed without a completion")
    external_id: str | None = Field(description="The platform's own id of the user")


class UserFiguresList(Answer):
    """Users by name."""

    model_config = example(
        {
            "items": [
                {
                    "user_id": 42,
                    "name": "Ada Abebe",
                    "email": "ada@acme.example",
                    "state": "in_progress",
                    "progress": 40,
                    "completed_at": None,
                    "due_at": "2027-03-02T12:00:00Z",
                    "overdue": False,
                    "external_id": "hr-1042",
                }
            ]
        }
    )

    items: list[UserFigures]


class CourseDayFigures(Answer):
    """A course at the end of a day, in UTC; today, now."""

    day: date
    assigned: int = Field(description="Learners the course was assigned to")
    completed: int = Field(description="Of these, who had completed it")
    due: int = Field(description="Of these, whose due date had passed")
    overdue: int = Field(description="Of these, who had not completed it")
    resets: int = Field(description="Resets that reset someone on this day")
    learners_reset: int


class CourseDayFiguresList(Answer):
    """Days, in order."""

    model_config = example(
        {
            "items": [
                {
                    "day": "2027-03-01",
                    "assigned": 120,
                    "completed": 90,
                    "due": 100,
                    "overdue": 14,
                    "resets": 0,
                    "learners_reset": 0,
                }
            ]
        }
    )

    items: list[CourseDayFigures]
