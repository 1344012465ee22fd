"""How users choose their alerts: on their page, and from an e-mail."""

import pytest

from config.links import unsubscribe_link
from tests.scenes import Scene, ask, make_scene, rows, run
from tests.web import form_token, visitor


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene(learners=2)


def test_a_user_chooses_a_level_per_course(scene: Scene, served: str) -> None:
    user, other = scene.users()
    browser = visitor(served, user.id)
    form = {"csrf": form_token(browser.get("/my/alerts")), "mail": "true"}
    assert browser.post("/my/alerts", data=form | {f"course-{scene.course.id}": "none"}).status_code == 303
    assert rows("SELECT user_id, course_id, level FROM alert_preference") == [(user.id, scene.course.id, "none")]
    page = browser.get("/my/alerts").text
    assert '<option value="none" selected>' in page
    browser.post("/my/alerts", data=form | {f"course-{scene.course.id}": "inbox"})
    assert rows("SELECT level FROM alert_preference") == [("inbox",)]
    browser.post("/my/alerts", data=form | {f"course-{scene.course.id}": "all"})
    assert ask("SELECT count(*) FROM alert_preference") == 0
    # And e-mail as a whole
    del form["mail"]
    browser.post("/my/alerts", data=form)
    assert rows('SELECT mail_on FROM "user" WHERE id IN (:a, :b) ORDER BY id', a=user.id, b=other.id) == [
        (False,),
        (True,),
    ]


def test_a_user_chooses_the_language_of_pages_and_e_mails(scene: Scene, served: str) -> None:
    user = scene.users()[0]
    run("UPDATE \"user\" SET locale = 'de-CH'")
    browser = visitor(served, user.id)
    page = browser.get("/my/settings")
    assert '<html lang="de">' in page.text
    assert '<option value="de" lang="de" selected>Deutsch</option>' in page.text
    form = {"csrf": form_token(page), "time_zone": "UTC"}
    for chosen, kept in (("de", "de-CH"), ("en", "en"), ("tlh", "en"), ("de", "de")):
        browser.post("/my/settings", data=form | {"language": chosen})
        assert ask('SELECT locale FROM "user" WHERE id = :id', id=user.id) == kept


def test_other_organizations_courses_and_unknown_levels_are_ignored(scene: Scene, served: str) -> None:
    elsewhere = make_scene("globex", learners=1)
    browser = visitor(served, scene.users()[0].id)
    form = {"csrf": form_token(browser.get("/my/alerts")), f"course-{elsewhere.course.id}": "none"}
    assert browser.post("/my/alerts", data=form | {f"course-{scene.course.id}": "sometimes"}).status_code == 303
    assert ask("SELECT count(*) FROM alert_preference") == 0


def test_one_click_in_the_mail_program_ends_the_emails(scene: Scene, served: str) -> None:
    # As in RFC 8058: a POST without cookies, from any site
    user, other = scene.users()
    path = "/unsubscribe/" + unsubscribe_link(user.id).rpartition("/")[2]
    program = visitor(served)
    program.headers["Sec-Fetch-Site"] = "cross-site"
    seen = program.get(path)
    assert "Turn off e-mail alerts?" in seen.text
    assert ask('SELECT mail_on FROM "user" WHERE id = :id', id=user.id) is True, "opening the link changes nothing"
    for _ in range(2):
        done = program.post(path, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
        assert "E-mail alerts are off" in done.text
    assert ask('SELECT mail_on FROM "user" WHERE id = :id', id=user.id) is False
    assert ask('SELECT mail_on FROM "user" WHERE id = :id', id=other.id) is True
    assert ask("SELECT count(*) FROM audit WHERE action = 'user.unsubscribed'") == 1


def test_a_tampered_link_is_refused(scene: Scene, served: str) -> None:
    user, other = (unsubscribe_link(one.id).rpartition("/")[2] for one in scene.users())
    mixed = user.partition(".")[0] + "." + other.partition(".")[2]
    program = visitor(served)
    assert program.get(f"/unsubscribe/{mixed}").status_code == 404
    assert program.post(f"/unsubscribe/{mixed}").status_code == 404
    assert ask('SELECT count(*) FROM "user" WHERE NOT mail_on') == 0
