"""What a gate does with sealed amendments: opened, they are decided; what this State has not sealed is quarantined."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from pydantic import SecretBytes

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch, OutputRecord
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.sealing.amendment_opening import AmendmentOpening
from processors.sealing.indicator_opening import IndicatorOpening
from sharing.errors import InputError
from sharing.packs.library import load_shipped_treaties
from sharing.seal.own_records import OwnRecordSealer
from sharing.serialization.codec import get_codec
from sharing.trust.public_keys import KeyId
from tests.processors.gate.amendment_fixtures import amend_message
from tests.processors.gate.gate_fixtures import DIRECTORY, LAW, MARKER, NEVER_COLUMNAR, NOW_MS, Message, make_message
from tests.processors.sealing.test_indicator_opening import get_keys, list_quarantined, seal

WRAPPING = {KeyId("wrap-1"): SecretBytes(b"1" * 32), KeyId("wrap-2"): SecretBytes(b"2" * 32)}
AMENDMENT = amend_message(1, summary=MARKER)


def seal_own(
    message: Message, key_id: str = "wrap-1", state: str = "CH", schema: str = "amendment", key: bytes | None = None
) -> Message:
    """Return a record as the State's conversation seals it."""
    sealer = OwnRecordSealer(state, random.Random(1).randbytes)
    sealer.begin_batch(KeyId(key_id), WRAPPING.get(KeyId(key_id), SecretBytes(b"0" * 32)), NOW_MS)
    (value,) = sealer.seal_records(schema, [(key or message.record_key or b"", message.data or b"")], NOW_MS)
    return replace(message, data=value)


def find_wrapping_key(key_id: KeyId, now_ms: int) -> SecretBytes | None:
    assert now_ms == NOW_MS
    return WRAPPING.get(key_id)


def decide(*messages: Message, columnar_min: int = 1) -> list[OutputRecord]:
    """Return the outputs other than decisions."""
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min, has_conversation=True)
    opening, amendments = IndicatorOpening("CH", get_keys), AmendmentOpening("CH", find_wrapping_key)
    outputs = decide_batch(
        gate, Batch(messages, NOW_MS, {}), DIRECTORY, BatchResult(), opening=opening, amendments=amendments
    )
    return [output for output in outputs if not output.topic.endswith("decisions")]


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
@pytest.mark.parametrize("key_id", WRAPPING)
def test_a_sealed_amendment_is_decided_among_sealed_indicators(columnar_min: int, key_id: str) -> None:
    outputs = decide(
        seal(make_message(1)), seal_own(AMENDMENT, key_id), seal(make_message(2)), columnar_min=columnar_min
    )
    assert list_quarantined(outputs) == []
    drafts = [get_codec("draft").decode(each.value) for each in outputs if each.topic == "national.ch.drafts"]
    assert [draft["amendment"] for draft in drafts] == [0, 1, 0]
    assert get_codec("indicator").decode(drafts[1]["content"])["summary"] == MARKER


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (AMENDMENT, "UNSEALED"),
        (seal(replace(AMENDMENT, data=make_message(1).data)), "UNSEALED"),  # to the gate, as an agency seals
        (seal_own(AMENDMENT, state="DE"), "CONTENT_MISMATCH"),
        (seal_own(AMENDMENT, schema="draft"), "CONTENT_MISMATCH"),
        (seal_own(AMENDMENT, key=b"another"), "CONTENT_MISMATCH"),
        (seal_own(AMENDMENT, "wrap-3"), "UNKNOWN_SEAL_KEY"),
        (replace(seal_own(AMENDMENT), data=(seal_own(AMENDMENT).data or b"")[:-1] + b"x"), "NOT_OPENED"),
        (replace(seal_own(AMENDMENT), data=(seal_own(AMENDMENT).data or b"")[:-1]), "MALFORMED"),
    ],
)
def test_what_this_state_has_not_sealed_is_quarantined(message: Message, cause: str) -> None:
    outputs = decide(seal(make_message(1)), message)
    (quarantined,) = list_quarantined(outputs)
    assert (quarantined["stage"], quarantined["cause"], quarantined["record"]) == ("OPEN", cause, message.data)
    assert quarantined["indicator_id"] == (message.record_key or b"").decode()
    assert MARKER not in quarantined["message"]
    assert sum(output.topic == "national.ch.drafts" for output in outputs) == 1


def test_an_amendment_is_not_taken_from_a_topic_of_indicators() -> None:
    moved = replace(seal_own(AMENDMENT), topic_name="national.ch.indicators")
    assert [each["cause"] for each in list_quarantined(decide(moved))] == ["UNSEALED"]


def test_none_of_a_batch_is_processed_while_the_keys_cannot_be_read() -> None:
    def fail(key_id: KeyId, now_ms: int) -> SecretBytes | None:
        raise InputError("the key folder cannot be read")

    batch = Batch([seal_own(AMENDMENT)], NOW_MS, {})
    opening = AmendmentOpening("CH", fail)
    with pytest.raises(InputError, match="cannot be read"):
        list(decide_batch(Gate(LAW, load_shipped_treaties()), batch, DIRECTORY, BatchResult(), amendments=opening))
