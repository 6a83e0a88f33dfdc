"""The index of the inbox: newest revision, recalls, deletions, repeats."""

from __future__ import annotations

from typing import Any

from sharing.console.inbox_items import InboxItem, UnreadableItem
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.desk.contents.inbox_index import InboxIndex, InboxPlace
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.serialization.codec import get_codec
from tests.kafka.topic_io import fill_defaults

AT = 1_780_000_000_000
PLACE = InboxPlace("national.de.inbox", 0, 1)


NO_CONTENT = get_codec("notice_content").encode(fill_defaults("notice_content", {}))


def make_item(
    message: str, item: str = "i", version: int = 1, kind: str = "ITEM", at: int = AT, **changes: Any
) -> InboxItem:  # fmt: skip
    fields = {
        "id": message, "from_state": "CH", "item_id": item, "version": version, "amendment": 0, "urgency": "ORDINARY",
        "sent_at": from_milliseconds(AT), "conditions": [{"code": "H2"}], "retain_until": None, "expires_at": None,
        "kind": kind, "category": "FINANCE", "content": NO_CONTENT, **changes,
    }  # fmt: skip
    is_offer = kind == "OFFER"
    return InboxItem(message, MessageKind.OFFER if is_offer else MessageKind.NOTICE, at, fields, "place")


def fill(*items: InboxItem) -> InboxIndex:
    index = InboxIndex()
    for item in items:
        index.take(item.id, PLACE, item)
    return index


def test_the_newest_revision_is_found_whatever_came_last() -> None:
    index = fill(make_item("b", version=2, at=AT), make_item("a", version=1, at=AT + 9), make_item("o", kind="OFFER"))
    newest, offer = index.find_newest("CH", "i", is_offer=False), index.find_newest("CH", "i", is_offer=True)
    assert newest is not None
    assert offer is not None
    assert (newest.row.id, offer.row.id) == ("b", "o")
    assert index.find_newest("FR", "i", is_offer=False) is None


def test_a_recall_is_no_content_and_counts_up_to_its_revision() -> None:
    index = fill(make_item("a"), make_item("r", version=2, kind="RECALL"), make_item("c", version=3))
    assert index.find_recalled("CH", "i") == Revision(2)
    assert index.find_recalled("CH", "other") == NO_REVISION
    assert {row.id: is_gone for row, is_gone in index.list_rows()} == {"a": True, "r": False, "c": False}
    newest = index.find_newest("CH", "i", is_offer=False)
    assert newest is not None
    assert newest.row.id == "c"


def test_a_deleted_message_is_gone_and_its_item_with_the_last_one() -> None:
    index = fill(make_item("a"), make_item("b", version=2))
    index.take("b", PLACE, None)
    newest = index.find_newest("CH", "i", is_offer=False)
    assert newest is not None
    assert newest.row.id == "a"
    index.take("a", PLACE, None)
    assert (index.find("a"), index.has_item("CH", "i"), index.list_items("i")) == (None, False, [])


def test_the_same_message_again_is_one_and_one_that_opens_no_more_is_not_listed() -> None:
    index = fill(make_item("a"), make_item("a"))
    assert len(index.list_rows()) == 1
    index.take("a", PLACE, UnreadableItem("a", "place", "altered"))
    assert (index.list_rows(), [each.id for each in index.list_unreadable()]) == ([], ["a"])
    index.take("a", PLACE, make_item("a"))
    assert (len(index.list_rows()), index.list_unreadable()) == (1, [])


def test_what_is_read_again_stays_listed() -> None:
    index = fill(make_item("a"))
    index.mark_read()
    index.mark_unread()
    assert (index.is_read, len(index.list_rows())) == (False, 1)
