"""Own items with sealed copies, received items, officers, and what opens them, on an embedded broker."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretBytes

from sharing.console.connection import ConsoleConnection
from sharing.conversation.terms import Terms
from sharing.conversation_state.entries import KeptConversation, encode_conversation
from sharing.conversation_state.item_keys import make_own_key
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.contents.desk_contents import DeskContents
from sharing.desk.contents.inbox_watch import InboxWatch
from sharing.desk.contents.own_drafts import DraftSource
from sharing.desk.contents.view_recorder import make_view_recorder
from sharing.ids import make_draft_key
from sharing.kafka.use_reader import RecordedUse, read_uses
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.indicator import Indicator
from sharing.model.times import DAY_MS
from sharing.officers.entry import OfficerEntry
from sharing.seal.own_records import OwnRecordSealer
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.topology.topics import CONVERSATIONS, DRAFTS, INBOX, INBOX_URGENT, USES
from tests.cli.conftest import Call
from tests.cli.conversation_bus import PARTITIONS, ConversationBus
from tests.conversation.test_provider import Story
from tests.desk.asgi import Clock, make_officer
from tests.processors.conversation.conversation_driver import make_draft
from tests.processors.gate.gate_fixtures import indicator_form
from tests.support.waiting import wait_until

KEY_ID, WRAPPING_KEY = "a" * 64, SecretBytes(bytes(range(32)))
VALUE = "canary-7f3a.example.org"
"""Content that must be nowhere but where content is shown."""


class FakeKeys:
    """A key folder with one wrapping key."""

    def find_wrapping_key(self, key_id: str, _: int) -> SecretBytes | None:
        return WRAPPING_KEY if key_id == KEY_ID else None


def no_call(*_: object) -> Any:
    raise AssertionError("no command is run here")


@dataclass
class ContentWorld:
    """The topics of one State, what opens its contents, and a clock.

    Attributes:
        bus: Conversations, decisions and acts.
        console: The connection of the desk.
        clock: The clock of the desk.
        contents: What opens.
    """

    bus: ConversationBus
    console: ConsoleConnection
    clock: Clock
    contents: DeskContents
    broker_state: BrokerState = field(default_factory=BrokerState)

    @property
    def state(self) -> str:
        return self.console.state

    def officer(self, officer_id: str, **changes: Any) -> OfficerEntry:
        """Return an officer who is in force now."""
        now = self.clock.now
        fields = {
            "state": self.state, "agency": "fedpol", "roles": (), "issued_at": now - DAY_MS,
            "valid_from": now - DAY_MS, "valid_until": now + 30 * DAY_MS,
        }  # fmt: skip
        return make_officer(officer_id, **{**fields, **changes})

    def publish(self, number: int, *terms: Terms, partition: int = 0, **changes: Any) -> tuple[str, Story]:
        """Let the gate decide on an item of which the worker keeps a sealed copy."""
        content = {name: changes.pop(name) for name in list(changes) if name not in {"urgency", "publisher"}}
        item, story = self.bus.publish(number, *terms, partition=partition, **changes)
        self.keep(item, **content)
        return item, story

    def keep(self, item: str, **content: Any) -> None:
        """Keep an item with a sealed copy."""
        conversation = self.bus.stories[item].conversation
        drafts = {conversation.revision: seal(item, make_draft_of(conversation.indicator, **content))}
        value = encode_conversation(KeptConversation(conversation, drafts))
        topic = CONVERSATIONS.topic(self.state)
        self.bus.write(topic, [value], key=make_own_key(item), partition=self.bus.partitions[item])

    def write_draft(self, item: str, value: bytes, partition: int = 0) -> None:
        """Write a draft as the gate does."""
        self.bus.write(DRAFTS.topic(self.state), [value], key=make_draft_key(item, 1), partition=partition)

    def list_uses(self) -> list[RecordedUse]:
        """Return the views that were recorded, oldest first."""
        found = read_uses(self.bus.broker.bootstrap, self.state, f"test-{secrets.token_hex(4)}")
        return sorted(found, key=lambda each: each.use.at)


def make_draft_of(indicator: str, value: str = VALUE, named: str | None = None, **changes: Any) -> bytes:
    """Return the draft of an item, in clear.

    Args:
        indicator: Id of the indicator.
        value: Its value.
        named: The officer whom the draft names; the one of the item by default.
        **changes: Other fields of the item.
    """
    draft, codec = get_codec("draft"), get_codec("indicator")
    source = {"state": "CH", "agency": "fedpol", "officer": "o-publisher", "authority": "POLICE", "case": "case-77"}
    form = indicator_form(1, id=indicator, value=value, **{"source": source, **changes})
    record = Indicator.parse(form).to_record()
    fields = draft.decode(make_draft(1).data) | {
        "indicator_id": indicator, "officer": named or record["source"]["officer"], "content": codec.encode(record),
    }  # fmt: skip
    return draft.encode(fields)


def seal(item: str, draft: bytes, *, key: bytes | None = None) -> bytes:
    """Return a draft as the gate seals it."""
    now = time.time_ns() // 1_000_000
    sealer = OwnRecordSealer("CH", secrets.token_bytes)
    sealer.begin_batch(KEY_ID, WRAPPING_KEY, now)
    (sealed,) = sealer.seal_records("draft", [(key or make_draft_key(item, 1), draft)], now)
    return sealed


@contextmanager
def open_world(
    broker: Broker, folder: Path, state: str = "CH", *, keys: object | None = None
) -> Iterator[ContentWorld]:
    """Yield the topics of a State, and what opens its contents. Settings come from the environment."""
    bus = ConversationBus(broker, cast("Call", no_call), folder, state)
    bus.create_topics()
    broker.create_topics([DRAFTS.topic(state)], PARTITIONS)
    broker.create_topics([kind.topic(state) for kind in (USES, INBOX, INBOX_URGENT)], 1)
    clock = Clock(time.time_ns() // 1_000_000)
    console = ConsoleConnection(Settings(), state, broker.bootstrap, {}, SINGLE_OBJECT_FRAMING)
    broker_state = BrokerState()
    watch = InboxWatch(console, clock.read, broker_state, ChangeFeed())
    drafts = DraftSource(console, cast("OnlineKeys | None", keys), clock.read)
    contents = DeskContents(console, clock.read, drafts, watch, make_view_recorder(console, clock.read))
    contents.start()
    try:
        yield ContentWorld(bus, console, clock, contents, broker_state)
    finally:
        contents.close()


def wait_for_inbox(world: ContentWorld, *messages: str) -> None:
    """Wait until the desk knows messages of the inbox."""

    def is_known() -> bool:
        index = world.contents.inbox  # another one, once the inbox was read
        return index.is_read and all(index.find(each) is not None for each in messages)

    wait_until(is_known, "the inbox was read")


def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the environment says about keys."""
    for name in ("READER_KEY", "READER_PASSPHRASE_FILE", "TRUST_FILE", "KEY_FOLDER", "READER_PURPOSE"):
        monkeypatch.delenv(f"SHARING_{name}", raising=False)


def correct(story: Story, **changes: Any) -> None:
    """Change fields of what is kept about an item."""
    story.conversation = replace(story.conversation, **changes)
