"""Participants that are Python classes of installed packages, found by the entry point `recourse.participants`."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from config.languages.stored import stored
from models.participants import Participant
from models.sealing import opened
from tasks.participants.protocol import NotNowError, Outcome, Question, Request
from tasks.participants.protocol import Participant as Plugin

GROUP = "recourse.participants"
NOT_INSTALLED = stored("the plug-in {name} is not installed where the worker runs")


class PluginCaller:
    """Makes the class with its options, and calls it."""

    def clear(self, participant: Participant, request: Request) -> Sequence[Outcome]:
        """Call it. Raises `NotNowError`."""
        return _made(participant).clear(request)

    def preview(self, participant: Participant, question: Question) -> Mapping[str, int]:
        """Call it. Raises `NotNowError`."""
        return _made(participant).preview(question)


def plugins() -> list[str]:
    """Returns the names of the installed plug-ins."""
    return sorted(_classes())


def made(name: str, options: Mapping[str, str]) -> Plugin:
    """Returns a plug-in with these options. Raises `KeyError` if it is not installed, and what the class raises."""
    plugin: Plugin = _classes()[name].load()(**options)
    return plugin


def _made(participant: Participant) -> Plugin:
    options: dict[str, str] = json.loads(opened(participant.sealed_options)) if participant.sealed_options else {}
    try:
        return made(participant.target, options)
    except KeyError:
        raise NotNowError(NOT_INSTALLED.format(name=participant.target)) from None


@lru_cache(maxsize=1)
def _classes() -> dict[str, Any]:
    return {one.name: one for one in entry_points(group=GROUP)}
