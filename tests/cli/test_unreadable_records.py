"""What a topic has that cannot be read ends no list, and no list is silent about it or shows what is in it.

Each list is read from a real Kafka, with the same in the middle: a batch that is damaged on the disk, bytes that
are no record, a record of an unknown schema, one without a value, and one of another State.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from processors.exactly_once.state_entries import encode_entry
from sharing.audit.block import LogPlace, decode_entries
from sharing.audit.checkpoint import sign_checkpoint
from sharing.audit.witnessing import WitnessedLog
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.ids import make_item_id
from sharing.kafka.topic_follower import TopicFollower
from sharing.model.vocabulary import AuditLogName
from sharing.rulings.effect_acts import ActContext, to_act
from sharing.serialization.codec import SINGLE_OBJECT_MARKER, get_codec
from sharing.topology.topics import (
    ACTS,
    CHECKPOINTS,
    CONVERSATIONS,
    DECISIONS,
    INBOX,
    INDICATORS,
    NOTICES,
    OFFERS,
    OUTCOMES,
    QUARANTINE,
    URGENT,
    USES,
)
from tests.cli.conftest import Call, CommandResult
from tests.cli.conversation_bus import ConversationBus, now_ms
from tests.cli.test_inbox import ReceivingState
from tests.cli.test_publish import ITEM as INDICATOR
from tests.cli.test_publish import write_lines
from tests.cli.test_quarantine import make_record
from tests.conversation.people import JUDGE, disclosed, held
from tests.conversation.test_receiver import OFFER, Inbox
from tests.kafka.compressed_batches import damage_batch, write_batch, write_bomb
from tests.kafka.topic_io import notice_bytes, read_records, write_records
from tests.outcomes.outcome_fixtures import make_block as make_outcomes
from tests.outcomes.outcome_fixtures import make_tag
from tests.rulings.ruling_fixtures import make_id
from tests.support.audit_entries import make_block
from tests.trust.trust_fixtures import make_signer

if TYPE_CHECKING:
    from sharing.testing.broker.kafka import KafkaBroker
    from sharing.topology.topic_kinds import TopicKind

pytestmark = pytest.mark.kafka

SECRET = b"what nobody may see"
UNKNOWN_SCHEMA = SINGLE_OBJECT_MARKER + b"\x07" * 8 + SECRET
ANOTHER = "ZZ"
ITEM = str(make_item_id("indicator", "", "unreadable"))
"""Id of an indicator about which nobody is asked."""


@dataclass
class DamagedTopic:
    """A topic with one partition, in which something cannot be read.

    Attributes:
        keys: Returns the key of the next record that cannot be read.
        places: The offsets of what must be named.
    """

    kafka: KafkaBroker
    name: str
    keys: Callable[[], bytes] = lambda: b"key"
    places: list[str] = field(default_factory=list)
    end: int = 0

    def write(self, *values: bytes | None, key: bytes = b"key") -> None:
        """Write records that can be read."""
        write_records(self.kafka, self.name, values, key=key)
        self.end += len(values)

    def write_unreadable(self, *more: bytes | None) -> None:
        """Write what cannot be read: a damaged batch, and records."""
        write_batch(self.kafka, self.name, "gzip", [SECRET * 20] * 2, key=self.keys())
        damage_batch(self.kafka, self.name, self.end)
        self.places.append(f"{self.end}-{self.end + 1}")
        self.end += 2
        for value in (b"\xff" + SECRET, UNKNOWN_SCHEMA, *more):
            self.places.append(str(self.end))
            self.write(value, key=self.keys())

    def expect(self, result: CommandResult) -> None:
        """Check that the command has named each of them once, and has shown nothing of their content."""
        assert result.code == 1, result
        named = re.findall(rf"^unreadable: {re.escape(self.name)}(?:\[0\]|/0)@([0-9-]+): \S", result.err, re.MULTILINE)
        assert named == self.places, result.err
        for text in (SECRET.decode(), "Traceback", "unexpected"):
            assert text not in result.out + result.err
        assert not re.search(rf"\b{ANOTHER}\b", result.out + result.err)  # as a word: it may occur within a signature


@dataclass
class Bench:
    """A State on a real Kafka, and the commands of its people."""

    kafka: KafkaBroker
    bus: ConversationBus
    receiver: ReceivingState

    @property
    def state(self) -> str:
        return self.bus.state

    def open(self, kind: TopicKind, keys: Callable[[], bytes] = lambda: b"key") -> DamagedTopic:
        """Return a topic that is empty so far."""
        return DamagedTopic(self.kafka, kind.topic(self.state), keys)


@pytest.fixture
def bench(kafka: KafkaBroker, call: Call, state: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("SHARING_BOOTSTRAP", kafka.bootstrap)
    bus = ConversationBus(kafka, call, empty_folder, state)
    bus.create_topics(1)
    kafka.create_topics([kind.topic(state) for kind in (OUTCOMES, NOTICES, URGENT, OFFERS)], 1)
    return Bench(kafka, bus, ReceivingState(kafka, state, empty_folder, monkeypatch))


def stop_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be sealed, and no inbox be opened."""
    for name in ("SHARING_READER_KEY", "SHARING_READER_PASSPHRASE_FILE", "SHARING_TRUST_FILE"):
        monkeypatch.delenv(name)


