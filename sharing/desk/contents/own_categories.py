"""The categories of own items about which something is asked, for the lists. Nothing else of an item is kept.

Only the sealed draft of an own item says its type. The desk opens it for the group of that type, as an offer names it
to another State: FINANCE, and never whose account. So no content is shown, and nothing is recorded as a view.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sharing.console.found_asks import FoundAsk
from sharing.conversation_state.entries import KeptConversation, decode_entry
from sharing.desk.contents.item_categories import find_category
from sharing.desk.contents.own_drafts import DraftSource, OpenedDraft
from sharing.errors import InfrastructureError
from sharing.ids import make_draft_key
from sharing.kafka.unreadable_records import Unreadable
from sharing.model.times import DAY_MS

log = logging.getLogger(__name__)


class OwnCategories:
    """Finds the categories of own items.

    Args:
        drafts: Finds and opens the copies of items.
    """

    def __init__(self, drafts: DraftSource) -> None:
        self._drafts = drafts

    def find(self, asks: Iterable[FoundAsk]) -> Mapping[str, str]:
        """Return the categories of the items that Asks are about, by the ids of the Asks.

        One that cannot be determined is left out, whatever the reason: an answer to an Ask does not depend on it.

        Args:
            asks: Asks about own items.
        """
        found: dict[str, str] = {}
        missing: dict[int, dict[bytes, list[FoundAsk]]] = defaultdict(lambda: defaultdict(list))
        for each in asks:
            kept = decode_entry(each.key, each.entry)
            if not isinstance(kept, KeptConversation):
                continue
            copy = self._drafts.find_kept(kept.conversation, kept.drafts)
            if copy is None:
                key = make_draft_key(each.item, *kept.conversation.revision)
                missing[each.partition][key].append(each)
            else:
                self._take(found, [each], *copy)
        for partition, wanted in missing.items():
            self._read(found, partition, wanted)
        return found

    def _read(self, found: dict[str, str], partition: int, wanted: Mapping[bytes, list[FoundAsk]]) -> None:
        """Look for drafts on the topic: a withheld item waits for no delivery, so its entry has no copy.

        A draft is written with the decision, before the Ask is opened. What is older than that by more than a day is
        read only if something is missing.
        """
        left = dict(wanted)
        opened = min(each.ask.opened_at for asks in wanted.values() for each in asks)
        try:
            for since in (opened - DAY_MS, None):
                if not left:
                    return
                unreadable: Unreadable = []
                read = self._drafts.read_topic(partition, unreadable, since)
                last = {key: value for key, value in read if key in left}
                if unreadable:  # a deletion may be in it
                    log.warning("the categories of own items are not looked up: %s", unreadable[0].place)
                    return
                for key, value in last.items():
                    if value is not None:
                        self._take(found, left.pop(key), key, value)
        except InfrastructureError as error:
            log.warning("the categories of own items cannot be looked up: %s", error)

    def _take(self, found: dict[str, str], asks: list[FoundAsk], key: bytes, value: bytes) -> None:
        opened = self._drafts.open_copy(asks[0].item, key, value)
        category = find_category(opened.record["type"]) if isinstance(opened, OpenedDraft) else None
        if category is not None:
            found.update({each.ask.id: category for each in asks})
