"""The entries: what is in them, what is dropped, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.asks import Ask, GivenAnswer, Publisher
from sharing.conversation.deliveries import SENT_MS, Conversation, Delivery, due
from sharing.conversation.events import AmendmentOrdered, RecallOrdered, Replied
from sharing.conversation.received_events import InboxCopy
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer, DeliveryStatus
from sharing.conversation_state.entries import (
    KeptConversation,
    decode_conversation,
    decode_entry,
    decode_received,
    encode_conversation,
    encode_received,
)
from sharing.conversation_state.entry_head import NEVER, encode_instant, read_due
from sharing.conversation_state.item_keys import ItemKey, make_own_key, make_received_key, read_item_key
from sharing.errors import DecodeError, InputError
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency
from sharing.serialization.codec import get_codec, read_schema_text
from tests.conversation.people import JUDGE, NOW, ROLES, disclosed, held, offered
from tests.conversation.test_provider import Story
from tests.conversation.test_provider_machine import EXAMPLES
from tests.conversation.test_receiver import OFFER, RECALL, Inbox, item
from tests.conversation_state.kept_states import ITEM, check_received_round_trip, check_round_trip

KEY = make_own_key(ITEM)


def tell(*terms: Terms, **changes: object) -> Story:
    story = Story()
    story.conversation = replace(story.conversation, item=ITEM)
    story.decide(*terms, **changes)
    return story


def keep(story: Story, *revisions: Revision) -> KeptConversation:
    drafts = {revision: b"sealed %d" % revision.version for revision in revisions}
    return KeptConversation(story.conversation, drafts)


def change_entry(entry: bytes, change: Any) -> bytes:
    """Return an entry of which some fields are others."""
    codec = get_codec("conversation_state")
    record = codec.decode(entry)
    change(record)
    return codec.encode(record)


@pytest.mark.parametrize(
    "model", [Ask, GivenAnswer, Publisher, Delivery, Terms, Conversation, ReceivedItem, Replied, InboxCopy]
)
def test_an_entry_has_every_field_of_the_model(model: type[Any]) -> None:
    """A field that the model gets, and the entry does not, would be lost at each restart."""
    names = {"Conversation": "ConversationEntry", "ReceivedItem": "ReceivedEntry"}
    known: dict[str, set[str]] = {}

    def collect(schema: Any) -> None:
        if isinstance(schema, list):
            for part in schema:
                collect(part)
        elif isinstance(schema, dict):
            if schema.get("type") == "record":
                known[schema["name"]] = {field["name"] for field in schema["fields"]}
            for value in schema.values():
                collect(value)

    collect(json.loads(read_schema_text("conversation_state")))
    in_key = {"item", "from_state"} if model in {Conversation, ReceivedItem} else set()
    beside = {"terms", "drafts"} if model is Conversation else set()
    of_delivery = {"state"} if model is Terms else set()  # the State of its delivery
    expected = {field.name for field in fields(model)} - in_key - of_delivery
    assert known[names.get(model.__name__, model.__name__)] - beside == expected


def test_an_open_ask_takes_little_room() -> None:
    assert len(encode_conversation(keep(tell(offered("DE", "c"))))) < 250
    states = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJ"]
    many = encode_conversation(keep(tell(*(offered(state, "c", "d") for state in states))))
    assert len(many) < 150 * len(states)


def test_what_is_due_is_read_without_decoding() -> None:
    story = tell(offered("DE", "c"))
    instant = due(story.conversation)
    assert instant is not None
    assert read_due(encode_conversation(keep(story))) == encode_instant(instant) == instant.to_bytes(8, "big")
    assert read_due(encode_conversation(keep(tell(disclosed("DE"))))) == encode_instant(NOW + SENT_MS)
    inbox = Inbox(OFFER)
    assert read_due(encode_received(replace(inbox.received, item=ITEM))) == encode_instant(NOW + DAY_MS // 2)


@pytest.mark.parametrize("instant", [-5, 0, 1, 2**62, 2**70])
def test_instants_have_the_order_of_their_bytes(instant: int) -> None:
    assert encode_instant(instant) > NEVER
    assert encode_instant(instant) <= encode_instant(instant + 1)
    assert (encode_instant(instant) <= encode_instant(NOW)) == (instant <= NOW)


def test_a_draft_is_kept_as_long_as_something_needs_it() -> None:
    story = tell(offered("DE", "c"), held("FR"))
    first, unknown = Revision(1), Revision(7)
    assert decode_conversation(KEY, encode_conversation(keep(story, first, unknown))).drafts == {first: b"sealed 1"}
    story.reply(Answer.ACCEPTED)
    kept = decode_conversation(KEY, encode_conversation(keep(story, first)))
    assert kept.drafts == {first: b"sealed 1"}, "it is still to be sent to FR"
    story.decide(offered("DE", "c"), version=2)
    kept = decode_conversation(KEY, encode_conversation(replace(keep(story, Revision(2)), drafts={
        **kept.drafts, Revision(2): b"sealed 2",
    })))  # fmt: skip
    assert kept.drafts == {Revision(2): b"sealed 2"}
    story.reply(Answer.ACCEPTED)
    assert not list(story.conversation.list_deliveries(DeliveryStatus.WAITING))
    kept = decode_conversation(KEY, encode_conversation(replace(kept, conversation=story.conversation)))
    assert kept.drafts == {Revision(2): b"sealed 2"}, "a correction of what DE has needs it"
    story.happen(RecallOrdered(JUDGE, roles=ROLES))
    assert decode_conversation(KEY, encode_conversation(replace(kept, conversation=story.conversation))).drafts == {}


def test_ids_that_another_state_has_chosen_may_be_any_text() -> None:
    for chosen in ("", "an offer", "x" * 16, ITEM, ITEM.upper(), ITEM.replace("-", ""), "ç" * 8):
        inbox = Inbox(replace(OFFER, ask=chosen), replace(RECALL, ask=f"recall of {chosen}"), item(3))
        check_received_round_trip(inbox.received)


def test_deliveries_with_different_terms_keep_them() -> None:
    terms = offered("DE", "c"), offered("FR", "c"), held("US"), disclosed("NL")
    check_round_trip(tell(*terms, urgency=Urgency.URGENT).conversation)


def test_keys_tell_directions_and_states_apart() -> None:
    keys = [make_own_key(ITEM), make_received_key("CH", ITEM), make_received_key("DE", ITEM)]
    assert [read_item_key(key) for key in keys] == [ItemKey(ITEM, None), ItemKey(ITEM, "CH"), ItemKey(ITEM, "DE")]


@pytest.mark.parametrize("identity", ["item", ITEM.upper(), f"{ITEM}\n", "", f"{{{ITEM}}}"])
def test_an_item_without_a_uuid_is_refused(identity: str) -> None:
    with pytest.raises(InputError, match="not a UUID"):
        make_own_key(identity)
    with pytest.raises(InputError, match="not a UUID"):
        make_received_key("CH", identity)


@pytest.mark.parametrize("key", [b"", b"out/", KEY + b"x", b"in/" + KEY[4:], b"in//" + KEY[4:], b"other/" + KEY[4:]])
def test_an_unknown_kind_of_key_is_an_error(key: bytes) -> None:
    with pytest.raises(DecodeError, match="a kind that this release does not know; update") as caught:
        decode_entry(key, encode_conversation(keep(tell(offered("DE")))))
    assert caught.value.cause == "UNKNOWN_KIND"


UNKNOWN_VALUES = [
    ("urgency", lambda conversation: conversation.update(urgency="SOON")),
    ("terms.outcome", lambda conversation: conversation["terms"][0].update(outcome="LEND")),
    ("deliveries.status", lambda conversation: conversation["deliveries"][0].update(status="LOST")),
    ("asks.kind", lambda conversation: conversation["asks"][0].update(kind="PERMIT_OTHER_USE")),
    ("asks.status", lambda conversation: conversation["asks"][0].update(status="PAUSED")),
    ("asks.urgency", lambda conversation: conversation["asks"][0].update(urgency="")),
    ("asks.given.answer", lambda conversation: conversation["asks"][0]["given"][0].update(answer="PERHAPS")),
]


@pytest.mark.parametrize(("field", "change"), UNKNOWN_VALUES, ids=[field for field, _ in UNKNOWN_VALUES])
def test_a_value_of_a_later_release_is_an_error(field: str, change: Any) -> None:
    """It can be written with the schema of today, and is never taken for something else or left out."""
    story = tell(offered("DE", "c"))
    story.reply(Answer.ACCEPTED)
    entry = change_entry(encode_conversation(keep(story)), lambda record: change(record["conversation"]))
    with pytest.raises(DecodeError, match=f"^`{field}` in an entry .* update this program") as caught:
        decode_entry(KEY, entry)
    assert caught.value.cause == "UNKNOWN_KIND"


def test_a_kind_of_ask_of_a_later_release_needs_no_other_schema() -> None:
    entry = encode_conversation(keep(tell(offered("DE", "c"))))
    later = change_entry(entry, lambda record: record["conversation"]["asks"][0].update(kind="PERMIT_OTHER_USE"))
    assert later[:10] == entry[:10]
    assert get_codec("conversation_state").decode(later)["conversation"]["asks"][0]["kind"] == "PERMIT_OTHER_USE"


def test_an_unknown_result_is_an_error() -> None:
    inbox = replace(Inbox(OFFER).received, item=ITEM, results={"offer": "PERHAPS"})
    with pytest.raises(DecodeError, match=r"`results\.result`"):
        decode_received(make_received_key("CH", ITEM), encode_received(inbox))


def test_an_entry_is_what_its_key_says() -> None:
    own, received = encode_conversation(keep(tell(offered("DE")))), encode_received(ReceivedItem(ITEM, "CH", "DE"))
    other_key = make_received_key("CH", ITEM)
    other = get_codec("conversation_state").decode(received)["received"]
    both = change_entry(own, lambda record: record.update(received=other))
    neither = change_entry(own, lambda record: record.update(conversation=None))
    for key, entry in ((other_key, own), (KEY, received), (KEY, both), (KEY, neither), (other_key, both)):
        with pytest.raises(DecodeError, match="not the one that its key says"):
            decode_entry(key, entry)
    with pytest.raises(DecodeError, match="another State"):
        decode_conversation(other_key, received)
    with pytest.raises(DecodeError, match="own"):
        decode_received(KEY, own)


def test_what_contradicts_itself_is_an_error() -> None:
    entry = encode_conversation(keep(tell(offered("DE"), offered("FR"))))

    def repeat(name: str) -> Any:
        return lambda record: record["conversation"][name].append(record["conversation"][name][0])

    for change, text in (
        (repeat("asks"), "two Asks"),
        (repeat("deliveries"), "two deliveries"),
        (lambda record: record["conversation"]["asks"][0].update(id=b"short"), "not a UUID"),
        (lambda record: record["conversation"]["terms"].clear(), "without terms"),
        (lambda record: record["conversation"]["deliveries"][0].update(terms=-1), "without terms"),
    ):
        with pytest.raises(DecodeError, match=text):
            decode_entry(KEY, change_entry(entry, change))


def test_what_is_no_entry_is_an_error() -> None:
    entry = encode_conversation(keep(tell(offered("DE"))))
    other_schema = entry[:2] + bytes(8) + entry[10:]
    for damaged in (b"", entry[:5], entry[:17], other_schema, entry[:-1], entry + b"x"):
        with pytest.raises(DecodeError):
            decode_entry(KEY, damaged)
    for damaged in (b"", entry[:5], entry[:17], other_schema):
        with pytest.raises(DecodeError):
            read_due(damaged)


def test_an_entry_that_could_not_be_read_again_is_not_written() -> None:
    story = tell(offered("DE"))
    kept = replace(keep(story), drafts={Revision(1): bytes(1_000_000)})
    with pytest.raises(InputError, match="withdraw it"):
        encode_conversation(kept)


def test_an_unknown_field_of_the_model_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="conversation_state"):
        get_codec("conversation_state").encode({"due_at": NEVER, "conversation": None, "received": None, "more": 1})


ENTRIES = [
    (KEY, encode_conversation(keep(tell(offered("DE", "c"), held("FR"), urgency=Urgency.EMERGENCY), Revision(1)))),
    (make_received_key("CH", ITEM), encode_received(replace(Inbox(OFFER, RECALL).received, item=ITEM))),
]


CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3)


@settings(max_examples=10 * EXAMPLES, deadline=None)
@given(st.sampled_from(ENTRIES), CHANGES, st.none() | st.integers(0, 1_000))
def test_damaged_bytes_give_one_kind_of_error(
    whole: tuple[bytes, bytes], changes: list[tuple[int, int]], end: int | None
) -> None:
    key, entry = whole
    damaged = bytearray(entry)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    with suppress(DecodeError):
        assert isinstance(decode_entry(key, bytes(damaged[:end])), ReceivedItem) == key.startswith(b"in/")


def test_conditions_without_their_hashes_are_refused() -> None:
    entry = change_entry(
        encode_conversation(keep(tell(offered("DE", "c", "d")))),
        lambda record: record["conversation"]["terms"][0]["texts"].pop(),
    )
    with pytest.raises(DecodeError, match="without their hashes"):
        decode_entry(KEY, entry)


def test_what_was_handed_out_and_until_when_it_is_kept_is_read_again() -> None:
    story = tell(disclosed("DE", "c"), retain_until=NOW + DAY_MS)
    story.happen(AmendmentOrdered(JUDGE, frozenset({"minor"}), roles=ROLES))
    read = check_round_trip(story.conversation)
    assert (read.handed_out, read.handed_out_at, read.retain_until) == (1, NOW, NOW + DAY_MS)
