"""A gate commits to the content of each decision, and what opens the commitment dies with the item or with the day."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch, OutputLimits, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.state_entries import decode_entry
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.sealing.amendment_opening import AmendmentOpening
from processors.sealing.day_secrets import DaySecrets, format_day, make_secret_key
from processors.sealing.loop_sealing import LoopSealing
from processors.sealing.output_sealer import CONVERSATION_LOOP, SealingKeys
from sharing.audit.block import AuditBlock, LogPlace, read_block, read_entry_id
from sharing.audit.origins import format_origin
from sharing.errors import DecodeError
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import AuditLogName
from sharing.packs.library import load_shipped_treaties
from sharing.seal.day_secret import KEPT_DAYS, SECRET_KEY_PREFIX, unwrap_day_secret
from sharing.seal.own_records import OwnRecordSealer, open_with_salt
from sharing.serialization.codec import get_codec
from sharing.sign.content_commitment import derive_salts, is_commitment_to
from tests.processors.gate.amendment_fixtures import amend_message
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    FULL_OF_MARKERS,
    LAW,
    MARKER,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    WITHHELD,
    Message,
    indicator_form,
    make_message,
)
from tests.processors.sealing.test_gate_sealing import WRAPPING_KEY, WRAPPING_KEY_ID, FixedKeys, SealedGate
from tests.processors.sealing.test_sent_streams import commit

PARTITION = make_message().partition()
NEXT_KEY_ID, NEXT_KEY = "d" * 64, SecretBytes(bytes(32))
WRAPPING_KEYS = {WRAPPING_KEY_ID: WRAPPING_KEY, NEXT_KEY_ID: NEXT_KEY}
PATHS = pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])


@dataclass(frozen=True)
class SameKeys:
    """The same keys at any time, with a wrapping key of the test's choice."""

    wrapping_key_id: str = WRAPPING_KEY_ID
    wrapping_key: SecretBytes = WRAPPING_KEY

    def collect_keys(self, now_ms: int) -> SealingKeys:
        return replace(
            FixedKeys().collect_keys(min(now_ms, NOW_MS)),
            wrapping_key_id=self.wrapping_key_id,
            wrapping_key=self.wrapping_key,
        )


class CommittingGate(SealedGate):
    """A gate in secure mode, whose outputs are kept as they are written."""

    def __init__(self, keys: FixedKeys | None = None, *, seed: int = 7, **options: Any) -> None:
        super().__init__(keys, **options)
        self.sealing = LoopSealing("CH", keys or FixedKeys(), random.Random(seed).randbytes)
        self.drafts: dict[bytes, bytes] = {}

    def decide(
        self, *messages: Message, now_ms: int = NOW_MS, committed: bool = True, **options: Any
    ) -> list[AuditBlock]:
        """Return the blocks that a batch adds, and keep its drafts if it is committed."""
        overlay = Overlay(self.stores)
        batch = Batch(messages, now_ms, {}, store_view=overlay, **options)
        amendments = AmendmentOpening("CH", lambda key_id, _: WRAPPING_KEYS.get(key_id))
        self.outputs: list[OutputRecord] = list(
            decide_batch(self.gate, batch, DIRECTORY, BatchResult(), self.sealing, amendments=amendments)
        )
        if committed:
            commit(self.stores, overlay)
            self.drafts |= {
                each.key or b"": each.value or b"" for each in self.outputs if each.topic.endswith("drafts")
            }
        return [read_block(each.value) for each in self.outputs if each.topic.endswith(".decisions")]

    def restart(self) -> None:
        """Go on with what the state store has, as a worker that was killed and started again."""
        self.gate = Gate(LAW, load_shipped_treaties())
        self.sealing = LoopSealing("CH", FixedKeys(), secrets.token_bytes)

    def list_secrets(self, partition: int = PARTITION) -> dict[bytes, bytes]:
        """Return the secrets in the state store."""
        return dict(self.stores[partition].items(SECRET_KEY_PREFIX))

    def list_salts(self, block: AuditBlock, index: int) -> Iterator[bytes]:
        """Yield every salt that the State can still derive for an entry."""
        for key, value in self.drafts.items():
            yield open_with_salt(value, key, "draft", "CH", WRAPPING_KEYS.get)[1]
        place = LogPlace(block.state, block.log, block.partition)
        for encoded in self.list_secrets(block.partition).values():
            entry = decode_entry(encoded, "day_secret")
            wrapping_key = WRAPPING_KEYS[entry["wrapping_key"]]
            secret = unwrap_day_secret(wrapping_key, format_origin(place), entry["day"], entry["wrapped"])
            assert secret is not None
            yield derive_salts(secret, block.salt_nonce, format_origin(place), len(block.entries))[index]

    def can_open(self, block: AuditBlock, index: int, content: bytes) -> bool:
        """Return whether the State can show that an entry is about this content."""
        commitment = block.get_commitment(index)
        return any(is_commitment_to(commitment, salt, content) for salt in self.list_salts(block, index))


