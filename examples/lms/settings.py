"""The LMS's settings, from the environment."""

import os

DATABASE = os.environ.get("LMS_DATABASE", "lms.sqlite")
BROKER = os.environ.get("LMS_BROKER", "redis://127.0.0.1:6379/0")  # the one that Recourse uses
RECOURSE = os.environ.get("RECOURSE_ADDRESS", "http://127.0.0.1:8000")
ORGANIZATION = os.environ.get("RECOURSE_ORGANIZATION", "acme")
TOKEN = os.environ.get("RECOURSE_TOKEN", "")  # from `recourse token create`, for requests over HTTP
APPLICATION = int(os.environ.get("RECOURSE_APPLICATION", "0"))  # the token's id, for requests by message
MESSAGE_SECRET = os.environ.get("RECOURSE_MESSAGE_SECRET", "")  # from `recourse token message-secret`
PARTICIPANT_SECRET = os.environ.get("PARTICIPANT_SECRET", "")
WEBHOOK_SECRET = os.environ.get("WEBHOOK_SECRET", "")
ISSUER = os.environ.get("SIGN_ON_ISSUER", "")  # of the provider; without one, the LMS has no sign-in
CLIENT_ID = os.environ.get("SIGN_ON_CLIENT_ID", "")
CLIENT_SECRET = os.environ.get("SIGN_ON_CLIENT_SECRET", "")
SESSION_KEY = os.environ.get("LMS_SESSION_KEY", "")
