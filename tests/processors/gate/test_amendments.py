"""What the gate makes of amendments, and of corrections, where a conversation sends what follows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from processors.gate.batch_result import BatchResult
from processors.gate.input_records import AmendmentSource, InputRecords
from sharing.columnar import decoding
from sharing.ids import make_draft_key, make_item_id
from sharing.model.vocabulary import AmendmentKind, Outcome
from sharing.seal.faults import SealError, SealFault
from sharing.serialization.codec import get_codec
from tests.processors.gate.amendment_fixtures import (
    AMENDMENTS_TOPIC,
    ASKING_LAW,
    PARTITION,
    SOURCE,
    ConversingWorker,
    amend_message,
    withdraw_message,
)
from tests.processors.gate.gate_fixtures import (
    MARKER,
    NEVER_COLUMNAR,
    OFFERED,
    WITHHELD,
    Message,
    decode_by_topic,
    decode_output,
    indicator_form,
    make_message,
)

FIRST = make_message(1)
SECOND = make_message(1, action="SUPERSEDE", version=2)
OTHERS = [make_message(number) for number in range(10, 14)]
NATIONAL = {"national.ch.decisions", "national.ch.drafts"}
ITEM_ID = make_item_id("CH", "Police", indicator_form()["id"])


@pytest.fixture(autouse=True)
def _columnar_decoding_of_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BULK_MIN", 2)


@pytest.fixture(params=[1, NEVER_COLUMNAR], ids=["columnar", "record by record"])
def worker(request: pytest.FixtureRequest) -> ConversingWorker:
    return ConversingWorker(request.param)


def get_rule(result: BatchResult) -> str:
    """Return the first rule of the only decision."""
    (decision,) = decode_by_topic(result)["national.ch.decisions"]
    return str(decision["recipients"][0]["rules"][0]["citation"])


def get_cause(result: BatchResult) -> str:
    """Return the cause of the only quarantine record, which is the only output."""
    (quarantine,) = (decode_output(output) for output in result.output_records)
    assert quarantine["topic"] == AMENDMENTS_TOPIC
    return str(quarantine["cause"])


def test_an_amendment_is_decided_like_an_item_and_sends_nothing(worker: ConversingWorker) -> None:
    worker.process(FIRST, *OTHERS)
    amendment = amend_message(1, summary="corrected")
    result = worker.process(amendment)
    outputs = decode_by_topic(result)
    assert outputs.keys() == NATIONAL
    assert result.outcomes == Counter([Outcome.DISCLOSE])
    (decision,), (draft,) = outputs["national.ch.decisions"], outputs["national.ch.drafts"]
    assert (decision["version"], decision["amendment"]) == (1, 1)
    assert [each["outcome"] for each in decision["recipients"]] == ["DISCLOSE"]
    assert (draft["version"], draft["amendment"], draft["is_corrected"], draft["officer"]) == (1, 1, True, "o-1")
    assert get_codec("indicator").decode(draft["content"])["summary"] == "corrected"
    (key,) = (output.key for output in result.output_records if output.topic == "national.ch.drafts")
    assert key == make_draft_key(ITEM_ID, 1, 1) != make_draft_key(ITEM_ID, 1)


def test_an_amendment_that_is_withheld_has_a_draft(worker: ConversingWorker) -> None:
    """States may have what it amends: the conversation recalls it."""
    worker.process(FIRST)
    result = worker.process(amend_message(1, kind=AmendmentKind.FACTS, is_corrected=False, **WITHHELD))
    (draft,) = decode_by_topic(result)["national.ch.drafts"]
    assert (result.outcomes, draft["recipients"], draft["is_corrected"]) == (Counter([Outcome.WITHHOLD]), [], False)


@pytest.mark.parametrize("changes", [{}, OFFERED])
def test_what_an_agency_corrects_or_withdraws_is_sent_by_the_conversation(
    worker: ConversingWorker, changes: dict[str, Any]
) -> None:
    sent = decode_by_topic(worker.process(make_message(1, **changes), *OTHERS)).keys() - NATIONAL
    assert sent
    for later in ({"action": "SUPERSEDE"}, {"action": "WITHDRAW", "version": 3, "reason": "r"}):
        result = worker.process(make_message(1, **{"version": 2, **changes, **later}))
        assert decode_by_topic(result).keys() == NATIONAL
        assert result.published == {}  # nothing left, so there is no latency


def test_a_higher_version_of_the_agency_wins(worker: ConversingWorker) -> None:
    worker.process(SECOND)
    result = worker.process(amend_message(1, summary="late"))
    assert decode_by_topic(result).keys() == {"national.ch.decisions"}
    assert result.outcomes == Counter([Outcome.WITHHOLD])
    assert get_rule(result) == "Rule of the bus (superseded by version 2)"
    assert worker.process(SECOND).outcomes == Counter([Outcome.DISCLOSE])


def test_a_lower_amendment_and_the_version_itself_are_superseded(worker: ConversingWorker) -> None:
    worker.process(FIRST)
    worker.process(amend_message(2, summary="second"))
    for late in (amend_message(1, summary="first"), FIRST):
        result = worker.process(late, OTHERS[0])
        assert result.outcomes == Counter({Outcome.WITHHOLD: 1, Outcome.DISCLOSE: 1})
    assert get_rule(worker.process(FIRST)) == "Rule of the bus (superseded by amendment 2 of version 1)"
    assert worker.process(SECOND).outcomes == Counter([Outcome.DISCLOSE])


def test_a_withdrawal_by_an_officer_withdraws_the_item_until_its_agency_publishes_again(
    worker: ConversingWorker,
) -> None:
    worker.process(FIRST)
    outputs = decode_by_topic(worker.process(withdraw_message(1)))
    assert outputs.keys() == NATIONAL
    assert [draft["action"] for draft in outputs["national.ch.drafts"]] == ["WITHDRAW"]
    assert get_rule(worker.process(FIRST)) == "Rule of the bus (withdrawn by amendment 1 of version 1)"
    assert get_cause(worker.process(amend_message(2, summary="back"))) == "AMENDMENT_ITEM_WITHDRAWN"
    assert get_cause(worker.process(withdraw_message(2))) == "AMENDMENT_ITEM_WITHDRAWN"
    assert worker.process(SECOND).outcomes == Counter([Outcome.DISCLOSE])


def test_an_amendment_that_comes_again_is_decided_again_and_never_with_other_content(worker: ConversingWorker) -> None:
    worker.process(FIRST)
    amendment = amend_message(1, summary="one")
    first, again = worker.process(amendment), worker.process(amendment)
    assert again.output_records == first.output_records
    for other in (amend_message(1, summary="two"), amend_message(1, summary="one", is_corrected=False)):
        assert get_cause(worker.process(other)) == "CONTENT_CONFLICT"


def test_the_order_within_a_batch_counts(worker: ConversingWorker) -> None:
    result = worker.process(FIRST, OTHERS[0], amend_message(1, summary="a"), OTHERS[1], FIRST, withdraw_message(2))
    assert result.outcomes == Counter({Outcome.DISCLOSE: 4, Outcome.WITHHOLD: 2})
    drafts = [decode_output(each) for each in result.output_records if each.topic == "national.ch.drafts"]
    assert [(each["amendment"], each["action"]) for each in drafts] == [
        (0, "PUBLISH"), (0, "PUBLISH"), (1, "PUBLISH"), (0, "PUBLISH"), (2, "WITHDRAW"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amendment", "cause"),
    [
        (amend_message(1, wrapper={"indicator_id": indicator_form(2)["id"]}), "AMENDMENT_MISMATCH"),
        (amend_message(1, wrapper={"agency": "Customs"}), "AMENDMENT_MISMATCH"),
        (amend_message(1, wrapper={"version": 2}), "AMENDMENT_MISMATCH"),
        (amend_message(0), "AMENDMENT_MISMATCH"),
        (amend_message(-1), "AMENDMENT_MISMATCH"),
        (amend_message(1, wrapper={"kind": "WITHDRAWAL"}), "AMENDMENT_MISMATCH"),
        (withdraw_message(1, wrapper={"kind": "FACTS"}), "AMENDMENT_MISMATCH"),
        (amend_message(1, version=2), "AMENDMENT_UNKNOWN_VERSION"),
        (amend_message(1, number=2, version=7), "AMENDMENT_UNKNOWN_VERSION"),
        (replace(amend_message(1), record_key=indicator_form(2)["id"].encode()), "FIELD_ID"),
        (amend_message(1, wrapper={"content": b"no item"}), "NOT_AVRO"),
        (amend_message(1, wrapper={"content": get_codec("decision").header}), "UNKNOWN_SCHEMA"),
        (replace(amend_message(1), data=None), "EMPTY"),
        (replace(amend_message(1), data=FIRST.data), "UNKNOWN_SCHEMA"),
    ],
)
def test_an_amendment_that_does_not_agree_is_quarantined(
    worker: ConversingWorker, amendment: Message, cause: str
) -> None:
    worker.process(FIRST)
    result = worker.process(amendment)
    assert get_cause(result) == cause
    assert worker.process(FIRST).outcomes == Counter([Outcome.DISCLOSE])  # it is no revision of its item


def test_an_invalid_item_in_an_amendment_is_quarantined_without_its_content(worker: ConversingWorker) -> None:
    record = get_codec("indicator").decode(FIRST.data)
    invalid = {**record, "type": MARKER}
    amendment = amend_message(1, wrapper={"content": get_codec("indicator").encode(invalid)})
    result = worker.process(amendment)
    (quarantine,) = (decode_output(output) for output in result.output_records)
    assert (quarantine["cause"], quarantine["indicator_id"]) == ("FIELD_TYPE", record["id"])
    assert MARKER not in quarantine["message"]


def test_an_item_of_another_state_is_quarantined(worker: ConversingWorker) -> None:
    record = get_codec("indicator").decode(FIRST.data)
    record["source"]["state"] = "DE"
    amendment = amend_message(1, wrapper={"content": get_codec("indicator").encode(record)})
    assert get_cause(worker.process(amendment)) == "FIELD_SOURCE_STATE"


def test_what_does_not_open_is_quarantined_as_it_was_received(worker: ConversingWorker) -> None:
    def refuse(value: bytes, key: bytes) -> bytes:
        raise SealError(SealFault.NOT_OPENED, "it was altered")

    amendment = amend_message(1)
    result = worker.process(FIRST, amendment, OTHERS[0], source=AmendmentSource(AMENDMENTS_TOPIC, refuse))
    assert result.outcomes == Counter({Outcome.DISCLOSE: 2})
    (quarantine,) = decode_by_topic(result)["national.ch.quarantine"]
    assert (quarantine["stage"], quarantine["cause"], quarantine["record"]) == ("OPEN", "NOT_OPENED", amendment.data)


def test_agencies_write_to_their_own_topics_and_not_to_that_of_amendments() -> None:
    """The topics of agencies are checked by agency; that of amendments belongs to the gate's principal alone."""
    topics = {"national.ch.indicators.police": "Police"}
    worker = ConversingWorker(1, agency_by_topic=topics)
    first = replace(FIRST, topic_name="national.ch.indicators.police")
    assert worker.process(first).outcomes == Counter([Outcome.DISCLOSE])
    assert worker.process(amend_message(1)).outcomes == Counter([Outcome.DISCLOSE])
    elsewhere = replace(amend_message(2), topic_name="national.ch.indicators.police")
    assert worker.process(elsewhere).quarantined == Counter(["UNKNOWN_SCHEMA"])


