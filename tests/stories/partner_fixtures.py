"""Switzerland, which provides, and its partners."""

from __future__ import annotations

from typing import Any

from sharing.conversation.vocabulary import AskKind, ReplyResult
from sharing.rulings.act import Act, ActKind
from tests.stories.cases import MORNING
from tests.stories.world import World

URGENTLY: dict[str, Any] = {"urgency": "URGENT"}
NO_HARM = {"essential_interest_harm": False}
EVIDENCE, PURPOSE = "ch.fd-2006-960-1.evidence", "ch.fd-2006-960-8.purpose"


def make_world(**people: Any) -> World:
    """Return Switzerland, which provides, Germany and the Netherlands, with these people."""
    world = World({"CH": "POLICE", "DE": "POLICE", "NL": "POLICE"}, MORNING)
    world.people |= people
    return world


def list_acts(world: World, state: str, *kinds: ActKind) -> list[Act]:
    return [act for act in world.invariants.acts[state] if act.kind in kinds]


def list_results(world: World, state: str = "CH") -> list[ReplyResult | None]:
    return [act.result for act in list_acts(world, state, ActKind.REPLY_RESULT)]


def list_causes(world: World, state: str) -> list[str]:
    """Return why the worker of a State has refused records."""
    results = world[state].results
    refused = [each for result in results for each in (*result.conversation.refused, *result.inbox.refused)]
    return [each.cause for each in refused]


def list_open(world: World, state: str) -> list[AskKind]:
    return [question.ask.kind for question in world[state].list_questions()]
