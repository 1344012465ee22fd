"""`examples/lms` and Recourse have the same provider: whoever is signed in to one is not asked again by the other."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.lms import Lms
from tests.provider import Client, Provider
from tests.scenes import make_scene
from tests.signing_on import use, user_here


def test_a_learner_signs_in_once_for_the_lms_and_recourse(
    served: str, set_up: Callable[..., None], chromium: Browser, tmp_path: Path
) -> None:
    set_up(webhook_allow_private="true", public_url=served)
    scene = make_scene(learners=1)
    user_here(scene, "kim")
    with Provider() as provider:
        provider.serves(served)
        provider.knows("kim")
        use(scene, provider)
        settings = {
            "RECOURSE_ADDRESS": served,
            "SIGN_ON_ISSUER": provider.issuer,
            "SIGN_ON_CLIENT_ID": "lms",
            "SIGN_ON_CLIENT_SECRET": "of the lms",
        }
        with Lms(tmp_path, **settings) as lms:
            here = f"http://127.0.0.1:{lms.port}"
            provider.clients["lms"] = Client("lms", "of the lms", {f"{here}/signed-in"})
            lms.serve()
            page = chromium.new_context().new_page()
            page.goto(f"{here}/me")
            page.get_by_role("link", name="Sign in").click()
            page.get_by_label("Who are you?").fill("kim")
            page.get_by_role("button", name="Sign in there").click()
            expect(page.get_by_text("You are Kim.")).to_be_visible()
            page.get_by_role("link", name="My training in Recourse").click()
            page.wait_for_url(f"{served}/my/training")
            page.context.close()
