"""SCIM 2.0, `/scim/v2`: identity providers keep users and groups in step (RFC 7644).

    discovery   what this service can do, and its schemas
    resources   the addresses of users and groups
    requests    bodies, query parameters, and who sends them
    answers     JSON as SCIM sends it

Errors are SCIM's own: see `web/problems/scim.py`.
"""

from fastapi import APIRouter

from web.scim import discovery, resources

__all__ = ["ROUTERS"]

ROUTERS: list[APIRouter] = [discovery.router, resources.USERS, resources.GROUPS]
