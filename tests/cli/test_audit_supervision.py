"""`sharing audit transfers`, `subject` and `uses`: what a supervisor and a data-protection authority see."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretBytes

from processors.audit.witness_state import OwnCheckpoints
from processors.exactly_once.state_entries import encode_entry
from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import sign_checkpoint
from sharing.audit.witnessing import WitnessedLog
from sharing.conversation.vocabulary import Answer
from sharing.conversation_state.entries import KeptConversation, encode_conversation
from sharing.conversation_state.item_keys import make_own_key
from sharing.kafka.use_log import UseContext, UseLog
from sharing.model.vocabulary import AuditLogName
from sharing.seal.own_records import OwnRecordSealer
from sharing.serialization.codec import get_codec
from sharing.topology.topics import CONVERSATIONS, USES
from tests.cli.conftest import Call
from tests.cli.conversation_bus import ConversationBus, now_ms, open_conversation_bus
from tests.cli.test_inbox import VALUE, ReceivingState
from tests.conversation.people import disclosed, held, offered, withheld
from tests.kafka.topic_io import write_records
from tests.processors.conversation.conversation_driver import make_draft
from tests.trust.trust_fixtures import make_signer

KEY_ID, WRAPPING_KEY = "a" * 64, SecretBytes(bytes(range(32)))


class FakeKeys:
    """A key folder with one wrapping key."""

    def find_wrapping_key(self, key_id: str, _: int) -> SecretBytes | None:
        return WRAPPING_KEY if key_id == KEY_ID else None


@pytest.fixture
def ch(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationBus]:
    with open_conversation_bus(call, empty_folder, monkeypatch) as bus:
        bus.broker.create_topics([USES.topic("CH")], 1)
        monkeypatch.setenv("SHARING_STATE", "CH")
        yield bus


def count(bus: ConversationBus, *options: str) -> dict[tuple[str, str, str], int]:
    rows = bus.run("audit", "transfers", "--json", *options).json_lines
    return {(row["state"], row["what"], row["basis"]): row["count"] for row in rows}


def test_transfers_are_counted_by_state_and_basis_without_items(ch: ConversationBus) -> None:
    item, story = ch.publish(1, offered("DE", "c.one"), disclosed("FR"), withheld("IR"))
    ch.publish(2, disclosed("FR"), held("JP"), partition=1)
    assert count(ch) == {("FR", "sent", "UNCAC"): 2}
    story.reply(Answer.ACCEPTED)
    ch.keep(item)
    ch.write_acts(item, "CH", story.effects)
    assert count(ch) == {("FR", "sent", "UNCAC"): 2, ("DE", "released", "UNCAC"): 1}
    everything = count(ch, "--withheld")
    assert everything == count(ch) | {
        ("DE", "offered", "UNCAC"): 1, ("IR", "withheld", "UNCAC"): 1, ("JP", "held", "UNCAC"): 1,
    }  # fmt: skip
    text = ch.run("audit", "transfers", "--withheld").out
    assert "IMAC art. 67a(4)" in text
    assert item not in text
    assert story.conversation.indicator not in text


def test_transfers_are_given_as_a_table_for_other_programs_and_by_year(ch: ConversationBus) -> None:
    ch.publish(1, offered("DE", "c.one"), disclosed("FR"), withheld("IR"))
    rows = list(csv.DictReader(io.StringIO(ch.run("audit", "transfers", "--withheld", "--csv").out)))
    assert [(row["state"], row["what"], row["count"]) for row in rows] == [
        ("DE", "offered", "1"), ("FR", "sent", "1"), ("IR", "withheld", "1"),
    ]  # fmt: skip
    assert all(row["month"].startswith("20") and len(row["month"]) == len("2026-11") for row in rows)
    (year,) = ch.run("audit", "transfers", "--yearly", "--json").json_lines
    assert (year["basis"], year["sent"], year["offered"], year["withheld"], year["held"]) == ("UNCAC", 1, 1, 1, 0)
    assert ch.run("audit", "transfers", "--csv", "--json").code == 2


def test_transfers_are_drawn_into_a_new_file(ch: ConversationBus, tmp_path: Path) -> None:
    ch.publish(1, disclosed("FR"), withheld("IR"))
    plot = tmp_path / "transfers.svg"
    assert ch.run("audit", "transfers", "--plot", str(plot), "--csv").code == 0
    assert "FR: 1 sent." in plot.read_text()
    assert "IR" not in plot.read_text()
    again = ch.run("audit", "transfers", "--plot", str(plot))
    assert (again.code, "is not overwritten" in again.err) == (2, True)
    both = ch.run("audit", "transfers", "--plot", str(tmp_path / "x"), "--yearly")
    assert "--plot and --yearly exclude each other" in both.err


def test_what_was_sent_later_has_the_law_of_its_decision_or_says_that_it_is_not_known(ch: ConversationBus) -> None:
    item, story = ch.publish(1, offered("DE", "c.one"))
    story.reply(Answer.ACCEPTED)
    ch.write_acts(item, "CH", story.effects)
    write_records(ch.broker, CONVERSATIONS.topic("CH"), [None], key=make_own_key(item))
    assert count(ch) == {("DE", "released", "no longer known"): 1}


def make_opened_draft(value: str) -> bytes:
    """Return the draft of an item with a value, in clear."""
    draft, indicator = get_codec("draft"), get_codec("indicator")
    fields = draft.decode(make_draft(1).data)
    record = indicator.decode(fields["content"]) | {"type": "domain-name", "value": value}
    return draft.encode(fields | {"content": indicator.encode(record)})


def keep_with_draft(bus: ConversationBus, item: str, value: str) -> None:
    """Keep an item with a sealed copy, as the worker does."""
    conversation = bus.stories[item].conversation
    sealer = OwnRecordSealer("CH", secrets.token_bytes)
    sealer.begin_batch(KEY_ID, WRAPPING_KEY, now_ms())
    opened = make_opened_draft(value)
    (draft,) = sealer.seal_records("draft", [(b"item/1", opened)], now_ms())
    kept = KeptConversation(conversation, {conversation.revision: draft})
    bus.write(CONVERSATIONS.topic("CH"), [encode_conversation(kept)], key=make_own_key(item))


def test_a_subject_shows_where_an_item_went_and_who_opened_it(ch: ConversationBus) -> None:
    item, story = ch.publish(1, offered("DE", "c.one"), disclosed("FR"), partition=1)
    other, _ = ch.publish(2, held("JP"), partition=1)
    story.reply(Answer.ACCEPTED)
    ch.keep(item)
    ch.write_acts(item, "CH", story.effects)
    log = UseLog(ch.broker.bootstrap, "CH", UseContext("desk", "", "inbox show", "investigation"))
    log.note("n-1", item, "CH", "ITEM")
    log.note("n-2", other, "CH", "ITEM")
    log.flush()
    (shown,) = ch.run("audit", "subject", item, "--json").json_lines
    told = [(event["what"], event["state"]) for event in shown["timeline"]]
    assert told[:2] == [("DECIDED", "DE"), ("DECIDED", "FR")]
    assert ("NOTICE_SENT", "DE") in told
    assert [(use["reader"], use["command"], use["purpose"]) for use in shown["opened"]] == [
        ("desk", "inbox show", "investigation")
    ]
    assert ch.run("audit", "subject", story.conversation.indicator, "--json").json_lines == [shown]
    assert "JP" not in ch.run("audit", "subject", item).out


def test_an_unknown_subject_is_an_error(ch: ConversationBus) -> None:
    failed = ch.run("audit", "subject", "11111111-2222-4333-8444-555555555555")
    assert failed.code == 2
    assert "nothing is recorded" in failed.err
    assert ch.run("audit", "subject").code == 2


def test_a_value_is_found_in_own_copies_and_is_never_shown(
    ch: ConversationBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    item, _ = ch.publish(1, offered("DE", "c.one"))
    other, _ = ch.publish(2, offered("FR", "c.one"))
    keep_with_draft(ch, item, "one.example.org")
    keep_with_draft(ch, other, "two.example.org")
    file = tmp_path / "value"
    file.write_text("ONE.example.org\n")
    refused = ch.run("audit", "subject", "--value-file", file)
    assert "SHARING_KEY_FOLDER" in refused.err
    monkeypatch.setattr("sharing.cli.audit.subject.open_configured_keys", lambda _: FakeKeys())
    (found,) = ch.run("audit", "subject", "--value-file", file, "--json").json_lines
    assert (found["item"], found["copies"]) == (item, [{"id": item, "kind": "DRAFT"}])
    assert [use["command"] for use in found["opened"]] == ["audit subject"]
    text = ch.run("audit", "subject", "--value-file", file)
    assert "one.example.org" not in text.out + text.err
    file.write_text("three.example.org\n")
    assert "no copy" in ch.run("audit", "subject", "--value-file", file).out


def test_a_copy_that_does_not_open_is_reported(
    ch: ConversationBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    item, _ = ch.publish(1, offered("DE", "c.one"))
    keep_with_draft(ch, item, "one.example.org")
    monkeypatch.setattr("sharing.cli.audit.subject.open_configured_keys", lambda _: FakeKeys())
    monkeypatch.setattr(FakeKeys, "find_wrapping_key", lambda *_: None)
    file = tmp_path / "value"
    file.write_text("one.example.org")
    failed = ch.run("audit", "subject", "--value-file", file)
    assert failed.code == 1
    assert "restore it from the backup" in failed.err


def test_a_value_is_found_in_the_inbox(ch: ConversationBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sharing.cli.audit.subject.open_configured_keys", lambda _: FakeKeys())
    receiver = ReceivingState(ch.broker, "CH", tmp_path, monkeypatch)
    notice = receiver.put_notice(from_state="DE")
    file = tmp_path / "value"
    file.write_text(VALUE)
    (found,) = ch.run("audit", "subject", "--value-file", file, "--json").json_lines
    assert (found["item"], found["provider"]) == (notice["item_id"], "DE")
    assert found["copies"] == [{"id": notice["id"], "kind": "ITEM"}]


def test_uses_are_listed_by_reader_and_item(ch: ConversationBus) -> None:
    for name, item in (("desk", "item-1"), ("case-system", "item-2")):
        log = UseLog(ch.broker.bootstrap, "CH", UseContext(name, "", "subscribe", ""))
        log.note(f"notice-{item}", item, "DE", "ITEM")
        log.flush()

    def list_items(*options: str) -> list[str]:
        return [use["item_id"] for use in ch.run("audit", "uses", "--json", *options).json_lines]

    assert sorted(list_items()) == ["item-1", "item-2"]
    assert list_items("--reader", "desk") == ["item-1"]
    assert list_items("--item", "item-2") == list_items("--item", "notice-item-2") == ["item-2"]
    assert list_items("--since", "2099-01-01T00:00:00Z") == []
    assert "not stated" in ch.run("audit", "uses").out


def test_what_was_seen_of_other_logs_is_listed_and_a_fork_is_an_error(ch: ConversationBus) -> None:
    notes = [
        sign_checkpoint(
            LogPlace("DE", AuditLogName.DECISIONS, 0), 7, root, now_ms(), make_signer("gate")
        ).note.to_bytes()
        for root in (bytes(32), bytes(range(32)))
    ]

    def keep(*evidence: bytes) -> None:
        fields = WitnessedLog((notes[0],), 3, evidence).to_fields()
        value = encode_entry("witnessed_log", fields)
        ch.write(CONVERSATIONS.topic("CH"), [value], key=b"audit/seen/de.sharing/decisions/0")

    assert "has seen no checkpoint" in ch.run("audit", "witnessed").err
    keep()
    (seen,) = ch.run("audit", "witnessed", "--json").json_lines
    assert (seen["log"], seen["owner"], seen["blocks"], seen["first_blocks"]) == ("de.sharing/decisions/0", "DE", 7, 3)
    assert (seen["forked"], seen["evidence"]) == (False, [])
    assert seen["checkpoint"].encode() == notes[0]
    assert ch.run("audit", "witnessed", "--owner", "FR", "--json").json_lines == []
    keep(*notes)
    forked = ch.run("audit", "witnessed", "--json")
    assert forked.code == 1
    assert [note.encode() for note in forked.json_lines[0]["evidence"]] == notes
    assert "FORKED" in ch.run("audit", "witnessed").out


def test_of_own_logs_it_is_listed_how_far_they_are_time_stamped(ch: ConversationBus) -> None:
    topic = CONVERSATIONS.topic("CH")
    signed = {
        (state, partition): sign_checkpoint(
            LogPlace(state, AuditLogName.ACTS, partition), 7, bytes(32), now_ms(), make_signer("gate")
        ).note
        for state, partition in (("CH", 0), ("CH", 1), ("DE", 1))
    }
    for (state, partition), note in signed.items():
        seen = encode_entry("witnessed_log", WitnessedLog((note.to_bytes(),), 3).to_fields())
        key = f"audit/seen/{state.lower()}.sharing/acts/{partition}".encode()
        ch.write(topic, [seen], key=key, partition=partition)
    written_at = 1_772_366_400_000
    own = OwnCheckpoints().add_checkpoint(b"", signed["CH", 0], 1).add_time_stamp(signed["CH", 0].text, written_at)
    ch.write(topic, [encode_entry("own_checkpoints", own.to_fields())], key=b"audit/own/acts", partition=0)
    first, second, foreign = ch.run("audit", "witnessed", "--json").json_lines
    assert (first["stamped_blocks"], first["stamp_written_at"]) == (7, "2026-03-01T12:00:00.000Z")
    assert (second["stamped_blocks"], second["stamp_written_at"], foreign["stamped_blocks"]) == (None, None, None)
    shown = ch.run("audit", "witnessed").out.splitlines()
    assert [line.split("\t")[4] for line in shown[1:]] == ["until block 7, 2026-03-01T12:00:00.000Z", "never", "-"]
