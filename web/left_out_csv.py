"""The lines of an audience list that name no learner, as CSV."""

from uuid import UUID

from fastapi.responses import StreamingResponse

from models.audience_lists import lines_left_out
from web.csv_lines import csv_answer, in_batches

NAMES = ("line", "name", "problem", "first")


def left_out_csv(list_id: UUID) -> StreamingResponse:
    """Return them as a download. The caller has checked that the person may read the list."""
    batches = in_batches(
        lambda session, after, limit: lines_left_out(session, list_id, after=after[0] if after else 0, limit=limit),
        lambda line: (line.line,),
    )
    rows = ([tuple(getattr(line, name) for name in NAMES) for line in batch] for batch in batches)
    return csv_answer("lines left out.csv", NAMES, rows)
