"""A property over both paths of the gate: whatever a batch contains, columns and single records give the same result.

The same bytes with the same headers (and so the same traces) on the same partitions, the same counts, the same
latencies, the same state, and the same that agencies are told; also when the batch is written in parts.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import fields, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.exactly_once.batch import DEFAULT_LIMITS, Batch
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.state_store_backends import MemoryStore
from processors.gate.batch_result import BatchResult
from processors.gate.gate import PART_BYTES_MAX, Gate, is_conserved
from processors.gate.input_records import InputRecords, OpenValues
from processors.gate.item_versions import ItemVersions
from processors.gate.outcome_blocks import BatchOutcomes, OutcomeBlocks, OutcomeTopics
from sharing.audit.block import read_entry_id
from sharing.columnar import decoding
from sharing.model.vocabulary import AuditLogName
from sharing.packs.library import load_shipped_treaties
from sharing.seal.indicator_record import INDICATOR_BYTES_MAX
from sharing.seal.indicators import IndicatorOpener, IndicatorSealer
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.serialization.framing import Framing, make_registry_header
from tests.columnar.test_partitioner import find_partition
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    EMERGENCY,
    HELD,
    INVALID_MESSAGES,
    LAW,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    WITHHELD,
    Message,
    make_message,
)
from tests.seal.seal_fixtures import make_opening_key

SETTINGS = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
PARTITION_COUNT = 3
SEAL_KEY = make_opening_key("CH seal 1")
HEADER = get_codec("indicator").header
REGISTRY_HEADER = make_registry_header(7)
FRAMING = Framing({"decision": make_registry_header(8), "draft": make_registry_header(9)}, {REGISTRY_HEADER: HEADER})

BLOCKS = OutcomeBlocks(OutcomeTopics("CH"), FRAMING)

PUBLISHED: list[dict[str, Any]] = [
    {}, OFFERED, HELD, WITHHELD, {"summary": "other"}, {"summary": None}, {"nexus": []},
    {"retain_until": "2020-01-01T00:00:00Z"}, {"retain_until": "2030-01-01T00:00:00Z"},
    {"urgency": "URGENT"}, {"urgency": "EMERGENCY", **OFFERED}, EMERGENCY,
    {"urgency": "URGENT", "urgency_reason": "soon"}, {**EMERGENCY, "urgency_reason": "another"},
    {**EMERGENCY, "source": {"state": "CH", "agency": "Police", "authority": "POLICE"}},
    {"source": {"state": "CH", "agency": "Customs", "officer": "o-2", "authority": "POLICE", "case": "c-2"}},
    {"nexus": [{"state": state, "reason": state} for state in ("DE", "IE", "US")]},
    {"nexus": [{"state": "IE", "reason": "r"}, {"state": "US", "reason": "s"}], "offence": {"codes": ["LAUNDERING"]}},
    {"type": "phone-number", "value": "+4930901820"}, {"type": "iban", "value": "DE89370400440532013000"},
]  # fmt: skip
LATER: list[dict[str, Any]] = [
    {"action": "SUPERSEDE", "version": 2}, {"action": "SUPERSEDE", "version": 2, "summary": "other"},
    {"action": "SUPERSEDE", "version": 3, **OFFERED}, {"action": "SUPERSEDE", "version": 4, **WITHHELD},
    {"action": "WITHDRAW", "version": 3, "reason": "r"}, {"action": "PUBLISH", "version": 2, "urgency": "URGENT"},
]  # fmt: skip
TRACES = [(), (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)]


def arrive(message: Message, *, framed: bool, misplaced: bool, trace: Any, published_at: int) -> Message:
    """Return a record as it arrives: with or without a registry's frame, on its partition or beside it."""
    data = message.data
    if framed and data is not None and data.startswith(HEADER):
        data = REGISTRY_HEADER + data[HEADER_LENGTH:]
    partition = (find_partition(message.record_key or b"", PARTITION_COUNT) + misplaced) % PARTITION_COUNT
    return replace(
        message, data=data, record_partition=partition, record_headers=trace, published_at=NOW_MS - published_at
    )


VALID = st.builds(
    lambda number, changes: make_message(number, **changes),
    st.integers(1, 30) | st.integers(1, 3),
    st.sampled_from(PUBLISHED) | st.sampled_from(LATER),
)
ARRIVED = st.builds(
    arrive,
    VALID | st.sampled_from([invalid for invalid, *_ in INVALID_MESSAGES.values()]),
    framed=st.integers(0, 4).map(lambda number: number == 0),
    misplaced=st.integers(0, 9).map(lambda number: number == 0),
    trace=st.sampled_from(TRACES),
    published_at=st.integers(0, 10_000),
)
BATCHES = st.lists(st.lists(ARRIVED, min_size=1, max_size=24), min_size=1, max_size=3).map(
    lambda batches: [
        [replace(message, record_offset=100 * number + offset) for offset, message in enumerate(batch)]
        for number, batch in enumerate(batches)
    ]
)


