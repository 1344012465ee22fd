"""A certificate as PDF: A4 landscape, with a QR code that opens the page that verifies it."""

from pathlib import Path
from typing import cast

import segno
from fpdf import FPDF

from config.languages import locale_of
from config.links import verify_link
from models.certificates import Facts
from models.people import zone_of
from tasks.certificates.words import certificate_words
from tasks.formats import long_day

FONTS = Path(__file__).parent / "fonts"  # the built-in fonts of PDF cover only Western European letters
INK, QUIET, ACCENT = (22, 33, 31), (82, 97, 94), (11, 93, 91)
WIDTH, HEIGHT, MARGIN = 297.0, 210.0, 30.0  # mm
QR_SIZE = 32.0  # mm; a phone reads it from paper at arm's length
LINE = 1.25  # line height, relative to the font size


def certificate_pdf(facts: Facts) -> bytes:
    """Returns the PDF. Equal facts yield equal bytes."""
    tag, words = certificate_words(facts.user.locale)
    day = long_day(facts.issued_at.astimezone(zone_of(facts.user)), locale_of(tag))
    page = _Page()
    page.set_title(f"{words.title}: {facts.course.title}")
    page.set_author(facts.organization.name)
    page.set_lang(tag)
    page.set_creation_date(facts.issued_at)
    page.frame()
    page.centred(30, facts.organization.name, 15, QUIET, lines=1)
    page.centred(45, words.title, 36, ACCENT, bold=True)
    page.centred(70, words.introduction, 13, QUIET)
    page.centred(80, facts.user.name, 30, INK, bold=True)
    page.centred(105, words.deed, 13, QUIET)
    page.centred(115, facts.course.title, 22, INK, bold=True)
    page.centred(142, words.issued.format(day=day), 13, INK)
    link = verify_link(facts.serial)
    page.qr_code(link, MARGIN - 2, 156)
    page.beside_code(162, [words.serial.format(serial=facts.serial), words.verify, link])
    return bytes(page.output())


class _Page(FPDF):
    """One page and its drawing operations."""

    def __init__(self) -> None:
        super().__init__(orientation="landscape", format="A4")
        self.add_font("DejaVu", "", FONTS / "DejaVuSans.ttf")
        self.add_font("DejaVu", "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_auto_page_break(auto=False)
        self.add_page()

    def frame(self) -> None:
        """Draw a double frame."""
        self.set_draw_color(*ACCENT)
        for inset, width in ((10.0, 1.2), (13.0, 0.3)):
            self.set_line_width(width)
            self.rect(inset, inset, WIDTH - 2 * inset, HEIGHT - 2 * inset)

    def centred(
        self, top: float, text: str, points: float, colour: tuple[int, int, int], *, bold: bool = False, lines: int = 2
    ) -> None:
        """Write centred text, `top` mm from the top edge, in a smaller size if it needs more than `lines` lines."""
        text = " ".join(text.split())
        room = WIDTH - 2 * MARGIN
        preferred = points
        while points > 7:
            self.set_font("DejaVu", "B" if bold else "", points)
            needed = len(cast(list[str], self.multi_cell(room, text=text, align="C", dry_run=True, output="LINES")))
            # Two smaller lines take the room of one and a half at the preferred size.
            if needed == 1 or (needed <= lines and points <= preferred * 0.75):
                break
            points -= 1
        self.set_text_color(*colour)
        self.set_xy(MARGIN, top)
        height = points * 0.3528 * LINE  # a point is 0.3528 mm
        self.multi_cell(room, height, text=text, align="C")

    def qr_code(self, text: str, left: float, top: float) -> None:
        """Draw the code as vectors, so that it is sharp at every size."""
        rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=4)]
        size = QR_SIZE / len(rows)
        self.set_fill_color(0, 0, 0)
        for y, row in enumerate(rows):
            begin = None
            for x, dark in enumerate([*row, 0]):  # one rectangle per run of dark modules: no hairlines between them
                if dark and begin is None:
                    begin = x
                elif not dark and begin is not None:
                    self.rect(left + begin * size, top + y * size, (x - begin) * size, size, style="F")
                    begin = None

    def beside_code(self, top: float, lines: list[str]) -> None:
        """Write small lines to the right of the code, shrunk to fit."""
        for place, line in enumerate(lines):
            points = 10.0
            self.set_font("DejaVu", "", points)
            room = WIDTH - 2 * MARGIN - QR_SIZE
            while self.get_string_width(line) > room and points > 4:
                points -= 0.5
                self.set_font("DejaVu", "", points)
            self.set_text_color(*(INK if place == 0 else QUIET))
            self.set_xy(MARGIN + QR_SIZE + 1, top + place * 6.5)
            self.cell(room, 6, text=line, link=line if line.startswith("http") else "")
