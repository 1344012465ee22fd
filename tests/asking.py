"""Messages signed by another application, with the helper of `docs/how-to/share-a-broker.md`."""

import hashlib
import hmac
import json
import time
from typing import Any

from models.session import transaction
from models.tokens import ApiToken, Scope, message_secrets
from tasks.people.tokens import create_token
from tests.scenes import Scene, ask


def application(scene: Scene, *scopes: Scope) -> tuple[int, str]:
    """Create an application's token in the name of the scene's admin. Returns its id and the secret for signatures."""
    from models.people import User

    with transaction() as session:
        user = session.get_one(User, scene.admin.user_id)
        create_token(session, scene.admin, user, "shop", list(scopes), None)
    with transaction() as session:
        token = session.get_one(ApiToken, ask("SELECT max(id) FROM api_token"))
        return token.id, message_secrets(token)[0]


def signed(known_as: tuple[int, str], task: str, sent_at: float | None = None, **arguments: Any) -> dict[str, Any]:
    """Return the arguments of the message with its signature."""
    number, secret = known_as
    arguments |= {"application": number, "sent_at": int(sent_at or time.time())}
    text = json.dumps({"task": task} | arguments, sort_keys=True, separators=(",", ":"))
    return arguments | {"signature": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}
