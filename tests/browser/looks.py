"""A page looked at in both sizes, both colour schemes and enlarged, after it was loaded once."""

from collections.abc import Callable

from playwright.sync_api import Page

Axe = Callable[..., list[str]]

WIDE, NARROW = 1280, 390
HEIGHT = 900
ENLARGED = {"width": 640, "height": 430}  # what is left of 1280 x 860 at 200 %
COLOURS = ("color-contrast", "link-in-text-block")  # axe's rules that a colour scheme makes a difference to

COVERED = """() => {
  const within = document.querySelector("dialog[open], :popover-open, .menu[open]") ?? document.body;
  const found = [];
  for (const control of within.querySelectorAll("a[href], button, input, select, textarea, summary")) {
    if (!control.checkVisibility({visibilityProperty: true})) continue;
    if (control.closest(".skip, .unseen") || control.type === "hidden") continue;
    control.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
    const place = control.getClientRects()[0];
    if (!place || !place.width) continue;
    const seen = document.elementFromPoint(place.x + place.width / 2, place.y + place.height / 2);
    const own = seen && (control.contains(seen) || seen.contains(control) && seen.closest("label, a, button"));
    if (!own) found.push(`${control.outerHTML.slice(0, 120)} is covered by ${seen?.outerHTML.slice(0, 80)}`);
  }
  scrollTo(0, 0);
  return found;
}"""


def wrong_in_all_looks(
    page: Page, axe: Axe, *, first: tuple[int, str] = (WIDE, "light"), within: str = ""
) -> list[str]:
    """Return what is wrong with the page: axe's violations in each size and scheme, scrolling sideways, and controls
    that something covers at 200 %. The page is not loaded again, and ends enlarged.

    All of axe's rules are applied in the `first` look, and those about colours in the others: to the whole page, or
    `within` a part that was opened.
    """
    found = []
    for width in sorted((WIDE, NARROW), key=lambda width: width != first[0]):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        found += _sideways(page, width)
        for light in sorted(("light", "dark"), key=lambda light: light != first[1]):
            page.emulate_media(color_scheme=light)  # type: ignore[arg-type]
            violations = axe(page, *(() if (width, light) == first else COLOURS), within=within or None)
            found += [f"{width} {light}: {violation}" for violation in violations]
    page.set_viewport_size(ENLARGED)  # type: ignore[arg-type]
    return found + _sideways(page, ENLARGED["width"]) + page.evaluate(COVERED)


def _sideways(page: Page, width: int) -> list[str]:
    needed = page.evaluate("document.scrollingElement.scrollWidth")
    return [f"{width}: it scrolls sideways, by {needed - width} pixels"] if needed > width else []
