"""An example of every answer, for the OpenAPI document; by the name of its schema."""

from typing import Any

_RESET = {
    "id": "01a20d09-79f6-7b0b-b11a-f6143785020d",
    "course": "SAFETY-101",
    "audience": "completed",
    "state": "running",
    "progress": {"total": 90, "cleared": 49, "unchanged": 0, "skipped": 0, "failed": 0},
    "reason": "incident 7731",
    "requester": "Alex Admin",
    "requested_at": "2027-01-31T12:00:00Z",
    "start_at": "2027-01-31T12:00:00Z",
    "finished_at": None,
}
_REMOVED = {"lesson_progress": 196, "completion": 49, "certificate": 49}
_ENROLMENT = {
    "course": "SAFETY-101",
    "title": "Working safely at height",
    "registration": "01a20d09-909d-73f4-a4a5-a5da8da64675",
    "state": "in_progress",
    "progress": 40,
    "assigned_at": "2027-01-02T08:00:00Z",
    "due_at": "2027-03-02T12:00:00Z",
    "completed_at": None,
    "certificate": None,
}

_WORDS = [
    "SAFETY-101 is reset for everyone assigned: each year on 1 March at 06:00 (Europe/Zurich).",
    "Learners are warned 14 days before.",
    "The new due date is 30 days after the reset.",
]
_FIGURES = {
    "reach": 120,
    "learners": 120,
    "completions": 90,
    "removed": {"lesson_progress": 360, "completion": 90, "certificate": 90},
    "alerts": 108,
    "shown_at": "2027-01-31T12:00:00Z",
}
_AHEAD = {"due_at": "2027-03-01T05:00:00Z", "learners": 120, "names": ["Ada Abebe", "Ben Castro"]}
_RULE = {
    "id": "01a20d1d-c652-70ad-89c1-3b7a941d808d",
    "state": "active",
    "waits_for": None,
    "terms": {
        "course": "SAFETY-101",
        "kind": "calendar",
        "reason": "yearly recertification",
        "starts": "2027-03-01T06:00:00",
        "recurrence": "FREQ=YEARLY",
        "time_zone": "Europe/Zurich",
        "warn_days": 14,
        "due_in_days": 30,
    },
    "in_words": _WORDS,
    "owner": "user:1",
    "confirmed_at": "2027-01-31T12:00:00Z",
    "confirmed_preview": _FIGURES,
}

EXAMPLES: dict[str, Any] = {
    "PlanAnswer": {
        "plan": "eyJpZCI6IjAxYTIwZDA5…",
        "expires_at": "2027-01-31T12:15:00Z",
        "confirm": "SAFETY-101",
        "course": "SAFETY-101",
        "audience": "completed",
        "group": None,
        "reason": "incident 7731",
        "due_in_days": 30,
        "notify": True,
        "start_at": None,
        "learners": 90,
        "removed": {"lesson_progress": 360, "completion": 90, "certificate": 90},
        "alerts": 81,
        "about": False,
        "excluded": [{"reason": "another reset of this learner is still open", "learners": 3}],
        "sample": ["Ada Abebe", "Ben Castro"],
    },
    "ResetAnswer": _RESET
    | {
        "done": False,
        "removed": _REMOVED,
        "notified": 0,
        "seconds": 3.21,
        "due_in_days": 30,
        "notify": True,
        "cancelled": False,
        "error": None,
    },
    "Resets": {"items": [_RESET]},
    "Items": {
        "items": [
            {"user_id": 42, "name": "Ada Abebe", "email": "ada@acme.example", "state": "cleared", "reason": None},
            {
                "user_id": 43,
                "name": "Ben Castro",
                "email": "ben@acme.example",
                "state": "skipped",
                "reason": "the course is no longer assigned",
            },
        ]
    },
    "Enrolments": {"items": [_ENROLMENT]},
    "EnrolmentWithActivities": _ENROLMENT
    | {"activities": [{"id": 1, "kind": "lesson", "reference": "intro", "title": "Introduction"}]},
    "LessonAnswer": {"activity_id": 1, "percent": 100.0, "updated_at": "2027-02-01T09:00:00Z"},
    "SubmissionAnswer": {"activity_id": 8, "attempt": 1, "score": 82.5},
    "PostAnswer": {"id": 331, "activity_id": 7, "posted_at": "2027-02-01T09:00:00Z"},
    "CompletionAnswer": {"completed_at": "2027-02-01T09:00:00Z", "certificate": "2RZCA-R3HDP-3VDGE-SELRJ"},
    "ImportAnswer": {"lines": 3, "counts": {"users": {"in_file": 3, "new": 1, "changed": 1, "unchanged": 1}}},
    "CoursesFigures": {
        "items": [
            {
                "course": "SAFETY-101",
                "title": "Working safely at height",
                "assigned": 120,
                "in_progress": 20,
                "completed": 90,
                "rate": 0.75,
            }
        ]
    },
    "UsersFigures": {
        "items": [
            {
                "user_id": 42,
                "name": "Ada Abebe",
                "email": "ada@acme.example",
                "state": "in_progress",
                "progress": 40,
                "completed_at": None,
                "due_at": "2027-03-02T12:00:00Z",
            }
        ]
    },
    "ProposalAnswer": {
        "proposal": "eyJpZCI6IjAxYTIwZDA5…",
        "confirm": "SAFETY-101",
        "in_words": _WORDS,
        "figures": _FIGURES,
        "ahead": [_AHEAD],
    },
    "RuleAnswer": _RULE,
    "Rules": {"items": [_RULE]},
    "AheadList": {"items": [_AHEAD]},
    "Occurrences": {
        "items": [
            {
                "due_at": "2027-03-01T05:00:00Z",
                "state": "settled",
                "reset_id": "01a20d09-79f6-7b0b-b11a-f6143785020d",
                "reason": None,
                "occurrences": 1,
                "learners": 120,
            }
        ]
    },
    "EventAnswer": {
        "id": 1,
        "kind": "incident",
        "course": "SAFETY-101",
        "reason": "press 4",
        "reported_at": "2027-02-01T09:00:00Z",
        "rules_due": 1,
    },
    "GroupAnswer": {"code": "bern-2", "name": "Bern, shift 2", "members": 14},
    "Groups": {"items": [{"code": "bern-2", "name": "Bern, shift 2", "members": 14}]},
    "ErasedAnswer": {
        "user_id": 42,
        "erased_at": "2027-01-31T12:00:00Z",
        "enrolments": 3,
        "records": 58,
        "files": 2,
    },
    "Changed": {"joined": 1, "left": 0},
    "Me": {
        "user_id": 1,
        "name": "Alex Admin",
        "email": "admin@acme.example",
        "organization": "acme",
        "permissions": ["Platform management: Users", "Training: Manage courses"],
    },
}
