"""Addresses that lead from one of our pages to another: the web pages, and Flower."""

from urllib.parse import quote

from config.settings import settings


def reset_page(reset_id: object) -> str:
    """The reset's page in the web app."""
    return f"{settings().public_url}/resets/{reset_id}"


def flower_row(task_id: object) -> str | None:
    """The page in Flower of the run with this task id, which is `Reset.task_id`; none where Flower is not known."""
    return _below(settings().flower_url, f"/task/{task_id}")


def flower_tasks(reset_id: object) -> str | None:
    """All that Flower knows of the reset: its runs, their slices and alerts. It survives Flower's restarts."""
    # Of a search Flower takes only a name from its address; what follows the name is searched for as well.
    return _below(settings().flower_url, f"/tasks?name={quote(f'recourse. kwargs:reset={reset_id}', safe='')}")


def _below(address: str | None, path: str) -> str | None:
    return None if address is None else address + path
