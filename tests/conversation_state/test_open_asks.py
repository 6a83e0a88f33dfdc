"""What consoles list: the open Asks of both directions, from the entries alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from sharing.console.found_asks import list_found
from sharing.conversation.asks import CLAIM_MS
from sharing.conversation.events import Claimed, PassedOn
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.entries import KeptConversation, encode_conversation, encode_received
from sharing.conversation_state.entry_fields import SCHEMA
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.conversation_state.open_asks import OpenAsk, decode_asks, may_have_open_asks, show_ask
from sharing.errors import DecodeError
from sharing.kafka.conversation_reader import KeptEntry
from sharing.model.times import DAY_MS, format_time
from sharing.serialization.codec import get_codec
from tests.conversation.people import JUDGE, NOW, ROLE, held, offered, withheld
from tests.conversation.test_provider import Story
from tests.conversation.test_receiver import OFFER, RECALL, Inbox
from tests.conversation_state.kept_states import ITEM, make_item


def list_open_asks(entries: Iterable[tuple[bytes, bytes]], now_ms: int) -> Iterator[OpenAsk]:
    """Yield the open Asks as consoles list them."""
    for key, entry in entries:
        if may_have_open_asks(key, entry):
            for found in list_found({key: KeptEntry(0, entry)}):
                if found.ask.is_open:
                    yield show_ask(found.ask, found.item, found.provider, now_ms)


def keep_story(story: Story, item: str = ITEM) -> tuple[bytes, bytes]:
    return make_own_key(item), encode_conversation(KeptConversation(replace(story.conversation, item=item)))


def keep_inbox(inbox: Inbox) -> tuple[bytes, bytes]:
    return make_received_key("CH", ITEM), encode_received(replace(inbox.received, item=ITEM))


def test_an_ask_shows_what_scripts_rely_on() -> None:
    story = Story(held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    story.happen(Claimed(ask.id, JUDGE, NOW, nonce=ask.nonce))
    story.happen(PassedOn(ask.id, JUDGE, "COURT", NOW, nonce=ask.nonce))
    story.happen(Claimed(ask.id, JUDGE, NOW, nonce=ask.nonce))
    (shown,) = list_open_asks([keep_story(story)], NOW)
    assert shown.to_json() == {
        "id": ask.id,
        "kind": "APPROVE",
        "items": [ITEM],
        "from": "CH",
        "to": "CH",
        "role": ROLE,
        "authority": "COURT",
        "recipients": ["DE"],
        "opened_at": format_time(NOW),
        "deadline": format_time(NOW + 30 * DAY_MS),
        "answers": ["APPROVED", "REFUSED"],
        "silence": "CLOSE",
        "claimed_by": JUDGE.id,
        "urgency": "ORDINARY",
    }
    (later,) = list_open_asks([keep_story(story)], NOW + CLAIM_MS)
    assert later.claimed_by is None


def test_both_directions_are_listed() -> None:
    own, inbox = Story(offered("DE", "c")), Inbox(OFFER, RECALL)
    shown = list(list_open_asks([keep_story(own), keep_inbox(inbox)], NOW))
    assert [(ask.kind, ask.from_state, ask.to_state) for ask in shown] == [
        (AskKind.ACCEPT, "CH", "DE"),
        (AskKind.ACK_RECALL, "CH", "DE"),
    ]


def test_ended_asks_and_the_entries_of_the_loop_are_not_listed() -> None:
    story = Story(offered("DE", "c"), offered("FR", "c"))
    answered = Story(offered("DE", "c"))
    answered.reply(Answer.ACCEPTED)
    entries = [
        keep_story(answered, make_item(1)),
        keep_story(Story(withheld("DE")), make_item(2)),
        (b"log/national.ch.rulings", b"a position"),
        keep_story(story),
    ]
    assert [ask.recipients for ask in list_open_asks(entries, NOW)] == [("DE",), ("FR",)]


def test_an_entry_that_is_not_understood_is_not_passed_over() -> None:
    key, entry = keep_story(Story(offered("DE", "c")))
    for damaged in ((key, entry[:-1]), (b"later/" + key, entry), (key, b"")):
        with pytest.raises(DecodeError):
            list(list_open_asks([damaged], NOW))


def test_conditions_tell_asks_apart_and_a_delivery_without_terms_is_not_passed_over() -> None:
    key, entry = keep_story(Story(offered("DE", "c"), offered("FR", "d")))
    decoded = decode_asks(key, entry)
    codes = {ask.id: next(iter(ask.recipients)) for ask in decoded.asks}
    assert {codes[ask]: {"c", "d"} & found for ask, found in decoded.conditions.items()} == {"DE": {"c"}, "FR": {"d"}}
    codec = get_codec(SCHEMA)
    fields = codec.decode(entry)
    fields["conversation"]["deliveries"][0]["terms"] = 2
    fields["conversation"] = ("sharing.v1.ConversationEntry", fields["conversation"])
    with pytest.raises(DecodeError, match="delivery without terms"):
        decode_asks(key, codec.encode(fields))


def test_all_that_is_kept_is_decoded_when_it_is_asked_for() -> None:
    story, inbox = Story(offered("DE", "c")), Inbox(OFFER)
    for key, entry in (keep_story(story), keep_inbox(inbox)):
        (found,) = list_found({key: KeptEntry(3, entry)})
        kept = found.decode_kept()
        assert (kept.item, kept.asks, found.partition) == (found.item, {found.ask.id: found.ask}, 3)
