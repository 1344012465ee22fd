"""The report of a reset: one page of A4, in English, with moments in UTC."""

from datetime import datetime
from zoneinfo import ZoneInfo

from fpdf import FPDF

from config.links import reset_link
from tasks.certificates.pdf import ACCENT, FONTS, INK, QUIET
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
    page = _Page(f"Reset of {facts.course}", facts.organization)
    reset = facts.reset
    page.heading("Request")
    page.fact("Course", facts.course)
    page.fact("Requested", f"{_moment(reset.requested_at)} by {facts.requester}")
    page.fact("Reason", _short(reset.reason, "reason"))
    page.fact("Audience", facts.audience)
    page.fact("Preview", _preview(facts))
    page.heading("Result")
    began = f"started {_moment(reset.start_at)}"
    page.fact("State", f"{facts.state}: {facts.result}" if reset.finished_at else facts.state)
    page.fact("Time", f"{began}, ended {_moment(reset.finished_at)}" if reset.finished_at else began)
    page.fact("Learners", f"{number(facts.learners)}: {_counted(facts.outcomes)}" if facts.learners else "none")
    page.fact("Records deleted", _counted(facts.removed) or "none")
    if reset.error:
        page.fact("Error", _short(reset.error, "reason"))
    for place, (cause, learners) in enumerate(facts.causes[:MOST_CAUSES]):
        page.fact("Not reset" if place == 0 else "", f"{number(learners)}: {_short(cause, 'cause')}")
    if len(facts.causes) > MOST_CAUSES:
        page.fact("", f"and other causes, in {table}")
    page.heading("Identity")
    page.fact("Reset", str(reset.id), link=reset_link(reset.id))
    page.fact("Job", str(reset.task_id))
    page.fact(f"SHA-256 of {table}", checksum)
    page.fact("Signature", signature)
    page.fact("Public key", key.address, link=key.address)
    page.small(
        f"The signature is Ed25519, in Base64, of one line: the checksum, two spaces, “{table}”, and a line feed. "
        "The bundle of this reset has the checksum and the signature of this page too."
    )
    return bytes(page.output())


def _preview(facts: Facts) -> str:
    shown = facts.reset.shown
    planned = _moment(facts.reset.planned_at)
    if shown is None:
        return f"planned {planned}, without figures"
    about = "about " if shown["sampled"] > 1 else ""
    records = _counted(facts.shown) or "no records"
    return f"{planned}: {number(shown['learners'])} learners, {about}{records}; {about}{number(shown['alerts'])} alerts"


def _counted(figures: dict[str, int]) -> str:
    return ", ".join(f"{number(count)} {label.lower()}" for label, count in figures.items() if count)


def _moment(moment: datetime) -> str:
    return f"{short_moment(moment, UTC)} UTC"


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
        self.set_lang("en")
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