class _Keys:
    """Keys of items of the State's own, each once."""

    def __init__(self) -> None:
        self.count = 100

    def __call__(self) -> bytes:
        self.count += 1
        return make_own_key(str(make_item_id("item", "", str(self.count))))


def test_quarantine(bench: Bench) -> None:
    topic = bench.open(QUARANTINE)
    topic.write(make_record(1, "FIELD_VALUE", state=bench.state))
    topic.write_unreadable(None, make_record(2, SECRET.decode(), state=ANOTHER))
    topic.write(make_record(3, "EMPTY", state=bench.state))
    listed = bench.bus.run("quarantine", "list", "--json")
    topic.expect(listed)
    assert [(record["offset"], record["cause"]) for record in listed.json_lines] == [(1, "FIELD_VALUE"), (3, "EMPTY")]
    table = bench.bus.run("quarantine", "list")
    topic.expect(table)
    assert "2 quarantined: FIELD_VALUE 1, EMPTY 1" in table.out
    shown = bench.bus.run("quarantine", "show", listed.json_lines[1]["id"], "--json")
    topic.expect(shown)
    assert shown.json_document["cause"] == "EMPTY"
    none = bench.bus.run("quarantine", "show", "0" * 8)
    assert (none.code, none.err.count("unreadable: ")) == (2, len(topic.places))


def test_uses(bench: Bench) -> None:
    opened = {"id": "n", "item_id": "i", "from_state": "CH", "kind": "ITEM", "at": 1_780_000_000_000}
    use = {"state": bench.state, "reader_key": "", "command": "desk", "purpose": "", "opened": [opened]}
    codec = get_codec("uses")
    topic = bench.open(USES)
    topic.write(codec.encode({**use, "reader": "anna"}))
    foreign, unnamed = ({**use, "state": ANOTHER, "reader": "x"}, {**use, "reader": SECRET.decode()})
    topic.write_unreadable(None, codec.encode(foreign), codec.encode(unnamed))
    topic.write(codec.encode({**use, "reader": "bert"}))
    listed = bench.bus.run("audit", "uses", "--json")
    topic.expect(listed)
    assert [each["reader"] for each in listed.json_lines] == ["anna", "bert"]
    topic.expect(bench.bus.run("audit", "uses"))


def test_what_an_agency_is_told(bench: Bench) -> None:
    topic = bench.open(OUTCOMES)
    first, second = ((ITEM, make_tag(version=number)) for number in (1, 2))
    topic.write(make_outcomes(first, state=bench.state))
    topic.write_unreadable(None, make_outcomes(first, state=ANOTHER))
    topic.write(make_outcomes(second, state=bench.state))
    shown = bench.bus.run("items", "show", ITEM, "--agency", "fedpol", "--json")
    topic.expect(shown)
    assert {event["revision"] for event in shown.json_document["timeline"]} == {"1", "2"}
    topic.expect(bench.bus.run("items", "show", ITEM, "--agency", "fedpol"))


