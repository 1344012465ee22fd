"""The pages: a file a place that people go to."""

from fastapi import APIRouter

from web.pages import home, sign_in

ROUTERS: list[APIRouter] = [sign_in.router, home.router]
