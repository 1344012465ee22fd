"""Every page in German, in all sizes and colours: no text in English that the catalogue has, the language named, and no
violation of axe."""

import re
from collections.abc import Callable

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Page

from config.languages import HERE
from tests.browser.looks import NARROW, Axe, wrong_in_all_looks
from tests.browser.test_every_page import SignIn, admin_pages, scene_of_every_page
from tests.post import Post
from tests.scenes import COURSE, make_scene, run
from tests.web import form_token, visitor

TEXTS = """() => {
  const found = [document.title.replace(/ · Recourse$/, "")];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    if (!node.parentElement.closest("code, pre, script, textarea, time, select[name=time_zone]"))
      found.push(node.textContent);
  for (const name of ["aria-label", "placeholder", "title", "alt", "data-missing", "data-irreversible"])
    for (const element of document.querySelectorAll(`[${name}]`)) found.push(element.getAttribute(name));
  return found.map((text) => text.replace(/\\s+/g, " ").trim()).filter((text) => text);
}"""

MIDDLES = """() => [...document.querySelectorAll(".bar > .brand, .bar > button, .bar nav a, .account > summary")]
  .map((one) => one.getBoundingClientRect()).filter((box) => box.width).map((box) => box.top + box.height / 2)"""


COUNTS = ("amount", "count", "n", "num", "number")
NAMED = re.compile(r"%\((\w+)\)s|\{(\w+)[^}]*\}")


def _spelled(text: str) -> str:
    """Return a pattern for the text with any values filled in."""
    parts = NAMED.split(text)  # the text between the placeholders, and the two names that each of them may have
    named = [one or other for one, other in zip(parts[1::3], parts[2::3], strict=True)]
    values = [r"[\d.,]+" if name in COUNTS else ".+" for name in named]
    return "".join(re.escape(part) + value for part, value in zip(parts[::3], [*values, ""], strict=True))


def in_english() -> Callable[[str], bool]:
    """Return whether a text of a page is one that the catalogue has in English, and in German otherwise."""
    german: set[str] = set()
    patterns: set[str] = set()
    with (HERE / "de.po").open("rb") as file:
        for message in read_po(file, locale="de"):
            sources = [message.id] if isinstance(message.id, str) else list(message.id)
            translated = [message.string] if isinstance(message.string, str) else list(message.string)
            german |= {part.strip() for text in translated for part in re.split(r"<[^>]*>", text)}
            patterns |= {part.strip(" .") for text in sources for part in re.split(r"<[^>]*>", text)}
    spelled = [_spelled(pattern) for pattern in patterns if re.search(r"[a-z]{3}", NAMED.sub("", pattern))]
    every = re.compile("|".join(spelled))
    return lambda text: text not in german and every.fullmatch(text.strip(" .:·,")) is not None


def test_every_page_is_in_german(
    sign_in: SignIn, open_page: Callable[..., Page], axe: Axe, post: Post, served: str, subtests: pytest.Subtests
) -> None:
    scene, mine, reset, rule = scene_of_every_page(post)
    english = in_english()

    def look(page: Page, name: str, within: str = "") -> None:
        with subtests.test(page=name):
            assert page.get_attribute("html", "lang") == "de"
            assert [text for text in page.evaluate(TEXTS) if english(text)] == []
            assert wrong_in_all_looks(page, axe, first=(NARROW, "dark"), within=within) == []

    learner = sign_in(next(user.email for user in scene.users() if user.id == mine.user_id))
    admin = sign_in("admin@acme.example")
    run("UPDATE \"user\" SET locale = 'de'")
    for page in (admin, learner):
        page.set_extra_http_headers({"Accept-Language": "de"})  # for pages that do not ask who reads them
    for name, path in admin_pages(scene, reset, rule).items():
        admin.goto(path)
        look(admin, name)
    admin.goto(f"/training/content/courses/{COURSE}")
    admin.get_by_label("Aktionen für Fire safety").click()
    admin.get_by_role("link", name="Kursfortschritt zurücksetzen").click()
    admin.get_by_role("dialog").get_by_role("link", name="Abbrechen").wait_for()
    look(admin, "the dialog", within="dialog")
    admin.goto("/no-such-page")
    look(admin, "an error")
    for path in ("/my/training", f"/my/courses/{COURSE}", "/my/inbox"):
        learner.goto(path)
        look(learner, path)


def test_who_is_not_signed_in_reads_the_language_of_their_browser(served: str) -> None:
    make_scene(learners=1)
    asked = visitor(served).get("/sign-in", headers={"accept-language": "de-CH,en;q=0.5"})
    assert '<html lang="de">' in asked.text
    assert "<h1>Anmelden</h1>" in asked.text
    for path, words in {
        "/no-such-page": "<h1>Nicht gefunden</h1>",
        "/set-password/no-such-link": "Link",
        "/verify/no-such-serial": "Zertifikat",
        "/.well-known/recourse-evidence/0123.pem": "Diesen Schlüssel gibt es nicht.",
    }.items():
        answer = visitor(served).get(path, headers={"accept-language": "de-CH,en;q=0.5"})
        assert words in answer.text, path
    with visitor(served) as browser:
        browser.headers["accept-language"] = "de"
        typed = {"organization": "acme", "email": "nobody@acme.example", "password": "wrong"}
        typed["csrf"] = form_token(browser.get("/sign-in"))
        wrong = [browser.post("/sign-in", data=typed) for _ in range(9)]
        assert [answer.status_code for answer in wrong] == [401] * 8 + [429]
        assert "Zu viele Anmeldungen sind fehlgeschlagen" in wrong[-1].text
    program = visitor(served).get("/v1/me", headers={"accept-language": "de"})
    assert program.json()["detail"].startswith("This needs a valid bearer token.")


@pytest.mark.parametrize("locale", ["de", "en"])
def test_the_header_is_one_row_on_a_laptop_and_fits_everywhere(sign_in: SignIn, served: str, locale: str) -> None:
    make_scene(learners=1)
    page = sign_in("admin@acme.example")
    run("UPDATE \"user\" SET locale = :locale, name = 'Dr. Wilhelmine von Oberhausen-Westenfelder'", locale=locale)
    for width in (1280, 640, 390, 320):  # 640 is 1280 at 200 %
        page.set_viewport_size({"width": width, "height": 860})
        page.goto("/training/content/courses")
        middles = page.evaluate(MIDDLES)
        assert max(middles) - min(middles) < 6, f"more than one row at {width}"
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        name = page.locator(".account summary span")
        assert name.get_attribute("title") == "Dr. Wilhelmine von Oberhausen-Westenfelder"
        assert (name.bounding_box() or {})["width"] >= 20
