"""The checker of inboxes must find each violation: correct contents are corrupted in one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sharing.conversation.revision import Revision
from sharing.serialization.codec import get_codec
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.forgeries import REPLAYED
from tests.faults.sealed.inbox_acts import InboxActs
from tests.faults.sealed.inbox_checker import count_refusals, find_inbox_violations, list_refused_messages
from tests.faults.sealed.openings import InboxContents, InboxItem
from tests.faults.violations import Breach
from tests.faults.workload import make_marker

NOTICES, URGENT = "exchange.de.notices", "exchange.de.urgent"
INBOX, INBOX_URGENT = "national.de.inbox", "national.de.inbox.urgent"
CLEAR = make_marker(1, "CH", 1).encode()


def make_message(offset: int, identity: str, *, poison: str = "", **changes: Any) -> CommittedRecord:
    data = {"id": identity, "from_state": "CH", "indicator_id": f"item of {identity}", "version": 1}
    data |= {"urgency": "ORDINARY", "amendment": 0, "to_state": "DE", "kind": "ITEM", **changes}
    data |= {"item_id": f"id of {data['indicator_id']}"}
    content = make_content(identity)
    return CommittedRecord(0, offset, 0, b"", content, {} if poison else data, poison)


def make_content(identity: str) -> bytes:
    return get_codec("notice").header + f"content of {identity}".encode()


def make_item(offset: int, identity: str, topic: str = INBOX) -> InboxItem:
    return InboxItem(topic, 0, offset, 0, identity, "NOTICE", "CH", make_content(identity), b"sealed")


def make_refusal(topic: str, offset: int, cause: str) -> CommittedRecord:
    data = {"topic": topic, "partition": 0, "offset": offset, "cause": cause, "message": "refused"}
    return CommittedRecord(0, 0, 0, b"", b"", data)


def make_contents() -> InboxContents:
    """Return what an inbox must look like, with twins, a replay, a forgery, and a message that was sent again."""
    ordinary = [
        make_message(0, "a"),
        make_message(1, "b"),
        make_message(2, "a"),
        make_message(3, "revoked"),
        make_message(4, "forged", poison="UNKNOWN_KEY|NOT_PINNED"),
        make_message(5, "replayed", poison=REPLAYED),
        make_message(6, "c"),
        make_message(7, "revoked"),
        make_message(8, "old", indicator_id="x"),
        make_message(9, "new", indicator_id="x", version=2),
    ]
    urgent = [make_message(0, "u", urgency="URGENT")]
    items = [make_item(0, "u", INBOX_URGENT)]
    items += [make_item(offset, name) for offset, name in enumerate(("a", "b", "c", "revoked", "new"))]
    refused = [
        make_refusal(NOTICES, 3, "REVOKED"),
        make_refusal(NOTICES, 4, "UNKNOWN_KEY"),
        make_refusal(NOTICES, 8, "REVOKED"),
    ]
    newest = {("CH", f"item of {name}"): Revision(1) for name in ("a", "b", "c", "u", "revoked")}
    newest |= {("CH", "x"): Revision(2)}
    refused.append(make_refusal(NOTICES, 10, "NOT_PINNED"))
    return InboxContents({NOTICES: ordinary, URGENT: urgent}, items, refused, [], newest, {(NOTICES, 0, 10)})


def test_correct_contents_have_no_violation() -> None:
    contents = make_contents()
    assert find_inbox_violations("DE", contents) == []
    assert [record.data["id"] for record in list_refused_messages(contents)] == ["old"]
    assert count_refusals(contents) == {
        "forged refused": 1,
        "refused and sent again: REVOKED": 1,
        "refused and not sent again: REVOKED": 1,
        "count statements refused": 1,
    }


def test_what_was_sealed_again_after_a_revocation_is_there_twice() -> None:
    contents = make_contents()
    contents.items[2] = contents.items[2]._replace(revoked=True)
    contents.items.append(make_item(9, contents.items[2].id))
    assert find_inbox_violations("DE", contents) == []


def lose_item(contents: InboxContents) -> None:
    contents.items[:] = [item for item in contents.items if item.id != "c"]


def repeat_item(contents: InboxContents) -> None:
    contents.items.append(make_item(9, "a"))


def open_forged(contents: InboxContents) -> None:
    contents.items.append(make_item(9, "forged"))


def accept_forged(contents: InboxContents) -> None:
    del contents.refused[1]


def refuse_twice(contents: InboxContents) -> None:
    contents.refused.append(contents.refused[1])


def refuse_for_another_cause(contents: InboxContents) -> None:
    contents.refused[1] = make_refusal(NOTICES, 4, "MALFORMED")


def refuse_genuine(contents: InboxContents) -> None:
    contents.refused.append(make_refusal(NOTICES, 6, "BAD_SIGNATURE"))


def refuse_nothing(contents: InboxContents) -> None:
    contents.refused.append(make_refusal(NOTICES, 77, "REVOKED"))


def alter_content(contents: InboxContents) -> None:
    contents.items[2] = contents.items[2]._replace(content=b"another content")


def swap_items(contents: InboxContents) -> None:
    contents.items[1], contents.items[2] = contents.items[2], contents.items[1]


def swap_urgency(contents: InboxContents) -> None:
    contents.items[0] = contents.items[0]._replace(topic=INBOX)


def write_in_clear(contents: InboxContents) -> None:
    contents.items[0] = contents.items[0]._replace(sealed=b"x " + CLEAR)


def quarantine_content(contents: InboxContents) -> None:
    refusal = contents.refused[0]
    contents.refused[0] = refusal._replace(data={**refusal.data, "message": CLEAR.decode()})


def close_item(contents: InboxContents) -> None:
    contents.unreadable.append("national.de.inbox[0]@9: REVOKED")


@pytest.mark.parametrize(
    ("corrupt", "breach"),
    [
        (lose_item, Breach.LOST),
        (repeat_item, Breach.DUPLICATED),
        (open_forged, Breach.LEAKED),
        (accept_forged, Breach.LOST),
        (refuse_twice, Breach.DUPLICATED),
        (refuse_for_another_cause, Breach.UNFOUNDED),
        (refuse_genuine, Breach.UNFOUNDED),
        (refuse_nothing, Breach.UNFOUNDED),
        (alter_content, Breach.UNFOUNDED),
        (swap_items, Breach.REORDERED),
        (swap_urgency, Breach.REORDERED),
        (write_in_clear, Breach.LEAKED),
        (quarantine_content, Breach.LEAKED),
        (close_item, Breach.LOST),
    ],
)
def test_each_violation_is_found(corrupt: Callable[[InboxContents], None], breach: Breach) -> None:
    contents = make_contents()
    corrupt(contents)
    assert breach in {violation.breach for violation in find_inbox_violations("DE", contents)}


def keep_after_a_recall(contents: InboxContents) -> InboxContents:
    return contents._replace(acts=InboxActs(shredded={("CH", "id of item of a"): Revision(1)}))


def delete_without_a_recall(contents: InboxContents) -> InboxContents:
    return contents._replace(shredded={"a"})


def test_what_was_refused_and_has_been_amended_since_is_sent_no_more() -> None:
    contents = make_contents()
    contents.items[:] = [item for item in contents.items if item.id != "c"]
    contents = contents._replace(newest={**contents.newest, ("CH", "item of c"): Revision(1, 1)})
    assert [each.breach for each in find_inbox_violations("DE", contents)] == [Breach.LOST]
    contents.refused.append(make_refusal(NOTICES, 6, "REVOKED"))
    assert find_inbox_violations("DE", contents) == []


def test_what_a_conversation_has_sent_again_must_arrive() -> None:
    contents = make_contents()
    contents.items[:] = [item for item in contents.items if item.id != "revoked"]
    contents = contents._replace(unrepeated={"revoked"})
    assert [each.breach for each in find_inbox_violations("DE", contents)] == [Breach.LOST]
    del contents.messages[NOTICES][7]
    assert find_inbox_violations("DE", contents) == [], "nobody has sent it again"


@pytest.mark.parametrize(
    ("corrupt", "breach"), [(keep_after_a_recall, Breach.LEAKED), (delete_without_a_recall, Breach.LOST)]
)
def test_what_was_recalled_and_nothing_else_is_deleted(
    corrupt: Callable[[InboxContents], InboxContents], breach: Breach
) -> None:
    contents = corrupt(make_contents())
    assert breach in {violation.breach for violation in find_inbox_violations("DE", contents)}
    right = keep_after_a_recall(contents)._replace(shredded={"a"})
    assert find_inbox_violations("DE", right) == []


def test_what_was_kept_out_after_a_recall_is_not_lost() -> None:
    contents = make_contents()
    contents.items[:] = [item for item in contents.items if item.id != "c"]
    kept_out = InboxActs(blocked={("CH", "id of item of c", Revision(1))})
    assert find_inbox_violations("DE", contents._replace(acts=kept_out)) == []
