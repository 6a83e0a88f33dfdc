"""An older version of an item never undoes a newer one, and one version has one content."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import DEFAULT_LIMITS, Batch, OutputLimits
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.state_store_backends import MemoryStore
from processors.gate.gate import BatchResult, Gate, is_conserved
from processors.gate.input_records import InputRecords
from processors.gate.item_versions import ItemVersions
from sharing.columnar import decoding
from sharing.model.delivery_history import DeliveryHistory, Repetition
from sharing.model.notice import Notice
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from sharing.serialization.notice_decoder import decode_notice
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    LAW,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    Message,
    decode_output,
    indicator_form,
    make_message,
)

PARTITION = 3
CUSTOMS: dict[str, Any] = {"source": {**indicator_form()["source"], "agency": "Customs"}}
FIRST = make_message(1)
SECOND = make_message(1, action="SUPERSEDE", version=2)
THIRD = make_message(1, action="SUPERSEDE", version=3)
WITHDRAWAL = make_message(1, action="WITHDRAW", version=3, reason="mistaken")
OTHERS = [make_message(number) for number in range(10, 14)]


@pytest.fixture(autouse=True)
def _columnar_decoding_of_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BULK_MIN", 2)


class Worker:
    """A gate with a state store in memory."""

    def __init__(self, columnar_min: int, *, stateful: bool = True) -> None:
        self.gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
        self.overlay = Overlay({PARTITION: MemoryStore()}) if stateful else None

    def process(self, *messages: Message, limits: OutputLimits = DEFAULT_LIMITS) -> BatchResult:
        """Return the result of a batch after all earlier ones."""
        if self.overlay is not None:
            self.overlay = Overlay(self.overlay._stores, self.overlay)
            self.overlay.changes |= {number: dict(changes) for number, changes in self.overlay._previous.items()}
        records = InputRecords.read(messages)
        versions = ItemVersions(records, self.overlay)
        result = BatchResult.join(self.gate.process_parts(records, DIRECTORY, NOW_MS, versions, limits))
        assert is_conserved(messages, result)
        return result


@pytest.fixture(params=[1, NEVER_COLUMNAR], ids=["columnar", "record by record"])
def worker(request: pytest.FixtureRequest) -> Worker:
    return Worker(request.param)


def list_topics(result: BatchResult) -> list[str]:
    return sorted(output.topic for output in result.output_records)


def get_rules(result: BatchResult) -> list[str]:
    """Return the rules of the only decision of an item with one recipient."""
    (decision,) = (decode_output(output) for output in result.output_records if output.topic.endswith("decisions"))
    (recipient,) = decision["recipients"]
    return [rule["citation"] for rule in recipient["rules"]]


def test_a_withdrawn_item_does_not_come_back(worker: Worker) -> None:
    assert worker.process(FIRST).outcomes == Counter([Outcome.DISCLOSE])
    worker.process(WITHDRAWAL)
    for late in (FIRST, SECOND):
        result = worker.process(late)
        assert result.outcomes == Counter([Outcome.WITHHOLD])
        assert list_topics(result) == ["national.ch.decisions"]  # no notice, no offer, no draft
        assert get_rules(result)[0] == "Rule of the bus (withdrawn by version 3)"


def test_an_older_version_is_superseded(worker: Worker) -> None:
    worker.process(THIRD)
    for late in (make_message(1, **OFFERED), SECOND):
        result = worker.process(late)
        assert result.outcomes == Counter([Outcome.WITHHOLD])
        assert list_topics(result) == ["national.ch.decisions"]
    assert get_rules(result)[0] == "Rule of the bus (superseded by version 3)"


def test_a_newer_version_than_the_withdrawal_is_decided_by_the_law_alone(worker: Worker) -> None:
    worker.process(WITHDRAWAL)
    assert worker.process(make_message(1, action="SUPERSEDE", version=4)).outcomes == Counter([Outcome.DISCLOSE])
    assert get_rules(worker.process(THIRD))[0] == "Rule of the bus (superseded by version 4)"


def test_the_same_version_again_is_decided_again(worker: Worker) -> None:
    for item in (SECOND, WITHDRAWAL):
        first, again = worker.process(item), worker.process(item)
        assert again.output_records == first.output_records
        assert again.outcomes == first.outcomes


@pytest.mark.parametrize("batches", [1, 2])
def test_the_same_version_with_other_content_is_quarantined(worker: Worker, batches: int) -> None:
    other = make_message(1, action="SUPERSEDE", version=2, summary="another summary")
    if batches == 2:
        worker.process(SECOND)
        result = worker.process(other)
    else:
        result = worker.process(SECOND, other)
        assert result.outcomes == Counter([Outcome.DISCLOSE])
    assert result.quarantined == Counter(["CONTENT_CONFLICT"])
    (quarantine,) = (decode_output(each) for each in result.output_records if each.topic.endswith("quarantine"))
    assert (quarantine["stage"], quarantine["indicator_id"]) == ("CHECK", indicator_form()["id"])
    assert quarantine["message"].startswith("version 2 of this item was processed before with different content")
    assert worker.process(SECOND).outcomes == Counter([Outcome.DISCLOSE])  # the refused one changes nothing


def test_within_a_batch_a_first_version_has_one_content_too(worker: Worker) -> None:
    other = make_message(1, summary="another summary")
    result = worker.process(OTHERS[0], FIRST, OTHERS[1], other, FIRST)
    assert (result.outcomes, result.quarantined) == (
        Counter({Outcome.DISCLOSE: 4}), Counter(["CONTENT_CONFLICT"]),
    )  # fmt: skip
    assert [record.offset for record in result.rejections] == [other.offset()]


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_the_order_within_a_batch_counts(columnar_min: int) -> None:
    """Also on a loop without a state store."""
    for stateful in (True, False):
        worker = Worker(columnar_min, stateful=stateful)
        result = worker.process(FIRST, OTHERS[0], WITHDRAWAL, SECOND, OTHERS[1], FIRST)
        assert result.deliveries == Counter({Outcome.DISCLOSE: 3, Outcome.WITHHOLD: 3})
        topics = list_topics(result)
        assert (topics.count("exchange.us.notices"), topics.count("national.ch.drafts")) == (3, 4)


def test_the_parts_of_a_batch_share_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.agents.gate_agent.DECISION_CHUNK_RECORDS", 2)
    batch = [FIRST, OTHERS[0], make_message(1, summary="other"), OTHERS[1], WITHDRAWAL, OTHERS[2], SECOND]
    for columnar_min in (1, NEVER_COLUMNAR):
        result = BatchResult()
        gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
        list(decide_batch(gate, Batch(batch, NOW_MS, {}), DIRECTORY, result))
        assert result.outcomes == Counter({Outcome.DISCLOSE: 4, Outcome.WITHHOLD: 2})
        assert result.quarantined == Counter(["CONTENT_CONFLICT"])


def test_an_agency_neither_withdraws_nor_contradicts_the_item_of_another_one(worker: Worker) -> None:
    """Two agencies that import the same MISP event give their items the same id."""
    worker.process(WITHDRAWAL)
    assert worker.process(make_message(1, **CUSTOMS)).outcomes == Counter([Outcome.DISCLOSE])
    late = make_message(1, action="SUPERSEDE", version=3, **CUSTOMS)
    assert worker.process(late).outcomes == Counter([Outcome.DISCLOSE])
    assert worker.process(make_message(1, **CUSTOMS)).outcomes == Counter([Outcome.WITHHOLD])
    assert worker.process(FIRST).outcomes == Counter([Outcome.WITHHOLD])
    both = worker.process(make_message(2), make_message(2, **CUSTOMS))
    assert both.outcomes == Counter({Outcome.DISCLOSE: 2})
    notices = [decode_output(each)["id"] for each in both.output_records if each.topic == "exchange.us.notices"]
    assert len(set(notices)) == 2


def test_a_subscriber_tells_the_items_of_agencies_apart(worker: Worker) -> None:
    """Version 1 of an agency's item is not older than version 2 of the item that another agency has with its id."""
    history = DeliveryHistory(100)
    notices = [read_notice(worker.process(message)) for message in (SECOND, make_message(1, **CUSTOMS), THIRD)]
    for notice in notices:
        assert history.compare(notice, b"") is Repetition.NONE
        history.note_delivered(notice, b"")
    second, customs, third = notices
    assert second.indicator_id == customs.indicator_id == third.indicator_id
    assert second.item_id == third.item_id != customs.item_id
    history.take_back()
    assert history.compare(second, b"") is Repetition.OLDER


