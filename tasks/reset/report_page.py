"""The report of a reset: one page of A4, in the language spoken, with moments in UTC."""

from datetime import datetime
from zoneinfo import ZoneInfo

from fpdf import FPDF

from config.languages import gettext, language_spoken, locale_spoken, ngettext, translatable
from config.languages.stored import told
from config.links import reset_link
from tasks.certificates.pdf import ACCENT, FONTS, INK, QUIET
from tasks.event_reasons import reason_told
from tasks.evidence.keys import Signer
from tasks.formats import number, short_moment
from tasks.reset.report_facts import Facts

WIDTH, MARGIN, LABEL = 210.0, 18.0, 40.0  # mm
END = 279.0  # mm from the top; nothing is written below
UTC = ZoneInfo("UTC")
MOST_CAUSES = 6
LONGEST = {"reason": 600, "cause": 160}  # characters; the rest is in the table


def report_page(facts: Facts, *, table: str, checksum: str, signature: str, key: Signer) -> bytes:
    """Returns the PDF. `checksum` and `signature` are those of the `table` of learners."""
    page = _Page(gettext("Reset of {course}", course=facts.course), facts.organization)
    reset = facts.reset
    page.heading(gettext("Request"))
    page.fact(gettext("Course"), facts.course)
    page.fact(gettext("Requested"), gettext("{when} by {whom}", when=_moment(reset.requested_at), whom=facts.requester))
    page.fact(gettext("Reason"), _short(reason_told(reset.reason), "reason"))
    page.fact(gettext("Audience"), facts.audience)
    page.fact(gettext("Preview"), _preview(facts))
    page.heading(gettext("Result"))
    page.fact(gettext("State"), f"{facts.state}: {facts.result}" if reset.finished_at else facts.state)
    page.fact(gettext("Time"), _time(reset.start_at, reset.finished_at))
    page.fact(
        gettext("Learners"),
        f"{_number(facts.learners)}: {_counted(facts.outcomes)}" if facts.learners else gettext("none"),
    )
    page.fact(gettext("Records deleted"), _counted(facts.removed) or gettext("none"))
    if reset.error:
        page.fact(gettext("Error"), _short(told(reset.error), "reason"))
    for place, (cause, learners) in enumerate(facts.causes[:MOST_CAUSES]):
        page.fact(gettext("Not reset") if place == 0 else "", f"{_number(learners)}: {_short(cause, 'cause')}")
    if len(facts.causes) > MOST_CAUSES:
        page.fact("", gettext("and other causes, in {table}", table=table))
    page.heading(gettext("Identity"))
    page.fact(gettext("Reset"), str(reset.id), link=reset_link(reset.id))
    page.fact(gettext("Job"), str(reset.task_id))
    page.fact(gettext("SHA-256 of {table}", table=table), checksum)
    page.fact(gettext("Signature"), signature)
    page.fact(gettext("Public key"), key.address, link=key.address)
    signed = translatable(
        "The signature is Ed25519, in Base64, of one line: the checksum, two spaces, “{table}”, and a line feed. "
        "The bundle of this reset contains its own copy of this report, with its checksum and signature."
    )
    page.small(gettext(signed, table=table))
    return bytes(page.output())


def _preview(facts: Facts) -> str:
    shown = facts.reset.shown
    planned = _moment(facts.reset.planned_at)
    if shown is None:
        return gettext("planned {when}, without figures", when=planned)
    sentence = translatable("{when}: {learners}, {records}; {alerts}")
    if shown["sampled"] > 1:
        sentence = translatable("{when}: {learners}, about {records}; about {alerts}")
    return gettext(
        sentence,
        when=planned,
        learners=ngettext("{count:,} learner", "{count:,} learners", shown["learners"]),
        records=_counted(facts.shown) or gettext("no records"),
        alerts=ngettext("{count:,} alert", "{count:,} alerts", shown["alerts"]),
    )


def _time(began: datetime, ended: datetime | None) -> str:
    if ended is None:
        return gettext("started {began}", began=_moment(began))
    return gettext("started {began}, ended {ended}", began=_moment(began), ended=_moment(ended))


def _counted(figures: dict[str, int]) -> str:
    return ", ".join(f"{_number(count)} {label}" for label, count in figures.items() if count)


def _number(count: int) -> str:
    return number(count, locale_spoken())


def _moment(moment: datetime) -> str:
    return f"{short_moment(moment, UTC, locale_spoken())} UTC"


def _short(text: str, kind: str) -> str:
    text, most = " ".join(text.split()), LONGEST[kind]
    return text if len(text) <= most else text[: most - 1] + "…"


class _Page(FPDF):
    """One page and its drawing operations."""

    def __init__(self, title: str, organization: str) -> None:
        super().__init__(orientation="portrait", format="A4")
        self.add_font("DejaVu", "", FONTS / "DejaVuSans.ttf")
        self.add_font("DejaVu", "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_auto_page_break(auto=False)
        self.set_title(title)
        self.set_author(organization)
        self.set_lang(language_spoken())
        self.add_page()
        self.set_xy(MARGIN, MARGIN)
        self._write(organization, 10, QUIET)
        self._write(title, 18, ACCENT, bold=True)

    def heading(self, text: str) -> None:
        """Write a heading with a rule below."""
        self.set_y(self.get_y() + 4)
        self._write(text, 12, INK, bold=True)
        self.set_draw_color(*ACCENT)
        self.set_line_width(0.3)
        self.line(MARGIN, self.get_y() + 0.5, WIDTH - MARGIN, self.get_y() + 0.5)
        self.set_y(self.get_y() + 2)

    def fact(self, label: str, text: str, *, link: str = "") -> None:
        """Write a label, and a text beside it, as long as there is room on the page."""
        top = self.get_y()
        if top > END:
            return
        self.set_font("DejaVu", "", 9)
        self.set_text_color(*QUIET)
        self.set_xy(MARGIN, top)
        self.multi_cell(LABEL - 2, 4.6, text=label, align="L")
        below = self.get_y()
        self.set_text_color(*INK)
        self.set_xy(MARGIN + LABEL, top)
        self.multi_cell(WIDTH - 2 * MARGIN - LABEL, 4.6, text=text, align="L", link=link)
        self.set_y(max(below, self.get_y()) + 0.8)

    def small(self, text: str) -> None:
        """Write a note."""
        self.set_y(self.get_y() + 2)
        self._write(text, 8, QUIET)

    def _write(self, text: str, points: float, colour: tuple[int, int, int], *, bold: bool = False) -> None:
        self.set_font("DejaVu", "B" if bold else "", points)
        self.set_text_color(*colour)
        self.set_x(MARGIN)
        self.multi_cell(WIDTH - 2 * MARGIN, points * 0.5, text=" ".join(text.split()), align="L")
