"""What a gate does with sealed indicators: opened, they are decided as others are; refused, they are quarantined."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch, OutputRecord
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.sealing.indicator_opening import IndicatorOpening
from sharing.errors import InputError
from sharing.keystore.online_keys import OnlineKeys
from sharing.packs.library import load_shipped_treaties
from sharing.seal.hpke import OpeningKey
from sharing.seal.indicators import IndicatorSealer
from sharing.serialization.codec import get_codec
from tests.keystore.state_keys import PASSPHRASE
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    FULL_OF_MARKERS,
    LAW,
    MARKER,
    NEVER_COLUMNAR,
    NOW_MS,
    Message,
    make_message,
)
from tests.seal.seal_fixtures import make_opening_key
from tests.support.audit_entries import unpack_blocks

KEY, ENDED = make_opening_key("CH seal 1"), make_opening_key("CH seal 0")
COLUMNAR = pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])


def get_keys(_: int) -> Mapping[str, OpeningKey]:
    return {KEY.public_key.key_id: KEY}


def seal(message: Message, *, state: str = "CH", key: Any = KEY, **changes: Any) -> Message:
    sealer = IndicatorSealer(state, random.Random(1).randbytes)
    record_key, data = message.record_key or b"", message.data or b""
    return replace(message, data=sealer.seal_indicator(record_key, data, key.public_key, NOW_MS), **changes)


def decide(messages: list[Message], columnar_min: int = 1, **options: Any) -> list[OutputRecord]:
    opening = IndicatorOpening("CH", get_keys, **options)
    batch = Batch(messages, NOW_MS, {})
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
    return unpack_blocks(decide_batch(gate, batch, DIRECTORY, BatchResult(), opening=opening))


def list_quarantined(outputs: list[OutputRecord]) -> list[dict[str, Any]]:
    return [get_codec("quarantine").decode(each.value) for each in outputs if each.topic == "national.ch.quarantine"]


@COLUMNAR
def test_a_sealed_indicator_is_decided_and_its_draft_has_what_was_opened(columnar_min: int) -> None:
    plain = [make_message(number) for number in range(1, 4)]
    outputs = decide([seal(message) for message in plain], columnar_min)
    drafts = [get_codec("draft").decode(each.value) for each in outputs if each.topic == "national.ch.drafts"]
    assert [draft["content"] for draft in drafts] == [message.data for message in plain]
    assert sum(each.topic == "exchange.us.notices" for each in outputs) == 3
    assert list_quarantined(outputs) == []


MESSAGE = make_message(1, **FULL_OF_MARKERS)
SEALED = seal(MESSAGE)
REFUSED: dict[str, tuple[Message, str]] = {
    "for another State": (seal(MESSAGE, state="DE"), "WRONG_RECIPIENT"),
    "old key": (seal(MESSAGE, key=ENDED), "UNKNOWN_SEAL_KEY"),
    "cut": (replace(SEALED, data=(SEALED.data or b"")[:-1]), "MALFORMED"),
    "altered": (replace(SEALED, data=(SEALED.data or b"")[:-1] + b"\x00"), "NOT_OPENED"),
    "under another id": (replace(SEALED, record_key=make_message(9).record_key), "NOT_OPENED"),
    "without a key": (replace(SEALED, record_key=None), "NOT_OPENED"),
    "not sealed": (MESSAGE, "UNSEALED"),
}


@COLUMNAR
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_record_is_quarantined_as_received_and_the_others_are_decided(name: str, columnar_min: int) -> None:
    message, cause = REFUSED[name]
    outputs = decide([seal(make_message(2)), replace(message, record_offset=7), seal(make_message(3))], columnar_min)
    (quarantined,) = list_quarantined(outputs)
    assert (quarantined["stage"], quarantined["cause"], quarantined["offset"]) == ("OPEN", cause, 7)
    assert quarantined["record"] == message.data
    assert quarantined["indicator_id"] is None
    assert MARKER not in repr({**quarantined, "record": None})
    assert sum(each.topic == "national.ch.decisions" for each in outputs) == 2
    if name == "old key":
        assert "restore it from the backup, or publish the indicator again" in quarantined["message"]
        assert ENDED.public_key.key_id[:16] in quarantined["message"]
    if name != "not sealed":
        assert all(MARKER.encode() not in (each.value or b"") for each in outputs)


@COLUMNAR
def test_what_is_rejected_after_it_was_opened_stays_sealed_in_quarantine(columnar_min: int) -> None:
    foreign = make_message(1, **(FULL_OF_MARKERS | {"source": {"state": "DE", "agency": MARKER}}))
    message = seal(foreign)
    outputs = decide([message, seal(make_message(2))], columnar_min)
    (quarantined,) = list_quarantined(outputs)
    assert (quarantined["stage"], quarantined["cause"]) == ("CHECK", "FIELD_SOURCE_STATE")
    assert quarantined["record"] == message.data
    assert all(MARKER.encode() not in (each.value or b"") for each in outputs)


@COLUMNAR
def test_a_gate_on_an_own_cluster_accepts_both(columnar_min: int) -> None:
    outputs = decide([make_message(1), seal(make_message(2))], columnar_min, accepts_unsealed=True)
    assert list_quarantined(outputs) == []
    assert sum(each.topic == "national.ch.decisions" for each in outputs) == 2


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_refusal_stays_with_its_record_in_each_chunk(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.agents.gate_agent.DECISION_CHUNK_RECORDS", chunk)
    messages = [seal(make_message(1)), make_message(2), seal(make_message(3)), make_message(4)]
    outputs = decide([replace(message, record_offset=offset) for offset, message in enumerate(messages)])
    assert [each["offset"] for each in list_quarantined(outputs)] == [1, 3]


def test_without_readable_keys_nothing_of_a_batch_is_decided(tmp_path: Path) -> None:
    keys = OnlineKeys.open(tmp_path / "absent", PASSPHRASE)
    opening = IndicatorOpening("CH", keys.get_opening_keys)
    gate = Gate(LAW, load_shipped_treaties())
    with pytest.raises(InputError, match=r"the key folder .* cannot be read"):
        list(decide_batch(gate, Batch([SEALED], NOW_MS, {}), DIRECTORY, BatchResult(), opening=opening))