@pytest.fixture(autouse=True)
def _columnar_decoding_of_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BULK_MIN", 2)


def summarise(result: BatchResult) -> dict[str, Any]:
    """Return everything that a batch gives. Latencies have no order."""
    summary = {each.name: getattr(result, each.name) for each in fields(result) if each.name != "outputs"}
    summary["published"] = {lane: Counter(timestamps) for lane, timestamps in result.published.items()}
    summary["rejections"] = sorted(result.rejections)
    return {**summary, "outputs": result.output_records}


def process_in_order(
    batches: list[list[Message]], columnar_min: int, part_bytes_max: int, open_values: OpenValues | None = None
) -> list[Any]:
    """Return what a new gate with an empty state store gives for each batch, with the changes of the state."""
    gate = Gate(LAW, load_shipped_treaties(), framing=FRAMING, columnar_min=columnar_min, part_bytes_max=part_bytes_max)
    stores = {partition: MemoryStore() for partition in range(PARTITION_COUNT)}
    everything = []
    for batch in batches:
        overlay = Overlay(stores)
        records = InputRecords.read(batch, PARTITION_COUNT, open_values)
        versions = ItemVersions(records, overlay)
        result = BatchResult.join(gate.process_parts(records, DIRECTORY, NOW_MS, versions))
        assert is_conserved(batch, result)
        told = BatchOutcomes(BLOCKS, Batch(batch, NOW_MS, {}), LAW.reference, DEFAULT_LIMITS)
        told.add_part(result)
        everything += [{**summarise(result), "told": list(told.finish(result))}, overlay.changes]
        for partition, changes in overlay.changes.items():
            stores[partition].apply_changes(changes.items(), None)  # type: ignore[arg-type]
    return everything


@SETTINGS
@given(batches=BATCHES, part_bytes_max=st.sampled_from([1, 5_000, 20_000]))
def test_both_paths_and_any_parts_give_the_same_result(batches: list[list[Message]], part_bytes_max: int) -> None:
    reference = process_in_order(batches, NEVER_COLUMNAR, PART_BYTES_MAX)
    for columnar_min in (1, NEVER_COLUMNAR):
        for bytes_max in (PART_BYTES_MAX, part_bytes_max):
            assert process_in_order(batches, columnar_min, bytes_max) == reference


def seal_message(message: Message, sealer: IndicatorSealer) -> Message:
    """Return a record as a publisher seals it, if it can be sealed."""
    if message.data is None or len(message.data) > INDICATOR_BYTES_MAX:
        return message
    value = sealer.seal_indicator(message.record_key or b"", message.data, SEAL_KEY.public_key, NOW_MS)
    return replace(message, data=value)


def drop_received_bytes(everything: list[Any]) -> list[Any]:
    """Return what batches gave, without the bytes as received in quarantine records."""
    codec = get_codec("quarantine")
    for summary in everything[::2]:
        summary["outputs"] = [
            output._replace(value=repr(codec.decode(output.value) | {"record": None}).encode())
            if output.topic == "national.ch.quarantine"
            else output
            for output in summary["outputs"]
        ]
    return everything


@SETTINGS
@given(batches=BATCHES, part_bytes_max=st.sampled_from([1, 20_000]))
def test_sealed_indicators_give_the_same_result(batches: list[list[Message]], part_bytes_max: int) -> None:
    sealer = IndicatorSealer("CH", random.Random(1).randbytes)
    sealed = [[seal_message(message, sealer) for message in batch] for batch in batches]
    open_values = partial(
        IndicatorOpener("CH", framing=FRAMING, accepts_unsealed=True).open_values,
        opening_keys={SEAL_KEY.public_key.key_id: SEAL_KEY},
    )
    reference = drop_received_bytes(process_in_order(batches, NEVER_COLUMNAR, PART_BYTES_MAX))
    for columnar_min in (1, NEVER_COLUMNAR):
        opened = process_in_order(sealed, columnar_min, part_bytes_max, open_values)
        assert drop_received_bytes(opened) == reference


@SETTINGS
@given(batches=BATCHES)
def test_every_output_is_on_the_partition_of_its_input(batches: list[list[Message]]) -> None:
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=1)
    for batch in batches:
        records = InputRecords.read(batch, PARTITION_COUNT)
        for part in gate.process_parts(records, DIRECTORY, NOW_MS, ItemVersions(records, None)):
            decided = {
                (read_entry_id(decision, AuditLogName.DECISIONS).encode(), partition)
                for partition, decisions in part.outputs.group_decisions().items()
                for decision in decisions
            }
            assert decided <= {(message.key(), message.partition()) for message in batch}
            for position, outputs in part.outputs.other_outputs.items():
                assert {output.partition for output in outputs} <= {batch[position].partition()}
