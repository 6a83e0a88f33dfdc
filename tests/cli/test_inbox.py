"""`sharing inbox`: what was received, with what binds it; recalled items are marked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sharing.console import inbox_items
from sharing.console.connection import ConsoleConnection
from sharing.conversation.received_events import NoticeReceived, OfferReceived
from sharing.conversation.revision import Revision
from sharing.conversation_state.entries import encode_received
from sharing.conversation_state.item_keys import make_received_key
from sharing.ids import make_ask_id
from sharing.kafka.unreadable_records import Unreadable
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.keystore.private_key import PrivateKey, generate_key
from sharing.keystore.private_key_file import write_private_key
from sharing.model.recipient_terms import Condition
from sharing.model.times import DAY_MS, from_milliseconds
from sharing.model.vocabulary import MessageKind, NoticeKind, Urgency
from sharing.rulings.ruling import Answering, compute_conditions_hash
from sharing.seal.inbox_sealing import InboxSealer, ReceivedMessage
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import CONVERSATIONS, DIRECTORY, INBOX, INBOX_URGENT, USES
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from tests.cli.conftest import Call
from tests.cli.conversation_bus import PASSPHRASE, ConversationBus, now_ms
from tests.conversation.test_receiver import Inbox
from tests.directory.signed_states import SignedState
from tests.kafka.topic_io import notice_bytes, notice_record, write_records
from tests.rulings.ruling_fixtures import make_id

VALUE = "hidden.example.org"


class ReceivingState:
    """A State with an inbox, and a reader of it; the settings name the reader's key."""

    def __init__(self, broker: Broker, state: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.broker, self.state = broker, state
        self.signed = SignedState(state, now=now_ms() - 60_000)
        self.key = generate_key(state, "reader", KeyAlgorithm.MLKEM768_X25519)
        broker.create_topics([kind.topic(state) for kind in (INBOX, INBOX_URGENT, USES, DIRECTORY)], 1)
        for key, value in (
            ("root.1", self.signed.root_data), ("keys", self.signed.keys_data), (state, self.signed.announce()),
        ):  # fmt: skip
            write_records(broker, DIRECTORY.topic(state), [value], key=key.encode())
        write_private_key(folder / "reader.key", self.key, secret(folder / "reader.pass"))
        write_pins(folder / "trust.yaml", {state: make_pinned_root(self.signed.pin, now_ms())})
        for name, file in (("KEY", "reader.key"), ("PASSPHRASE_FILE", "reader.pass")):
            patch.setenv(f"SHARING_READER_{name}", str(folder / file))
        patch.setenv("SHARING_TRUST_FILE", str(folder / "trust.yaml"))

    def put(
        self, kind: MessageKind, record: dict[str, Any], content: bytes, *, urgent: bool = False,
        reader: PrivateKey | None = None,
    ) -> str:  # fmt: skip
        message = ReceivedMessage(
            record["id"], kind, record["from_state"], record["urgency"], now_ms(), "a" * 64, content
        )
        sealer = InboxSealer(self.state, secrets.token_bytes)
        (item,) = sealer.seal_for_readers(
            [message], [(reader or self.key).public_key], self.signed.get_signer(KeyRole.GATE), now_ms()
        )
        topic = (INBOX_URGENT if urgent else INBOX).topic(self.state)
        write_records(self.broker, topic, [item], key=str(record["id"]).encode())
        return str(record["id"])

    def put_notice(self, reader: PrivateKey | None = None, **changes: Any) -> dict[str, Any]:
        record = {**notice_record(self.state, VALUE), **changes}
        content = notice_bytes(self.state, VALUE, **record)
        self.put(MessageKind.NOTICE, record, content, reader=reader)
        return record

    def put_offer(self, item: str, ask: str, *, urgent: bool = False) -> dict[str, Any]:
        notice = notice_record(self.state)
        shared = (
            "indicator_id", "version", "amendment", "from_state", "to_state", "form", "pack", "basis",
            "condition_model", "rules", "conditions", "obligation", "relevance",
        )  # fmt: skip
        record = {name: notice[name] for name in shared} | {
            "id": ask, "item_id": item, "sent_at": from_milliseconds(now_ms()), "category": "FINANCE",
            "expires_at": from_milliseconds(now_ms() + DAY_MS), "offence_codes": ["ILLEGAL_ACCESS"],
            "urgency": "EMERGENCY" if urgent else "ORDINARY",
        }  # fmt: skip
        self.put(MessageKind.OFFER, record, get_codec("offer").encode(record), urgent=urgent)
        return record


def secret(path: Path) -> SecretStr:
    path.write_text(PASSPHRASE)
    path.chmod(0o600)
    return SecretStr(PASSPHRASE)


@pytest.fixture
def bus(
    embedded: EmbeddedBroker, call: Call, state: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> ConversationBus:
    monkeypatch.setenv("SHARING_BOOTSTRAP", embedded.bootstrap)
    created = ConversationBus(embedded, call, empty_folder, state)
    created.create_topics()
    return created


@pytest.fixture
def receiver(bus: ConversationBus, monkeypatch: pytest.MonkeyPatch) -> ReceivingState:
    return ReceivingState(bus.broker, bus.state, bus.folder, monkeypatch)


def recall(bus: ConversationBus, item: str, version: int) -> None:
    """Keep that an item of CH is recalled, as the worker does."""
    inbox = Inbox(NoticeReceived(Revision(version), NoticeKind.RECALL, Urgency.ORDINARY, make_id(9)))
    received = replace(inbox.received, item=item, from_state="CH", state=bus.state)
    key = make_received_key("CH", item)
    write_records(bus.broker, CONVERSATIONS.topic(bus.state), [encode_received(received)], key=key)


def test_the_inbox_is_listed_without_content_and_recalled_items_are_marked(
    bus: ConversationBus, receiver: ReceivingState
) -> None:
    kept, recalled = receiver.put_notice(), receiver.put_notice()
    later = receiver.put_notice(item_id=recalled["item_id"], version=2)
    recall(bus, recalled["item_id"], 1)
    offer = receiver.put_offer(make_id(7), make_id(8), urgent=True)
    listed = {row["id"]: row for row in bus.run("inbox", "list", "--json").json_lines}
    assert {row_id: row["recalled"] for row_id, row in listed.items()} == {
        kept["id"]: False, recalled["id"]: True, later["id"]: False, offer["id"]: False,
    }  # fmt: skip
    assert (listed[offer["id"]]["kind"], listed[offer["id"]]["conditions"]) == ("OFFER", ["H2"])
    assert listed[offer["id"]]["until"] is not None
    text = bus.run("inbox", "list")
    assert "RECALLED" in text.out
    assert VALUE not in text.out + text.err + str(listed)
    assert bus.run("inbox", "list", "--from", "FR", "--json").json_lines == []


def test_a_notice_is_shown_with_what_binds_it_and_whether_it_is_recalled(
    bus: ConversationBus, receiver: ReceivingState
) -> None:
    notice = receiver.put_notice()
    shown = bus.run("inbox", "show", notice["id"])
    assert (shown.code, VALUE in shown.out, "Ask before you pass it on. [H2]" in shown.out) == (0, True, True)
    assert "RECALLED" not in shown.out
    recall(bus, notice["item_id"], 1)
    assert "RECALLED: it must not be used any more" in bus.run("inbox", "show", notice["id"]).out
    assert bus.run("inbox", "show", notice["id"], "--json").json_document["recalled"] is True


def test_an_item_and_its_recalls_are_read_in_one_pass(
    bus: ConversationBus, receiver: ReceivingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = receiver.put_notice()
    receiver.put_notice(item_id=notice["item_id"], kind="RECALL")
    monkeypatch.setattr("sharing.kafka.conversation_reader.CONVERSATIONS", replace(CONVERSATIONS, name="hidden"))
    read, passes = inbox_items._read_messages, list[str]()

    def count(console: ConsoleConnection, bad: Unreadable) -> Iterator[tuple[str, Any]]:
        passes.append(console.state)
        return read(console, bad)

    monkeypatch.setattr(inbox_items, "_read_messages", count)
    shown = bus.run("inbox", "show", notice["id"], "--json")
    assert (shown.json_document["id"], shown.json_document["recalled"]) == (notice["id"], True)
    assert passes == [bus.state]
    missing = bus.run("inbox", "show", make_id(1))
    assert (missing.code, "has no such notice" in missing.err, len(passes)) == (2, True, 2)


def test_a_recall_in_the_inbox_marks_the_item_where_nothing_else_is_known(
    bus: ConversationBus, receiver: ReceivingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = receiver.put_notice()
    receiver.put_notice(item_id=notice["item_id"], kind="RECALL")
    hidden = replace(CONVERSATIONS, name="hidden")  # as for a certificate that may not see the topic
    monkeypatch.setattr("sharing.kafka.conversation_reader.CONVERSATIONS", hidden)
    listed = bus.run("inbox", "list", "--json")
    assert "only recalls that are in the inbox are known" in listed.err
    assert [row["recalled"] for row in listed.json_lines if row["kind"] == "ITEM"] == [True]
    shown = bus.run("inbox", "show", notice["id"], "--json")
    assert (shown.code, shown.json_document["recalled"]) == (0, True), "the recall is another message of the inbox"
    other = receiver.put_notice()
    shown = bus.run("inbox", "show", other["id"], "--json")
    assert (shown.code, shown.json_document["recalled"]) == (0, False)
    write_records(bus.broker, INBOX.topic(bus.state), [b"a recall that cannot be opened"], key=make_id(5).encode())
    for command in ("show", "list"):
        result = bus.run("inbox", command, *([other["id"]] if command == "show" else []), "--json")
        told = {row["id"]: row["recalled"] for row in result.json_lines}
        assert (result.code, told[other["id"]]) == (1, None), result
        assert "an item that is not marked may have been recalled" in result.err


def test_an_offer_is_shown_with_its_conditions_and_answered_by_their_hash(
    bus: ConversationBus, receiver: ReceivingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = make_ask_id(make_id(7), "ACCEPT", f"1.0/{bus.state}", 1)
    offer = receiver.put_offer(make_id(7), ask)
    digest = compute_conditions_hash(map(Condition.from_record, offer["conditions"]))
    shown = bus.run("inbox", "show", ask, "--json").json_document
    assert (shown["conditions_hash"], shown["category"], shown["recalled"]) == (digest, "FINANCE", False)
    inbox = Inbox()
    inbox.now = now_ms()
    inbox.happen(OfferReceived(ask, Revision(1), Urgency.ORDINARY, inbox.now + DAY_MS))
    bus.receive(inbox, make_id(7), from_state="CH")
    asked = bus.run("asks", "show", ask, "--json").json_document
    assert (asked["conditions_hash"], asked["condition_codes"]) == (digest, ["H2"])
    assert asked["law"] == [{"rule": "ch.siag-12", "citation": "SIAG art. 12", "effect": "PERMIT"}]
    bus.add_officer()
    monkeypatch.delenv("SHARING_TRUST_FILE")
    half = bus.rule("asks", "answer", ask, "ACCEPTED")
    assert (half.code, "SHARING_TRUST_FILE is not" in half.error) == (2, True)
    monkeypatch.setenv("SHARING_TRUST_FILE", str(bus.folder / "trust.yaml"))
    unregistered = bus.rule("asks", "answer", ask, "ACCEPTED")
    assert (unregistered.code, f"o-judge is not an officer of {bus.state}" in unregistered.error) == (2, True)
    monkeypatch.setattr("sharing.console.register_lookup.find_own_pin", lambda *_: None)
    with bus.working():
        accepted = bus.rule("asks", "answer", ask, "ACCEPTED", wait="150")
    assert accepted.code == 0, accepted
    (verified,) = bus.read_rulings()
    assert isinstance(verified.ruling.act, Answering)
    assert verified.ruling.act.conditions_hash == digest
    text = bus.run("inbox", "show", ask).out
    for part in ("offer: FINANCE", "Ask before you pass it on. [H2]", digest, "silence does not count as acceptance"):
        assert part in text


def test_what_is_not_there_or_cannot_be_opened_is_one_sentence(
    bus: ConversationBus, receiver: ReceivingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = bus.run("inbox", "show", make_id(1))
    assert (missing.code, "has no such notice or offer in its inbox" in missing.error) == (2, True)
    sealed = receiver.put_notice(reader=generate_key(bus.state, "reader", KeyAlgorithm.X25519))
    unreadable = bus.run("inbox", "show", sealed["id"])
    assert (unreadable.code, "cannot be opened: the item is not sealed to the reader's key" in unreadable.error) == (
        2,
        True,
    )
    listed = bus.run("inbox", "list")
    assert (listed.code, "unreadable: " in listed.err) == (1, True)
    write_records(bus.broker, INBOX.topic(bus.state), [None], key=sealed["id"].encode())
    assert bus.run("inbox", "list").code == 0
    monkeypatch.delenv("SHARING_READER_KEY")
    monkeypatch.delenv("SHARING_TRUST_FILE")
    keyless = bus.run("inbox", "list")
    assert (keyless.code, "is sealed for its readers" in keyless.error) == (2, True)