def test_an_amended_first_version_is_stored(worker: ConversingWorker) -> None:
    worker.process(FIRST)
    assert worker.changes == {}
    worker.process(amend_message(4))
    (entry,) = worker.changes[PARTITION].values()
    (version,) = get_codec("gate_state").decode(entry)["item"]
    assert (version["version"], version["amendment"], version["withdrawn"]) == (1, 4, False)


def test_the_parts_of_a_batch_keep_their_amendments() -> None:
    records = InputRecords.read([*OTHERS, amend_message(1), FIRST, amend_message(2)], amendment_source=SOURCE)
    assert sorted(records.amendments) == [4, 6]
    part = records.slice(3, 6)
    assert part.amendments == {1: amend_message(1).data}
    assert part.values[1] is None


def test_people_are_asked_where_only_facts_are_missing() -> None:
    worker = ConversingWorker(NEVER_COLUMNAR, ASKING_LAW)
    (draft,) = decode_by_topic(worker.process(make_message(1, form="UNKNOWN")))["national.ch.drafts"]
    assert [(each["state"], each["outcome"]) for each in draft["recipients"]] == [("US", "WITHHOLD")]
    supplied = decode_by_topic(worker.process(amend_message(1, kind=AmendmentKind.FACTS, is_corrected=False)))
    (draft,) = supplied["national.ch.drafts"]
    assert [(each["state"], each["outcome"]) for each in draft["recipients"]] == [("US", "DISCLOSE")]
    assert supplied.keys() == NATIONAL


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"form": "UNKNOWN"}, {"agencies_not_asked": ("Police",)}),
        ({"form": "UNKNOWN"}, {"has_conversation": False}),
        ({"form": "EVIDENCE"}, {}),  # no answer opens it: it is not urgent
        ({"form": "EVIDENCE", "urgency": None}, {}),  # without a reason it cannot be an emergency
        ({"form": "UNKNOWN", "nexus": []}, {}),  # nobody to whom it could go
    ],
)
def test_nobody_is_asked_in_vain_or_against_the_will_of_the_agency(
    changes: dict[str, Any], options: dict[str, Any]
) -> None:
    for columnar_min in (1, NEVER_COLUMNAR):
        worker = ConversingWorker(columnar_min, ASKING_LAW, **options)
        result = worker.process(make_message(1, **changes), make_message(2, **changes))
        assert decode_by_topic(result).keys() == {"national.ch.decisions"}
