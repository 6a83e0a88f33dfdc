"""Records that cannot be processed are quarantined with a cause and without content."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch, OutputLimits
from processors.gate.gate import BatchResult, Gate, is_conserved
from processors.gate.input_records import InputRecords
from processors.gate.record_path import Admission
from sharing.errors import InputError
from sharing.ids import ID_NAMESPACE
from sharing.law.constraints import Conjunction
from sharing.model.bad_batch import BadBatch
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.columnar.test_partitioner import find_partition
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    INVALID_MESSAGES,
    LAW,
    MARKER,
    NEVER_COLUMNAR,
    NOW_MS,
    TOPIC,
    contains_marker,
    decode_by_topic,
    decode_output,
    indicator_form,
    make_message,
    process_messages,
)


@pytest.mark.parametrize("name", INVALID_MESSAGES)
def test_an_invalid_record_is_quarantined_with_its_cause_and_without_content(name: str) -> None:
    message, stage, cause = INVALID_MESSAGES[name]
    message = replace(message, record_offset=41)
    result = process_messages(message)
    assert result.quarantined == Counter([cause])
    assert result.outcomes == Counter()
    (output,) = result.output_records
    assert output.topic == "national.ch.quarantine"
    quarantine = decode_output(output)
    assert (quarantine["stage"], quarantine["cause"]) == (stage, cause)
    assert (quarantine["topic"], quarantine["partition"], quarantine["offset"]) == ("national.ch.indicators", 3, 41)
    assert quarantine["id"] == str(uuid.uuid5(uuid.UUID(str(ID_NAMESPACE)), "quarantine/national.ch.indicators/3/41"))
    assert output.key == quarantine["id"].encode()
    assert quarantine["record"] == (None if name in ("oversized", "empty") else message.data)
    # The record itself will be sealed. All other fields are readable.
    assert not contains_marker(repr({**quarantine, "record": None}).encode())
    assert len(quarantine["message"]) > 10


def test_a_quarantine_record_names_the_indicator_if_its_id_is_known() -> None:
    def quarantined_id(name: str) -> Any:
        return decode_by_topic(process_messages(INVALID_MESSAGES[name][0]))["national.ch.quarantine"][0]["indicator_id"]

    assert (
        quarantined_id("another State")
        == quarantined_id("wrong key")
        == quarantined_id("value")
        == indicator_form(9)["id"]
    )
    assert quarantined_id("not Avro") is quarantined_id("id is content") is None


def test_an_unexpected_error_is_quarantined_without_its_text() -> None:
    def locate(address: str) -> str | None:
        raise OSError(f"no such page for {address} {MARKER}")

    gate = Gate(LAW, load_shipped_treaties(), locate)
    batch = [make_message(1, type="ipv4-addr", value="198.51.100.7"), make_message(2)]
    result = gate.process_batch(batch, DIRECTORY, NOW_MS)
    assert is_conserved(batch, result)
    assert result.quarantined == Counter(["UNEXPECTED"])
    assert result.outcomes == Counter([Outcome.DISCLOSE])
    (quarantine,) = decode_by_topic(result)["national.ch.quarantine"]
    assert quarantine["message"] == "the gate failed on this record (OSError)"
    assert quarantine["indicator_id"] == indicator_form(1)["id"]


def test_a_record_with_an_oversized_output_is_quarantined_without_other_outputs() -> None:
    limits = OutputLimits({"drafts": 4_000})
    records = InputRecords.read([make_message(1, summary="x" * 3_000), make_message(2)])
    gate = Gate(LAW, load_shipped_treaties())
    result = BatchResult.join(gate.process_parts(records, DIRECTORY, NOW_MS, None, limits))
    assert result.quarantined == Counter(["OUTPUT_OVERSIZED"])
    (quarantine,) = decode_by_topic(result)["national.ch.quarantine"]
    assert quarantine["stage"] == "DECIDE"
    assert quarantine["message"].startswith("a record on national.ch.drafts for this indicator would exceed 2000 ")
    assert {output.key for output in result.output_records if output.topic.endswith("decisions")} == {
        indicator_form(2)["id"].encode()
    }


@pytest.mark.parametrize(
    ("limits", "name", "length", "is_kept"),
    [
        ({"drafts": 4_000, "quarantine": 4_000}, "OUTPUT_OVERSIZED", 3_000, False),
        ({"drafts": 4_000, "quarantine": 9_000}, "OUTPUT_OVERSIZED", 3_000, True),
        ({"quarantine": 4_000}, "FIELD_SOURCE_STATE", 3_000, False),
        ({"quarantine": 4_000}, "FIELD_SOURCE_STATE", 100, True),
    ],
)
def test_a_quarantine_record_fits_a_topic_that_accepts_less_than_the_record_it_holds(
    limits: dict[str, int], name: str, length: int, is_kept: bool
) -> None:
    """The broker would refuse it each time, and the gate would never get past."""
    state = "DE" if name == "FIELD_SOURCE_STATE" else "CH"
    message = make_message(1, summary="x" * length, source={**indicator_form()["source"], "state": state})
    output_limits = OutputLimits(limits)
    gate = Gate(LAW, load_shipped_treaties())
    parts = gate.process_parts(InputRecords.read([message]), DIRECTORY, NOW_MS, None, output_limits)
    result = BatchResult.join(parts)
    assert result.quarantined == Counter([name])
    (output,) = result.output_records
    assert len(output.value or b"") <= output_limits.get_value_bytes_max(output.topic)
    assert decode_output(output)["record"] == (message.data if is_kept else None)
    assert decode_output(output)["offset"] == message.offset()


def test_a_failing_rule_withholds_and_is_counted_for_each_indicator() -> None:
    class Broken(Conjunction):
        def evaluate(self, facts: Any) -> bool | None:
            raise ZeroDivisionError

    rules = [replace(rule, when=Broken(())) if rule.id == "ch.approval" else rule for rule in LAW.rules]
    gate = Gate(replace(LAW, rules=tuple(rules)), load_shipped_treaties())
    result = gate.process_batch([make_message()], DIRECTORY, NOW_MS)
    assert result.outcomes == Counter([Outcome.WITHHOLD])
    (decision,) = decode_by_topic(result)["national.ch.decisions"]
    assert decision["recipients"][0]["undecided"] == [{"rule": "ch.approval", "fact": "error"}]
    assert result.rule_errors == {"ch.approval": 1}
    more = gate.process_batch([make_message(number) for number in range(2, 5)], DIRECTORY, NOW_MS)
    assert more.rule_errors == {"ch.approval": 3}  # the verdict is cached, so the rule is not evaluated again


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
@pytest.mark.parametrize("partition_count", [12, 1, 0])
def test_a_record_beside_the_partition_of_its_key_is_quarantined(partition_count: int, columnar_min: int) -> None:
    """Unless the number of partitions is not known, or there is only one."""
    batch = []
    for number in range(1, 41):
        message = make_message(number)
        place = find_partition(message.record_key or b"", 12)
        batch.append(replace(message, record_partition=(place + (number % 4 == 0)) % 12))
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
    parts = gate.process_parts(InputRecords.read(batch, partition_count), DIRECTORY, NOW_MS, None)
    result = BatchResult.join(parts)
    expected = [message.offset() for message in batch[3::4]] if partition_count == 12 else []
    assert [(record.offset, record.cause) for record in result.rejections] == [
        (offset, "WRONG_PARTITION") for offset in expected
    ]
    assert result.outcomes == {Outcome.DISCLOSE: 40 - len(expected)}


def test_admission_raises_an_input_error() -> None:
    message = INVALID_MESSAGES["another State"][0]
    with pytest.raises(InputError, match="the gate of CH accepts only indicators of that State's own agencies"):
        Admission("CH", {}).check(message, get_codec("indicator").decode(message.data))


def test_what_cannot_be_read_is_quarantined_by_reference() -> None:
    bombs = [
        BadBatch("national.ch.indicators", 3, 17, 44, "_BAD_COMPRESSION"),
        BadBatch("national.ch.indicators", 1, 5, 5, "OVERSIZED"),
    ]
    result = BatchResult()
    gate = Gate(LAW, load_shipped_treaties())
    batch = Batch([make_message(1)], NOW_MS, {}, unreadable=bombs)
    outputs = list(decide_batch(gate, batch, DIRECTORY, result))
    quarantined = [get_codec("quarantine").decode(each.value) for each in outputs if each.topic.endswith("quarantine")]
    assert [(each["partition"], each["offset"], each["stage"], each["cause"]) for each in quarantined] == [
        (3, 17, "READ", "BAD_COMPRESSION"),
        (1, 5, "READ", "OVERSIZED"),
    ]
    assert "national.ch.indicators/3@17-44 could not be read" in quarantined[0]["message"]
    assert [each.partition for each in outputs if each.topic.endswith("quarantine")] == [3, 1]
    assert {each["record"] for each in quarantined} == {None}
    assert result.quarantined == Counter(BAD_COMPRESSION=1, OVERSIZED=1)
    assert result.outcomes == Counter([Outcome.DISCLOSE])
    assert len(result.rejections) == 2


def test_a_batch_may_hold_nothing_but_what_cannot_be_read() -> None:
    result = BatchResult()
    batch = Batch([], NOW_MS, {}, unreadable=[BadBatch("national.ch.indicators", 0, 1, 1, "_BAD_MSG")])
    (output,) = decide_batch(Gate(LAW, load_shipped_treaties()), batch, DIRECTORY, result)
    assert output.topic == "national.ch.quarantine"


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_the_shared_topic_is_open_to_every_agency_while_it_is_drained(columnar_min: int) -> None:
    """Beside the topics of single agencies, which are open to one each."""
    agencies = {"national.ch.indicators.customs": "customs", TOPIC: None}
    gate = Gate(LAW, load_shipped_treaties(), agency_by_topic=agencies, columnar_min=columnar_min)
    shared = make_message(1)
    foreign = replace(make_message(2), topic_name="national.ch.indicators.customs")
    result = gate.process_batch([shared, foreign], DIRECTORY, NOW_MS)
    assert result.outcomes == Counter([Outcome.DISCLOSE])
    assert result.quarantined == Counter(["FIELD_SOURCE_AGENCY"])
