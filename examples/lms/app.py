"""The LMS's web application: `flask --app app run`."""

from typing import Any

import recourse
import settings
import sign_on
import store
from flask import Flask, Response, abort, jsonify, redirect, request
from standardwebhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
store.prepare()
sign_on.add_to(app)


@app.get("/courses/<course>")
def course_page(course: str) -> str:
    """A course, with a link to the dialog for admins."""
    return f"<h1>{course}</h1><p><a href={recourse.dialog(course)!r}>Reset course progress</a></p>"


@app.post("/courses/<course>/retrain")
def retrain(course: str) -> Response:
    """Reset the course from here, over HTTP."""
    reset = recourse.reset_course(course, request.form["reason"], request.form["key"])
    return redirect(f"{settings.RECOURSE}/resets/{reset}", 303)  # type: ignore[return-value]


@app.post("/recourse")
def participant() -> Response:
    """Count or clear records, as a participant of Recourse's resets."""
    asked = _verified(settings.PARTICIPANT_SECRET)
    if asked["type"] == "participant.preview":
        return jsonify(records={"attempts": store.count(asked["learners"])})
    return jsonify(store.clear(asked))


@app.post("/webhooks")
def webhook() -> tuple[str, int]:
    """Follow the registrations of learners, which new attempts are stored under."""
    said = _verified(settings.WEBHOOK_SECRET)
    if said["type"] == "learner.reset":
        store.note_registrations(said["data"]["course"], said["data"]["learners"])
    return "", 204


def _verified(secret: str) -> dict[str, Any]:
    try:
        return dict(Webhook(secret).verify(request.get_data(), dict(request.headers)))
    except WebhookVerificationError:
        abort(401)