def read_notice(result: BatchResult) -> Notice:
    """Return the only notice of a result, as its recipient reads it."""
    (notice,) = (output for output in result.output_records if output.topic.endswith((".notices", ".urgent")))
    return decode_notice(notice.value or b"", notice.topic.split(".")[1].upper())


def test_an_invalid_record_is_no_version(worker: Worker) -> None:
    broken = replace(WITHDRAWAL, data=(WITHDRAWAL.data or b"")[:-1])
    assert worker.process(broken).quarantined == Counter(["MALFORMED"])
    assert worker.process(FIRST).outcomes == Counter([Outcome.DISCLOSE])


def test_a_withdrawal_counts_even_if_its_outputs_cannot_be_written(worker: Worker) -> None:
    limits = OutputLimits({"decisions": 20})
    assert worker.process(WITHDRAWAL, limits=limits).quarantined == Counter(["OUTPUT_OVERSIZED"])
    assert worker.process(FIRST).outcomes == Counter([Outcome.WITHHOLD])


def test_only_later_versions_are_stored(worker: Worker) -> None:
    """So the state store of a gate stays small, and holds no words."""
    worker.process(*OTHERS, FIRST)
    assert worker.overlay is not None
    assert worker.overlay.changes == {}
    worker.process(make_message(2, action="SUPERSEDE", version=2), WITHDRAWAL)
    changes = worker.overlay.changes[PARTITION]
    assert set(changes) == {indicator_form(number)["id"].encode() for number in (1, 2)}
    entry = get_codec("gate_state").decode(changes[indicator_form(1)["id"].encode()])
    (version,) = entry["item"]
    assert (version["version"], version["withdrawn"], entry["log"]) == (3, True, None)
    assert (len(version["content_digest"]), len(version["agency_digest"])) == (16, 16)


def test_later_versions_in_order_stay_on_the_columnar_path(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(1)
    monkeypatch.setattr(worker.gate._reader.decoder, "decode_one", lambda _: pytest.fail("was decoded alone"))
    worker.process(*OTHERS, FIRST)
    worker.process(make_message(2), SECOND)
    assert worker.process(THIRD, *OTHERS).outcomes.total() == 5
    assert worker.process(THIRD, *OTHERS).outcomes.total() == 5  # again