def test_the_versions_of_which_an_agency_was_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A higher one in what cannot be read is withheld by the gate, so that nothing need stop here."""
    stop_opening(monkeypatch)
    kafka, agency = bench.kafka, f"a{uuid.uuid4().hex[:8]}"
    kafka.create_topics([kind.topic("CH", agency) for kind in (INDICATORS, OUTCOMES)], 1)
    topic = DamagedTopic(kafka, OUTCOMES.topic("CH", agency))
    topic.write_unreadable(None)
    topic.write(make_outcomes((ITEM, make_tag(version=3, agency=agency))))
    file = write_lines("item.jsonl", {**INDICATOR, "id": ITEM, "version": 2})
    publish = ("publish", file, "--state", "CH", "--agency", agency, "--bootstrap", kafka.bootstrap, "--json")
    outdated = bench.bus.call(*publish)
    topic.expect(outdated)
    assert outdated.json_document["published"] == 0
    assert "the gate withholds it" in outdated.err


@pytest.mark.parametrize(("kind", "log"), [(DECISIONS, AuditLogName.DECISIONS), (ACTS, AuditLogName.ACTS)])
def test_the_timeline_of_an_item(bench: Bench, kind: TopicKind, log: AuditLogName) -> None:
    item, story = bench.bus.publish(1, held("DE"))
    topic = bench.open(kind)
    topic.end = 1
    topic.write_unreadable(None, make_block(ANOTHER, log, [SECRET], now_ms=now_ms()))
    bench.bus.write_decision(item, held("DE"))
    bench.bus.write_acts(item, bench.state, story.effects)
    shown = bench.bus.run("items", "show", item, "--json")
    topic.expect(shown)
    assert [event["what"] for event in shown.json_document["timeline"]].count("DECIDED") == 2
    assert shown.json_document["deliveries"] == {"DE": "WAITING"}
    topic.expect(bench.bus.run("items", "show", item))
    topic.expect(bench.bus.run("audit", "subject", item))
    listed = bench.bus.run("asks", "list", "--json")
    assert [ask["items"] for ask in listed.json_lines] == [[item]]
    if kind is DECISIONS:
        topic.expect(listed)


def test_an_act_of_a_later_release(bench: Bench) -> None:
    """Its kind is a text, so that it can be decoded: the acts in the same block are told."""
    item, story = bench.bus.publish(1, held("DE"))
    topic = bench.open(ACTS)
    topic.end = 1
    codec = get_codec("act")
    known = codec.decode(to_act(story.effects[0], ActContext(item, bench.state, bench.state, now_ms())).encode())
    later = codec.encode(known | {"kind": SECRET.decode()})
    topic.places.append("1")
    topic.write(make_block(bench.state, AuditLogName.ACTS, [later, codec.encode(known)], now_ms=now_ms()))
    shown = bench.bus.run("items", "show", item, "--json")
    topic.expect(shown)
    told = [event["what"] for event in shown.json_document["timeline"]]
    assert told.count(known["kind"]) == 2
    topic.expect(bench.bus.run("audit", "subject", item))


def test_a_decision_of_a_later_release(bench: Bench) -> None:
    item, _ = bench.bus.publish(1, held("DE"))
    (written,) = read_records(bench.kafka, DECISIONS.topic(bench.state), 1)
    (known,) = decode_entries(written.value())
    reason = {"kind": SECRET.decode(), "detail": ""}
    later = known | {"recipients": [{**known["recipients"][0], "relevance": [reason]}]}
    topic = bench.open(DECISIONS)
    topic.end = 1
    topic.places.append("1")
    topic.write(make_block(bench.state, AuditLogName.DECISIONS, [get_codec("decision").encode(later)], now_ms=now_ms()))
    bench.bus.write_decision(item, held("DE"))
    shown = bench.bus.run("items", "show", item, "--json")
    topic.expect(shown)
    assert [event["what"] for event in shown.json_document["timeline"]].count("DECIDED") == 2
    for command in (["audit", "subject", item], ["asks", "list", "--json"]):
        topic.expect(bench.bus.run(*command))


def test_what_comes_while_an_item_is_watched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    item, story = bench.bus.publish(1, held("DE"))
    topic = bench.open(ACTS)
    poll, has_come = TopicFollower.poll, list[object]()

    def act_and_poll(follower: TopicFollower, seconds: float) -> list[Any]:
        if not follower.is_at_end:
            return poll(follower, seconds)
        if has_come:
            raise KeyboardInterrupt
        write_bomb(bench.kafka, topic.name, 40)  # from the beginning; what is damaged later may have been fetched
        write_records(bench.kafka, topic.name, [UNKNOWN_SCHEMA])
        story.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)
        bench.bus.write_acts(item, bench.state, story.effects)
        while len(has_come) < 2:
            has_come.extend(poll(follower, seconds))
        return has_come

    monkeypatch.setattr(TopicFollower, "poll", act_and_poll)
    watched = bench.bus.run("items", "show", item, "--watch", "--json")
    assert watched.code == 130
    assert "ASK_ENDED" in [line["what"] for line in watched.json_lines]
    named = re.findall(rf"^unreadable: {re.escape(topic.name)}\[0\]@([0-9-]+): ", watched.err, re.MULTILINE)
    assert named == ["1", "2"]


def test_entries_of_conversations(bench: Bench) -> None:
    keys = _Keys()
    topic = bench.open(CONVERSATIONS, keys)
    first, _ = bench.bus.publish(1, held("DE"))
    topic.end = 1
    topic.write(None, key=keys())  # a conversation that was forgotten is none that cannot be read
    topic.write_unreadable()
    second, _ = bench.bus.publish(2, disclosed("FR"))
    items = bench.bus.run("items", "list", "--json")
    topic.expect(items)
    assert {row["id"] for row in items.json_lines} == {first, second}
    asks = bench.bus.run("asks", "list", "--json", "--no-law")
    topic.expect(asks)
    assert [ask["items"] for ask in asks.json_lines] == [[first]]
    for command in (("items", "list"), ("asks", "list")):
        topic.expect(bench.bus.run(*command))
    unknown = bench.bus.run("items", "show", ITEM)
    assert (unknown.code, unknown.err.count("unreadable: ")) == (2, len(topic.places))
    topic.places = topic.places[:1]  # the rest is about other items, and is no answer
    topic.expect(bench.bus.run("items", "show", first))
    topic.expect(bench.bus.run("asks", "covers"))


def test_an_entry_that_was_written_again_is_not_missing(bench: Bench) -> None:
    item, _ = bench.bus.publish(1, held("DE"))
    topic = bench.open(CONVERSATIONS)
    write_records(bench.kafka, topic.name, [UNKNOWN_SCHEMA], key=make_own_key(item))
    result = bench.bus.run("asks", "list", "--json", "--no-law")
    assert (result.code, result.out) == (1, ""), "the Ask of an entry that was replaced is not shown"
    shown = bench.bus.run("items", "show", item)
    assert (shown.code, "not known: its conversation may be" in shown.out) == (1, True)
    assert "nobody was ever asked" not in shown.out
    bench.bus.keep(item)
    again = bench.bus.run("asks", "list", "--json", "--no-law")
    assert (again.code, again.err, len(again.json_lines)) == (0, "", 1)


def test_an_item_of_an_unknown_state_is_listed(bench: Bench) -> None:
    """Its State may have joined after this release, or have left: what the worker keeps of it is not hidden."""
    bench.bus.receive(Inbox(OFFER), make_id(7), from_state=ANOTHER)
    listed = bench.bus.run("asks", "list", "--json", "--no-law")
    assert (listed.code, [ask["from"] for ask in listed.json_lines]) == (0, [ANOTHER])
    assert bench.bus.run("asks", "list").code == 0


def test_the_inbox(bench: Bench) -> None:
    topic = bench.open(INBOX)
    kept = bench.receiver.put_notice()
    topic.end = 1
    topic.write(None, key=b"a deleted item")
    topic.keys = iter([b"k1", b"k2", b"k3"]).__next__
    topic.write_unreadable()
    foreign = bench.receiver.put_notice(from_state=ANOTHER)
    listed = bench.bus.run("inbox", "list", "--json")
    assert {row["id"] for row in listed.json_lines} == {kept["id"], foreign["id"]}
    assert listed.err.count("unreadable: ") == len(topic.places), listed.err
    assert (listed.code, SECRET.decode() in listed.out + listed.err) == (1, False)
    assert f"{topic.name}[0]@{topic.places[0]}: " in listed.err
    missing = bench.bus.run("inbox", "show", make_id(1))
    assert (missing.code, f"{topic.name}[0]@{topic.places[0]}: " in missing.err) == (2, True)
    assert bench.bus.run("inbox", "show", kept["id"]).code == 0


def test_an_inbox_whose_recalls_are_not_known(bench: Bench) -> None:
    notice = bench.receiver.put_notice()
    topic = bench.open(CONVERSATIONS, lambda: make_received_key("CH", notice["item_id"]))
    topic.write_unreadable()
    topic.places.pop(1)  # it was replaced
    listed = bench.bus.run("inbox", "list", "--json")
    topic.expect(listed)
    assert [row["recalled"] for row in listed.json_lines] == [None]
    shown = bench.bus.run("inbox", "show", notice["id"], "--json")
    topic.expect(shown)
    assert shown.json_document["recalled"] is None


def test_logs_that_the_state_has_seen(bench: Bench) -> None:
    def make_seen(partition: int) -> None:
        place = LogPlace("CH", AuditLogName.ACTS, partition)
        note = sign_checkpoint(place, 7, bytes(32), now_ms(), make_signer("gate")).note.to_bytes()
        value = encode_entry("witnessed_log", WitnessedLog((note,), 3).to_fields())
        topic.write(value, key=f"audit/seen/ch.sharing/acts/{partition}".encode())

    keys = (f"audit/seen/ch.sharing/acts/{number}".encode() for number in range(2, 9))
    topic = bench.open(CONVERSATIONS, keys.__next__)
    make_seen(0)
    topic.write_unreadable(encode_entry("witnessed_log", WitnessedLog((SECRET,), 3).to_fields()))
    make_seen(1)
    listed = bench.bus.run("audit", "witnessed", "--json")
    topic.expect(listed)
    assert [each["log"][-1] for each in listed.json_lines] == ["0", "1"]
    topic.expect(bench.bus.run("audit", "witnessed"))


def test_what_a_subscriber_prints(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_opening(monkeypatch)
    topic = bench.open(NOTICES)
    topic.write(notice_bytes(bench.state, "one.example.org"))
    topic.write_unreadable(None, notice_bytes(ANOTHER, SECRET.decode()))
    topic.write(notice_bytes(bench.state, "two.example.org"))
    printed = bench.bus.call("subscribe", bench.state, "--once", "--json")
    values = [json.loads(line)["indicator"]["value"] for line in printed.out.splitlines()]
    assert values == ["one.example.org", "two.example.org"]
    assert (printed.code, printed.err.count("unreadable: "), SECRET.decode() in printed.out + printed.err) == (
        1, len(topic.places), False,
    )  # fmt: skip


def test_what_cannot_be_read_is_a_finding_of_the_audit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.kafka.create_topics([CHECKPOINTS.topic(bench.state)], 1)
    topic = bench.open(ACTS)
    topic.write_unreadable(None, make_block(ANOTHER, AuditLogName.ACTS, [SECRET], now_ms=now_ms()))
    verified = bench.bus.run("audit", "verify", "--json")
    document = verified.json_document
    found = {finding["offset"] for finding in document["findings"] if finding["topic"] == topic.name}
    assert (verified.code, document["ok"]) == (1, False)
    assert found >= {int(place.partition("-")[0]) for place in topic.places}
    assert SECRET.decode() not in verified.out + verified.err
