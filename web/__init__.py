"""What people and programs touch: the HTTP API under `/v1` (`api/`) and the pages (`pages/`, `templates/`, `static/`).

`app` puts it together. Shared by both halves: `database` (a transaction a request), `access` (who asks, and what they
may), `problems` (what is refused, as RFC 9457 problems or as pages). For the pages alone: `csrf`, `templating`.
"""