def get_content(message: Message) -> bytes:
    return message.value() or b""


@PATHS
def test_each_decision_is_bound_to_its_own_content(columnar_min: int) -> None:
    gate = CommittingGate(columnar_min=columnar_min)
    messages = [make_message(1), make_message(2, **OFFERED), make_message(3, **WITHHELD), make_message(4, **WITHHELD)]
    (block,) = gate.decide(*messages)
    assert len(gate.drafts) == 2
    assert [read_entry_id(entry, block.log) for entry in block.entries] == [
        (message.key() or b"").decode() for message in messages
    ]
    for index, number in product(range(4), range(4)):
        assert gate.can_open(block, index, get_content(messages[number])) is (index == number)
    assert len({block.get_commitment(index) for index in range(4)}) == 4


@PATHS
def test_records_that_are_quarantined_between_them_change_nothing(columnar_min: int) -> None:
    gate = CommittingGate(columnar_min=columnar_min)
    bad = Message(b"\xc3\x01 no indicator", b"key")
    messages = [bad, make_message(1, **WITHHELD), bad, make_message(2), bad, make_message(3, **WITHHELD)]
    (block,) = gate.decide(*messages)
    assert [gate.can_open(block, index, get_content(messages[1 + 2 * index])) for index in range(3)] == [True] * 3
    gate.drafts.clear()  # the salt of the second one is that of its draft
    opened = [gate.can_open(block, index, get_content(messages[1 + 2 * index])) for index in range(3)]
    assert opened == [True, False, True]


def test_partitions_and_blocks_have_their_own_salts() -> None:
    gate = CommittingGate()
    messages = [
        replace(make_message(number, **WITHHELD), record_partition=number % 2) for number in range(1, 30)
    ]  # fmt: skip
    blocks = gate.decide(*messages, output_limits=OutputLimits({"decisions": 8_000}))
    assert len([block for block in blocks if block.partition == 1]) > 1
    contents = {message.key(): get_content(message) for message in messages}
    for block in blocks:
        for index, entry in enumerate(block.entries):
            assert gate.can_open(block, index, contents[read_entry_id(entry, block.log).encode()])
    assert len({block.salt_nonce for block in blocks}) == len(blocks)
    assert [len(gate.list_secrets(partition)) for partition in (0, 1, 2)] == [1, 1, 0]


def test_a_later_version_and_a_repetition_have_commitments_of_their_own() -> None:
    gate = CommittingGate()
    first, second = make_message(1), make_message(1, version=2, action="SUPERSEDE", summary="another")
    blocks = [gate.decide(message)[0] for message in (first, second)]
    for block, expected in zip(blocks, ([True, False], [False, True]), strict=True):
        assert [gate.can_open(block, 0, get_content(each)) for each in (first, second)] == expected
    assert len(gate.drafts) == 2
    again = gate.decide(second)[0]
    assert gate.can_open(again, 0, get_content(second))
    assert len({block.commitments for block in (*blocks, again)}) == 3
    assert not gate.can_open(blocks[1], 0, get_content(second))  # its copy was replaced


@PATHS
def test_an_amended_version_has_a_commitment_of_its_own(columnar_min: int) -> None:
    gate = CommittingGate(columnar_min=columnar_min, has_conversation=True)
    first, amended = make_message(1), amend_message(1, summary="amended")
    contents = [get_content(first), get_codec("amendment").decode(amended.data)["content"]]
    other = make_message(2, **WITHHELD)
    sealed = seal_own(amended, WRAPPING_KEY_ID)
    (before,) = gate.decide(first)
    (block,) = gate.decide(other, sealed)
    assert [get_codec("decision").decode(each)["amendment"] for each in block.entries] == [0, 1]
    assert [gate.can_open(before, 0, each) for each in contents] == [True, False]
    assert [gate.can_open(block, 1, each) for each in contents] == [False, True]
    assert gate.can_open(block, 0, get_content(other))


