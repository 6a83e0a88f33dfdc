"""What consoles list: the open Asks of both directions, from the entries alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sharing.conversation.asks import CLAIM_MS
from sharing.conversation.events import Claimed, PassedOn
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.entries import KeptConversation, encode_conversation, encode_received
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.conversation_state.open_asks import list_open_asks
from sharing.errors import DecodeError
from sharing.model.times import DAY_MS, format_time
from tests.conversation.people import JUDGE, NOW, ROLE, held, offered, withheld
from tests.conversation.test_provider import Story
from tests.conversation.test_receiver import OFFER, RECALL, Inbox
from tests.conversation_state.kept_states import ITEM, make_item


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
