"""Questions that are open on the bus of a page before its first command, as a worker would have put them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.cli.conversation_bus import ConversationBus
from tests.conversation.people import disclosed, held, offered, withheld

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker import Broker

APPROVER = "PUBLIC_PROSECUTOR"


def _call_nothing(*_: object) -> None:
    raise AssertionError("the page calls the commands")


def put_questions(broker: Broker, folder: Path) -> None:
    """Let CH hold an item, withhold one for a missing fact, offer one, and send one."""
    bus = ConversationBus(broker, _call_nothing, folder)  # type: ignore[arg-type]
    bus.publish(1, replace(held("DE"), approver=APPROVER, conditions=frozenset({"c.one"})))
    bus.publish(2, withheld("NL", "findings.serious_offence"), partition=1)
    bus.publish(3, offered("JP", "c.two"), partition=2)
    bus.publish(4, disclosed("DE"), disclosed("NL"), partition=3)