def seal_own(message: Message, key_id: str) -> Message:
    """Return an amendment as the State's conversation seals it."""
    sealer = OwnRecordSealer("CH", secrets.token_bytes)
    sealer.begin_batch(key_id, WRAPPING_KEYS[key_id], NOW_MS)
    (value,) = sealer.seal_records("amendment", [(message.record_key or b"", message.data or b"")], NOW_MS)
    return replace(message, data=value)


def test_a_gate_without_keys_commits_to_nothing() -> None:
    gate = CommittingGate()
    overlay = Overlay(gate.stores)
    batch = Batch([make_message(1)], NOW_MS, {}, store_view=overlay)
    outputs = list(decide_batch(gate.gate, batch, DIRECTORY, BatchResult()))
    (block,) = [read_block(each.value) for each in outputs if each.topic.endswith(".decisions")]
    assert (block.salt_nonce, block.commitments) == (b"", b"")
    assert not list(overlay.items(PARTITION, SECRET_KEY_PREFIX))


@PATHS
def test_no_value_is_in_the_log_or_in_the_state_store(columnar_min: int) -> None:
    gate = CommittingGate(columnar_min=columnar_min)
    gate.decide(*[make_message(number, **FULL_OF_MARKERS) for number in (1, 2)])
    written = [each.value or b"" for each in gate.outputs if each.topic.endswith(".decisions")]
    stored = [each for partition in gate.stores.values() for _, each in partition.items()]
    assert written
    assert gate.list_secrets()
    for each in (*written, *stored):
        assert MARKER.lower().encode() not in each.lower()
        assert b"malware" not in each


def test_a_killed_gate_goes_on_with_the_secret_of_the_day() -> None:
    gate = CommittingGate()
    messages = [make_message(number, **WITHHELD) for number in (1, 2)]
    (first,) = gate.decide(messages[0])
    (known,) = gate.list_secrets().values()
    gate.restart()
    (second,) = gate.decide(messages[1])
    assert list(gate.list_secrets().values()) == [known]
    assert gate.can_open(first, 0, get_content(messages[0]))
    assert gate.can_open(second, 0, get_content(messages[1]))


@given(st.lists(st.sampled_from(["commit", "abort", "kill"]), max_size=6))
def test_whatever_is_aborted_what_is_committed_can_be_opened(steps: list[str]) -> None:
    """A batch whose transaction was aborted is decided again: under another salt, and never under one that was lost."""
    gate = CommittingGate()
    written: list[tuple[AuditBlock, bytes]] = []
    aborted: list[bytes] = []
    for number, step in enumerate([*steps, "commit"], 1):
        message = make_message(number, **(WITHHELD if number % 2 else {}))
        if step == "kill":
            gate.restart()
            continue
        (block,) = gate.decide(message, committed=step == "commit")
        if step == "commit":
            written.append((block, get_content(message)))
        else:
            aborted.append(block.salt_nonce)
            (again,) = gate.decide(message)
            assert again.commitments != block.commitments
            written.append((again, get_content(message)))
    assert all(gate.can_open(block, 0, content) for block, content in written)
    assert not {block.salt_nonce for block, _ in written} & set(aborted)
    assert len(gate.list_secrets()) == 1


def test_a_batch_that_follows_one_in_progress_takes_its_secret() -> None:
    gate = CommittingGate()
    stores, made = gate.stores, DaySecrets(secrets.token_bytes)
    place = LogPlace("CH", AuditLogName.DECISIONS, 0)
    before = Overlay(stores)
    secret = made.get(before, place, NOW_MS, WRAPPING_KEY_ID, WRAPPING_KEY)
    after = Overlay(stores, before)
    assert made.get(after, place, NOW_MS, WRAPPING_KEY_ID, WRAPPING_KEY) == secret
    assert not after.changes
    aborted = Overlay(stores)  # of a loop that has lost both
    assert made.get(aborted, place, NOW_MS, WRAPPING_KEY_ID, WRAPPING_KEY) != secret


def test_days_partitions_and_wrapping_keys_have_their_own_secrets() -> None:
    gate, made = CommittingGate(), DaySecrets(secrets.token_bytes)
    view = Overlay(gate.stores)
    found = {
        made.get(view, LogPlace("CH", AuditLogName.DECISIONS, partition), now_ms, key_id, key)
        for partition in (0, 1)
        for now_ms in (NOW_MS, NOW_MS + DAY_MS)
        for key_id, key in WRAPPING_KEYS.items()
    }
    assert len(found) == 8
    assert [len(view.changes[partition]) for partition in (0, 1)] == [4, 4]


