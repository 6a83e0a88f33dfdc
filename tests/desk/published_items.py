"""The items that the States of the world publish: those of the demo, which the shipped laws decide on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sharing.ids import make_content_id, make_item_id
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.testing.demo.scenario import read_conversation_cases, read_demo_cases
from sharing.testing.samples import sample_directory
from tests.desk.desk_officers import AGENCY

STATES: Final = ("CH", "DE", "JP")

OFFERED: Final = "Swiss prosecutors find the wallet"
"""CH offers it to DE, under a condition."""

HELD: Final = "A number that German police have"
"""DE holds it for CH until the public prosecutor approves."""

RELAXABLE: Final = "A transaction report of the Japanese unit"
"""JP offers it to an FIU, under two conditions of which its law requires one."""

UNANSWERED: Final = "A Japanese item without an answer"
"""JP withholds it: nobody has said whether it would harm a live case."""

GERMAN_NEXUS: Final[Mapping[str, Mapping[str, Any]]] = {
    RELAXABLE: {"value": "DE89370400440532013000", "nexus": [{"state": "DE", "reason": "the account is in Germany"}]},
    UNANSWERED: {"nexus": [{"state": "DE", "reason": "a German company rents the server"}]},
}
"""What is changed in an item of the demo, so that it is of use to one of these States."""


@dataclass(frozen=True)
class PublishedItem:
    """An item that was published.

    Attributes:
        indicator: Its newest version.
    """

    indicator: Indicator

    @property
    def id(self) -> str:
        """Id of the item."""
        source = self.indicator.source
        return make_item_id(source.state, source.agency, str(self.indicator.id))


def make_item(case: str, officer: str | None = None, **changes: Any) -> PublishedItem:
    """Return a new item like one of the demo.

    Args:
        case: Beginning of the title of the demo's case.
        officer: Id of the officer who publishes it; None for the agency and the officer that the demo names.
        **changes: Other values of its fields.
    """
    indicator = next(
        each.indicator for each in (*read_demo_cases(), *read_conversation_cases()) if each.title.startswith(case)
    )
    fields: Mapping[str, Any] = indicator.model_dump(mode="json", exclude_none=True)
    source = {**fields["source"], **({} if officer is None else {"officer": officer, "agency": AGENCY})}
    parts = {
        **fields,
        **GERMAN_NEXUS.get(case, {}),
        "source": source,
        **changes,
        "id": make_content_id(secrets.token_hex(8)),
    }
    return PublishedItem(Indicator.parse(parts))


def list_directory_entries() -> list[DirectoryEntry]:
    """Return what the States announce: as in the sample directory; but Germany has an FIU, and Japan no interests."""
    entries = [entry for entry in parse_entries(*sample_directory()) if entry.state in STATES]
    (fiu,) = [
        authority for entry in parse_entries(*sample_directory()) for authority in entry.authorities
        if entry.state == "FR" and authority.kind == "FIU"
    ]  # fmt: skip
    changes: Mapping[str, Mapping[str, Any]] = {"DE": {"authorities": (fiu,)}, "JP": {"interests": ()}}
    return [
        entry.model_copy(
            update={
                **changes.get(entry.state, {}),
                "authorities": (*entry.authorities, *changes.get(entry.state, {}).get("authorities", ())),
            }
        )
        for entry in entries
    ]
