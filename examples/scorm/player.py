"""Plays the package in `package/`: `flask --app player run`. Sign-in is left to your platform."""

from pathlib import Path
from uuid import UUID

from flask import Flask, Response, abort, jsonify, render_template, request, send_from_directory
from scorm_state import save, state_of
from sqlalchemy import select

from models.people import User
from models.refusals.training import StaleRegistration
from models.session import transaction
from models.training import Course, Enrolment

app = Flask(__name__)


@app.get("/play/<course>/<email>")
def play(course: str, email: str) -> str:
    """The course, as the learner left it."""
    with transaction() as session:
        registration = session.scalar(
            select(Enrolment.registration)
            .join(User, User.id == Enrolment.user_id)
            .join(Course, Course.id == Enrolment.course_id)
            .where(User.email == email, Course.code == course, Enrolment.unassigned_at.is_(None))
        )
        if registration is None:
            abort(404, "This course is not assigned to this learner.")
        cmi = state_of(session, registration)
    return render_template("play.html", course=course, registration=registration, cmi=cmi)


@app.post("/state/<uuid:registration>")
def commit(registration: UUID) -> tuple[Response, int]:
    """Store what the package commits. 409: a reset has ended this run."""
    try:
        with transaction() as session:
            save(session, registration, request.get_json()["cmi"])
    except StaleRegistration:
        return jsonify(result="false", errorCode=101), 409
    return jsonify(result="true", errorCode=0), 200


@app.get("/package/<path:name>")
def content(name: str) -> Response:
    """A file of the package."""
    return send_from_directory(Path(__file__).parent / "package", name)
