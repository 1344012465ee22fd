"""The HTTP API, `/v1`: a file a noun."""

from fastapi import APIRouter

ROUTERS: list[APIRouter] = []
