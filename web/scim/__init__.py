"""SCIM 2.0, `/scim/v2`: identity providers keep users and groups in step (RFC 7644).

    discovery   what this service can do, and its schemas
    users       the addresses of users
    groups      the addresses of groups
    requests    bodies, query parameters, and who sends them
    answers     JSON as SCIM sends it

Errors are SCIM's own: see `web/problems/scim.py`.
"""

from fastapi import APIRouter

from web.scim import discovery, groups, users

__all__ = ["ROUTERS"]

ROUTERS: list[APIRouter] = [discovery.router, users.router, groups.router]
