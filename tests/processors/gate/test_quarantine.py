"""Records that cannot be processed are quarantined with a cause and without content."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from processors.gate import gate as gate_module
from processors.gate.gate import Gate, is_conserved
from sharing.errors import InputError
from sharing.ids import ID_NAMESPACE
from sharing.law.constraints import Conjunction
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    INVALID_MESSAGES,
    LAW,
    MARKER,
    NOW_MS,
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


def test_a_record_with_an_oversized_output_is_quarantined_without_other_outputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate_module, "OUTPUT_BYTES_MAX", 2_000)
    batch = [make_message(1, summary="x" * 3_000), make_message(2)]
    result = process_messages(*batch)
    assert result.quarantined == Counter(["OUTPUT_OVERSIZED"])
    (quarantine,) = decode_by_topic(result)["national.ch.quarantine"]
    assert quarantine["stage"] == "DECIDE"
    assert quarantine["message"].startswith("a decision, notice or draft for this indicator would exceed 2000 bytes; ")
    assert {output.key for output in result.output_records if output.topic.endswith("decisions")} == {
        indicator_form(2)["id"].encode()
    }


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


def test_validation_raises_an_input_error() -> None:
    message = INVALID_MESSAGES["another State"][0]
    with pytest.raises(InputError, match="the gate of CH accepts only indicators of that State's own agencies"):
        Gate(LAW, load_shipped_treaties())._validate_record(message, get_codec("indicator").decode(message.data))
