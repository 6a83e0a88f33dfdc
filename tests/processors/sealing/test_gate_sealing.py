"""What a gate writes in secure mode: only sealed and signed messages leave, and nothing readable stays in drafts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import SecretBytes

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch, OutputLimits, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import COUNTS_KEY, SealingKeys
from sharing.errors import SharingError
from sharing.packs.library import load_shipped_treaties
from sharing.seal.counts import verify_counts
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.opening import MessageOpener, VerifiedMessage
from sharing.seal.own_records import open_own_record
from sharing.seal.padding import LENGTH_CLASSES, SEALED_OVERHEAD_BYTES_MAX
from sharing.seal.recipient_keys import select_seal_keys
from sharing.serialization.cloud_events import find_header
from sharing.serialization.codec import get_codec
from sharing.topology.topics import list_output_kinds
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    EMERGENCY,
    FULL_OF_MARKERS,
    LAW,
    MARKER,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    Message,
    make_message,
)
from tests.processors.sealing.test_sent_streams import commit, open_stores
from tests.support.audit_entries import unpack_blocks
from tests.trust.trust_fixtures import make_keys, make_root, make_seed, make_signer

WRAPPING_KEY_ID, WRAPPING_KEY = "c" * 64, SecretBytes(bytes(range(32)))


def trust_state(state: str) -> TrustedKeys:
    return make_keys(make_root(state=state, now=NOW_MS)[0], now=NOW_MS, prefix=f"{state} ")[0]


TRUSTED = {state: trust_state(state) for state in ("CH", "DE", "FR", "IE", "US")}


@dataclass
class FixedKeys:
    """Keys that a test can change."""

    trusted: dict[str, TrustedKeys] = field(default_factory=lambda: dict(TRUSTED))
    failure: Exception | None = None

    def collect_keys(self, now_ms: int) -> SealingKeys:
        if self.failure is not None:
            raise self.failure
        return SealingKeys(
            make_signer("CH gate 1"), select_seal_keys(self.trusted, now_ms), 5, WRAPPING_KEY_ID, WRAPPING_KEY
        )


class SealedGate:
    """A gate in secure mode, with a state store that keeps what its batches commit."""

    def __init__(self, keys: FixedKeys | None = None, **options: Any) -> None:
        self.stores = open_stores() | {3: open_stores()[0]}
        self.gate = Gate(LAW, load_shipped_treaties(), **options)
        self.sealing = LoopSealing("CH", keys or FixedKeys(), random.Random(7).randbytes)

    def process(
        self, *messages: Message, now_ms: int = NOW_MS, committed: bool = True, **options: Any
    ) -> list[OutputRecord]:
        overlay = Overlay(self.stores)
        batch = Batch(messages, now_ms, {}, store_view=overlay, **options)
        self.result = BatchResult()
        outputs = list(decide_batch(self.gate, batch, DIRECTORY, self.result, self.sealing))
        if committed:
            commit(self.stores, overlay)
        return unpack_blocks(outputs)


def verify(output: OutputRecord, now_ms: int = NOW_MS) -> VerifiedMessage:
    _, state, topic = output.topic.split(".")
    return MessageOpener(state.upper()).verify(output.value or b"", TRUSTED, now_ms, topic=topic)


def open_message(output: OutputRecord, now_ms: int = NOW_MS) -> dict[str, Any]:
    verified = verify(output, now_ms)
    key = MemoryOpeningKey(KeyAlgorithm.X25519, make_seed(f"{verified.envelope.to_state} seal 1"))
    content = MessageOpener(verified.envelope.to_state).open(verified, {key.public_key.key_id: key})
    record: dict[str, Any] = get_codec(verified.kind.schema_name).decode(content)
    return record


def select_messages(outputs: list[OutputRecord]) -> list[OutputRecord]:
    return [each for each in outputs if each.topic.startswith("exchange.") and each.key != COUNTS_KEY]


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_notices_offers_and_drafts_open_to_what_the_gate_wrote(columnar_min: int) -> None:
    messages = [make_message(1), make_message(2, **OFFERED), make_message(3, **EMERGENCY)]
    plain = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min).process_batch(messages, DIRECTORY, NOW_MS)
    outputs = SealedGate(columnar_min=columnar_min).process(*messages)
    sent = select_messages(outputs)
    expected = select_messages(plain.output_records)
    assert [(each.topic, each.key, each.partition) for each in sent] == [
        (each.topic, each.key, each.partition) for each in expected
    ]
    for sealed, open_ in zip(sent, expected, strict=True):
        schema = "offer" if open_.topic.endswith("offers") else "notice"
        assert open_message(sealed) == get_codec(schema).decode(open_.value)
        assert verify(sealed).envelope.id.encode() == find_header(sealed.headers, "ce_id")
        assert find_header(sealed.headers, "ce_type") == b"sharing.v1.SealedMessage"
    drafts = {each.key: each.value for each in plain.output_records if each.topic == "national.ch.drafts"}
    sealed_drafts = {each.key: each.value for each in outputs if each.topic == "national.ch.drafts"}
    assert sealed_drafts.keys() == drafts.keys()
    for key, value in sealed_drafts.items():
        opened = open_own_record(value or b"", key or b"", "draft", "CH", {WRAPPING_KEY_ID: WRAPPING_KEY}.get)
        assert opened == drafts[key]
    decisions = [each for each in outputs if each.topic == "national.ch.decisions"]
    assert [each.value for each in decisions] == [
        each.value for each in plain.output_records if each.topic == "national.ch.decisions"
    ]


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_nothing_of_an_item_is_readable_in_what_is_written(columnar_min: int) -> None:
    messages = [make_message(number, **FULL_OF_MARKERS) for number in range(1, 4)]
    outputs = SealedGate(columnar_min=columnar_min).process(*messages)
    assert {each.topic for each in outputs} >= {"exchange.us.notices", "national.ch.drafts", "national.ch.decisions"}
    for output in outputs:
        for part in (output.key, output.value, repr(output.headers).encode()):
            assert MARKER.lower().encode() not in (part or b"").lower()
            assert b"malware" not in (part or b"")
    rules = [rule.encode() for rule in ("ch.permit", "BUDAPEST", "ILLEGAL_ACCESS")]
    assert not any(rule in (each.value or b"") for each in select_messages(outputs) for rule in rules)


def test_numbers_continue_across_batches_and_are_used_again_after_an_aborted_one() -> None:
    gate = SealedGate()

    def list_numbers(outputs: list[OutputRecord]) -> list[tuple[str, int]]:
        return [(each.topic, verify(each).envelope.sequence) for each in select_messages(outputs)]

    assert list_numbers(gate.process(make_message(1), make_message(2))) == [
        ("exchange.us.notices", 1), ("exchange.us.notices", 2),
    ]  # fmt: skip
    aborted = gate.process(make_message(3), committed=False)
    assert list_numbers(aborted) == [("exchange.us.notices", 3)]
    assert list_numbers(gate.process(make_message(4), make_message(5, **EMERGENCY))) == [
        ("exchange.us.notices", 3), ("exchange.us.urgent", 1),
    ]  # fmt: skip


def test_counts_of_what_was_sent_follow_the_messages_and_come_every_hour() -> None:
    gate = SealedGate()
    outputs = gate.process(make_message(1), make_message(2), make_message(3, **EMERGENCY))
    counts = [each for each in outputs if each.key == COUNTS_KEY]
    positions = {id(each): number for number, each in enumerate(outputs)}
    for output in counts:
        statement = verify_counts(output.value or b"", "US", TRUSTED, NOW_MS)
        (stream,) = statement.streams
        assert output.topic == f"exchange.us.{stream.topic}"
        assert stream.last == {"notices": 2, "urgent": 1}[stream.topic]
        assert all(positions[id(each)] < positions[id(output)] for each in select_messages(outputs))
    assert [each.topic for each in counts] == ["exchange.us.notices", "exchange.us.urgent"]
    hour = 3_600_000
    assert gate.process(now_ms=NOW_MS + hour - 1) == []
    assert [each.topic for each in gate.process(now_ms=NOW_MS + hour)] == ["exchange.us.notices", "exchange.us.urgent"]


def test_a_state_without_a_seal_key_receives_nothing_and_the_others_do() -> None:
    keys = FixedKeys({state: keys for state, keys in TRUSTED.items() if state != "US"})
    gate = SealedGate(keys)
    outputs = gate.process(make_message(1), make_message(2, **OFFERED))
    assert [each.topic for each in select_messages(outputs)] == ["exchange.fr.offers"]
    (first, _) = [get_codec("decision").decode(each.value) for each in outputs if each.topic == "national.ch.decisions"]
    assert [(each["state"], each["outcome"]) for each in first["recipients"]] == [("US", "WITHHOLD")]
    later = NOW_MS + 31 * 24 * 3_600_000  # every seal key has ended
    assert select_messages(gate.process(make_message(3), now_ms=later)) == []


def test_a_state_that_publishes_an_unusable_seal_key_does_not_stop_the_others() -> None:
    statement = TRUSTED["US"].statement
    keys = [key.model_copy(update={"public": "00" * 32}) if key.role is KeyRole.SEAL else key for key in statement.keys]
    bad = replace(TRUSTED["US"], statement=statement.model_copy(update={"keys": tuple(keys)}))
    gate = SealedGate(FixedKeys({**TRUSTED, "US": bad}))
    outputs = gate.process(make_message(1), make_message(2, **OFFERED))
    assert [each.topic for each in select_messages(outputs)] == ["exchange.fr.offers"]


def test_without_own_keys_nothing_is_written() -> None:
    gate = SealedGate(FixedKeys(failure=SharingError("CH: no gate key is in force; run `sharing keys issue`")))
    with pytest.raises(SharingError, match="no gate key"):
        gate.process(make_message(1))


def test_an_item_that_is_too_long_once_sealed_is_quarantined() -> None:
    message = make_message(1, summary="s" * 1_900)
    fitting = LENGTH_CLASSES[0] + SEALED_OVERHEAD_BYTES_MAX  # half of a record batch may be one value
    outputs = SealedGate().process(message, output_limits=OutputLimits({"notices": 2 * fitting}))
    assert len(select_messages(outputs)[0].value or b"") <= fitting
    outputs = SealedGate().process(message, output_limits=OutputLimits({"notices": 2 * fitting - 2}))
    assert [each.topic for each in outputs] == ["national.ch.quarantine"]


def test_the_longest_content_has_less_around_it_than_is_reserved() -> None:
    limits = OutputLimits({kind.name: kind.max_message_bytes for kind in list_output_kinds()})
    outputs = SealedGate().process(*[make_message(number) for number in range(1, 200)], output_limits=limits)
    for output in select_messages(outputs):
        padded = len(verify(output).ciphertext)
        assert len(output.value or b"") - padded + 32 * 20 < SEALED_OVERHEAD_BYTES_MAX - 1_200  # with a hybrid key


def test_cached_decisions_end_only_when_other_states_can_receive() -> None:
    keys = FixedKeys()
    gate = SealedGate(keys)
    gate.process(make_message(1))
    session = gate.gate._session
    gate.process(make_message(2))
    assert gate.gate._session is session
    keys.trusted = {state: keys for state, keys in TRUSTED.items() if state != "DE"}
    gate.process(make_message(3))
    assert gate.gate._session is not session


def test_sealing_needs_a_state_store() -> None:
    gate = SealedGate()
    batch = replace(Batch([make_message(1)], NOW_MS, {}), store_view=None)
    with pytest.raises(ValueError, match="state store"):
        list(decide_batch(gate.gate, batch, DIRECTORY, BatchResult(), gate.sealing))
