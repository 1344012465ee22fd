"""What Schemathesis is told beside the OpenAPI document: half of its requests are about something that is there."""

import json
import os
import random
from typing import Any

import schemathesis

KNOWN = json.loads(os.environ["KNOWN"])
chance = random.Random(7731)


def as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


for media_type in ("application/x-ndjson", "application/zip"):
    schemathesis.serializer(media_type)(as_it_is)


@schemathesis.hook
def before_call(_: Any, case: Any, kwargs: dict[str, Any]) -> None:
    if "token_id" in (case.path_parameters or {}):
        case.path_parameters["token_id"] = KNOWN["token_id"]
    if chance.random() < 0.5:
        return
    for name in case.path_parameters or {}:
        if name in KNOWN:
            case.path_parameters[name] = KNOWN[name]
    if isinstance(case.body, dict) and isinstance(case.body.get("plan"), str):
        case.body |= {"plan": KNOWN["plan"], "confirm": KNOWN["code"], "reason": "found by chance"}
