"""The HTTP API under `/v1` (`api/`) and the pages (`pages/`, `templates/`, `static/`); `app` puts them together.

Both use `database` (one transaction per request), `access` (authentication and permissions) and `problems` (errors, as
RFC 9457 problems or as pages). Only pages use `csrf`, `templating`, `navigation` and `pager`.
"""
