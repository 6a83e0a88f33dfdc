"""Which agency's item a record is about.

Agencies of a State may share an id, and a decision does not name its agency.
"""

from __future__ import annotations

from collections import Counter

from tests.faults.contents import CommittedRecord, TopicContents

ItemVersion = tuple[str, int]
"""An indicator's id and version."""


def get_item(record: CommittedRecord) -> ItemVersion:
    """Return the id and version of the item that a record is about."""
    data = record.data
    return str(data.get("indicator_id") or data["id"]), int(data["version"])


class ItemAgencies:
    """The agency of each item, and of the item of each decision.

    Records with one id are in one partition, and are decided in their order (the checker verifies it). So the second
    decision on a version of an id is on the second indicator with that version.
    """

    def __init__(self, contents: TopicContents) -> None:
        self._agencies: dict[ItemVersion, list[str]] = {}
        for record in contents.indicators:
            if not record.poison:
                self._agencies.setdefault(get_item(record), []).append(get_agency(record))
        self._by_place: dict[tuple[int, int, int], str] = {}
        decided: Counter[ItemVersion] = Counter()
        for record in contents.decisions:
            item = get_item(record)
            agencies = self._agencies.get(item, [""])
            # A surplus decision, which the checker reports, counts as one on the last of them.
            self._by_place[record.place] = agencies[min(decided[item], len(agencies) - 1)]
            decided[item] += 1

    def find_by_decision(self, decision: CommittedRecord) -> str:
        """Return the agency of the item of a decision; "" if there is no such item."""
        return self._by_place[decision.place]

    def list_by_item(self, item: ItemVersion) -> set[str]:
        """Return the agencies that published a version of an item; "" alone if none did."""
        return set(self._agencies.get(item, [""]))


def get_agency(indicator: CommittedRecord) -> str:
    """Return the agency of an indicator."""
    return str(indicator.data["source"]["agency"])
