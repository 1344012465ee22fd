"""The tests. `unit` needs nothing; `integration` and `faults` start a PostgreSQL and a Redis of their own."""

import os

from config.settings import Settings

# Before anything reads the settings: the developer's own must not decide what a test does, nor be touched by one.
for setting in Settings.model_fields:
    os.environ.pop(f"RECOURSE_{setting.upper()}", None)
Settings.model_config["env_file"] = None

# With `RECOURSE_TEST_POSTGRES=/usr/lib/postgresql/15/bin`, every PostgreSQL that a test starts is that one.
CHOSEN: dict[str, str] = {}
if programs := os.environ.get("RECOURSE_TEST_POSTGRES"):
    CHOSEN["RECOURSE_POSTGRES_PROGRAMS"] = programs
os.environ |= CHOSEN
