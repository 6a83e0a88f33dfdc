"""The checker itself: it finds an injected loss, a doubled notice and a leaked one."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any

import pytest

from processors.batch import Output
from processors.gate import Gate
from sharing.directory import read_entries
from sharing.law_library import find_law
from sharing.model.directory import Directory
from sharing.samples import sample_directory
from sharing.topics import DECISIONS, DRAFTS, NOTICES, OFFERS
from sharing.wire import codec
from tests.bench.workload import make_indicators
from tests.faults.checker import Records, find_violations


class _Message:
    def __init__(self, key: bytes, value: bytes) -> None:
        self._key, self._value = key, value

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value


@pytest.fixture(scope="module")
def sound() -> Records:
    """What a gate makes of 200 indicators of which half are disclosed."""
    law = find_law("CH")
    directory = Directory({entry.state: entry for entry in read_entries(*sample_directory())}, 6)
    loaded = list(make_indicators(200, 0.5))
    gate = Gate(law.pack, law.treaties)
    outputs = gate.process([_Message(*one) for one in loaded], directory, int(time.time() * 1000)).outputs  # type: ignore[misc]  # only key and value are asked
    return Records(
        indicators=[codec("indicator").decode(value) for _, value in loaded],
        decisions=_on(outputs, DECISIONS.topic("CH"), "decision"),
        drafts=_on(outputs, DRAFTS.topic("CH"), "draft"),
        received={state: _on(outputs, NOTICES.topic(state), "notice") for state in ("DE", "NL", "US")},
        offered={state: _on(outputs, OFFERS.topic(state), "offer") for state in ("DE", "NL", "US")},
    )


def _on(outputs: list[Output], topic: str, name: str) -> list[Mapping[str, Any]]:
    return [codec(name).decode(output.value) for output in outputs if output.topic == topic]


def test_sound_records_have_no_violation(sound: Records) -> None:
    assert sound.received["NL"]
    assert find_violations("CH", sound) == []


def test_a_lost_decision_is_found(sound: Records) -> None:
    records = copy.deepcopy(sound)
    records.decisions.pop(3)
    assert any(one.startswith("lost: no decision") for one in find_violations("CH", records))


def test_a_doubled_decision_is_found(sound: Records) -> None:
    records = copy.deepcopy(sound)
    records.decisions.append(records.decisions[3])
    assert any(one.startswith("doubled: more decisions") for one in find_violations("CH", records))


def test_a_lost_notice_is_found(sound: Records) -> None:
    records = copy.deepcopy(sound)
    records.received["NL"].pop()
    assert [one.split(" ")[0] for one in find_violations("CH", records)] == ["lost:"]


def test_a_doubled_notice_is_found(sound: Records) -> None:
    records = copy.deepcopy(sound)
    records.received["NL"].append(records.received["NL"][0])
    assert [one.split(" ")[0] for one in find_violations("CH", records)] == ["doubled:"]


def test_a_leaked_notice_is_found(sound: Records) -> None:
    records = copy.deepcopy(sound)
    records.received["US"].append(records.received["NL"][0])
    assert [one.split(" ")[0] for one in find_violations("CH", records)] == ["leaked:"]


def test_a_missing_draft_is_found(sound: Records) -> None:
    records = copy.deepcopy(sound)
    records.drafts.pop()
    assert any(one.startswith("draft and decision disagree") for one in find_violations("CH", records))
