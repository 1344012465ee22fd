"""Helpers for audience lists."""

import io
from typing import Any

from models.access import Actor
from models.audience_lists import AudienceList
from models.resets import Audience
from models.session import transaction
from tasks.imports import Form
from tasks.reset.impact import Preview
from tasks.reset.lists import list_from_file
from tests.scenes import COURSE, Scene, rows


def make_list(scene: Scene, csv: str, course: str = COURSE, actor: Actor | None = None) -> AudienceList:
    """Make a list from the lines of a CSV file."""
    with transaction() as session:
        return list_from_file(session, actor or scene.admin, course, io.BytesIO(csv.encode()), Form.CSV)


def preview_of(scene: Scene, made: AudienceList, **options: Any) -> Preview:
    return scene.preview(audience=Audience.LIST, list_id=made.id, **options)


def lines_of(made: AudienceList) -> list[tuple[int, str, str, int | None]]:
    """Return the lines that name no learner."""
    query = "SELECT line, name, problem, first FROM audience_list_line WHERE list_id = :id ORDER BY line"
    return list(rows(query, id=made.id))
