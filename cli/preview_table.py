"""What a reset would remove, as a table."""

from rich.table import Table

from models.records import kind_labels
from tasks.reset.elsewhere import Elsewheres
from tasks.reset.impact import Preview


def preview_table(seen: Preview, elsewhere: Elsewheres) -> Table:
    """Returns what a reset would remove, here and at its participants."""
    table = Table("Would be reset", "Now", title=f"Reset of {seen.plan.course_code}", title_justify="left")
    table.columns[1].justify = "right"
    table.add_row("Learners", f"{seen.to_reset:,}")
    for reason, count in seen.excluded.items():
        table.add_row(f"Skipped: {reason}", f"{count:,}")
    for kind, label in kind_labels().items():
        table.add_row(label, f"{seen.removed[kind]:,}")
    about = "about " if elsewhere.about else ""
    for one in elsewhere.each:
        table.add_section()
        if one.records is None:
            table.add_row(f"{one.participant}: not counted", one.why)
        for kind, count in (one.records or {}).items():
            table.add_row(f"{one.participant}: {kind}", f"{about}{count:,}")
        if one.records == {}:
            table.add_row(one.participant, "nothing")
    table.add_section()
    table.add_row("Alerts to send", f"{seen.alerts:,}")
    return table