def test_a_new_wrapping_key_begins_a_new_secret_and_the_old_one_still_opens() -> None:
    gate = CommittingGate()
    (first,) = gate.decide(make_message(1, **WITHHELD))
    gate.sealing = LoopSealing("CH", SameKeys(NEXT_KEY_ID, NEXT_KEY), secrets.token_bytes)
    (second,) = gate.decide(make_message(2, **WITHHELD))
    assert set(gate.list_secrets()) == {make_secret_key(format_day(NOW_MS), each) for each in WRAPPING_KEYS}
    assert gate.can_open(first, 0, get_content(make_message(1, **WITHHELD)))
    assert gate.can_open(second, 0, get_content(make_message(2, **WITHHELD)))


def test_the_secret_of_a_day_is_deleted_when_its_retention_ends() -> None:
    gate = CommittingGate()
    message, last_kept = make_message(1, **WITHHELD), NOW_MS + KEPT_DAYS * DAY_MS
    (block,) = gate.decide(message)
    for now_ms, is_kept in ((last_kept, True), (last_kept + DAY_MS, False)):
        overlay = Overlay(gate.stores)
        sealing = LoopSealing("CH", SameKeys(), secrets.token_bytes)
        sealing.begin_batch(Batch([], now_ms, {}, store_view=overlay), DIRECTORY)  # also without any record
        commit(gate.stores, overlay)
        assert bool(gate.list_secrets()) is is_kept
        assert gate.can_open(block, 0, get_content(message)) is is_kept


def test_only_a_gate_deletes_secrets() -> None:
    """The state store of the conversation has none, and other keys than that of the gate."""
    gate = CommittingGate()
    gate.decide(make_message(1))
    overlay = Overlay(gate.stores)
    sealing = LoopSealing("CH", SameKeys(), secrets.token_bytes, loop=CONVERSATION_LOOP)
    sealing.begin_batch(Batch([], NOW_MS + 400 * DAY_MS, {}, store_view=overlay), DIRECTORY)
    assert not overlay.changes


def test_without_copy_and_secret_a_right_guess_is_not_confirmed() -> None:
    """What is left is the log, and the wrapping keys of the State: nothing opens with them."""
    gate = CommittingGate()
    messages = [make_message(1), make_message(2, **WITHHELD)]
    (block,) = gate.decide(*messages)
    assert [gate.can_open(block, index, get_content(each)) for index, each in enumerate(messages)] == [True, True]
    gate.drafts.clear()
    assert [gate.can_open(block, index, get_content(each)) for index, each in enumerate(messages)] == [False, True]
    for partition, store in gate.stores.items():
        overlay = Overlay(gate.stores)
        for key in dict(store.items(SECRET_KEY_PREFIX)):
            overlay.delete(partition, key)
        commit(gate.stores, overlay)
    assert [gate.can_open(block, index, get_content(each)) for index, each in enumerate(messages)] == [False, False]


def test_a_secret_that_was_altered_stops_the_gate() -> None:
    gate = CommittingGate()
    gate.decide(make_message(1))
    ((key, value),) = gate.list_secrets().items()
    overlay = Overlay(gate.stores)
    overlay.put(PARTITION, key, value[:-1] + bytes([value[-1] ^ 1]))
    commit(gate.stores, overlay)
    gate.restart()
    with pytest.raises(DecodeError, match="was altered"):
        gate.decide(make_message(2))


def test_secrets_are_never_shown_or_copied() -> None:
    made = DaySecrets(secrets.token_bytes)
    made.get(Overlay(CommittingGate().stores), LogPlace("CH", AuditLogName.DECISIONS, 0), NOW_MS, "a", WRAPPING_KEY)
    assert repr(made) == "DaySecrets()"
    with pytest.raises(TypeError, match="never copied"):
        made.__reduce__()


def test_the_content_is_the_record_that_was_decided_on() -> None:
    gate = CommittingGate()
    (block,) = gate.decide(make_message(1))
    ((key, value),) = gate.drafts.items()
    opened, salt = open_with_salt(value, key, "draft", "CH", WRAPPING_KEYS.get)
    content = get_codec("draft").decode(opened)["content"]
    assert is_commitment_to(block.get_commitment(0), salt, content)
    assert get_codec("indicator").decode(content)["id"] == indicator_form(1)["id"]
