"""Names for browsers, from what they say about themselves: enough for people to recognize their own."""

from config.languages import gettext, translatable

BROWSERS = (  # the first one that is named counts: most also name those that they descend from
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Vivaldi", "Vivaldi"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("CriOS", "Chrome"),
    ("HeadlessChrome", "Chrome"),
    ("Chrome", "Chrome"),
    ("Chromium", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", translatable("an iPhone")),
    ("iPad", translatable("an iPad")),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", translatable("a Mac")),
    ("Linux", "Linux"),
)


def device_in(user_agent: str) -> str:
    """Returns a name such as “Firefox on Windows”; for other programs, what they call themselves first."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS if mark in user_agent), None)
    if browser is None:
        return user_agent.split("/", maxsplit=1)[0].split(" ", maxsplit=1)[0][:40] or gettext("Unknown browser")
    return gettext("{browser} on {system}", browser=browser, system=system) if system else browser
