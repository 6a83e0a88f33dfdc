"""Tests of the checker, in memory: it finds a lost, a duplicated or a leaked notice, and other violations."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import pytest

from processors.exactly_once.batch import OutputRecord
from processors.gate.gate import Gate
from sharing.audit.block import SCHEMA
from sharing.ids import make_quarantine_id
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.vocabulary import AuditLogName
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DECISIONS, DRAFTS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT, TopicKind
from tests.faults.checker import (
    REPEATED_MAX,
    Breach,
    Violation,
    count_outcomes,
    find_handling_violations,
    find_skipped_markers,
    find_unreported,
    find_violations,
)
from tests.faults.records import CommittedRecord, DeletedLog, TopicContents, add_deleted_logs, is_offer, unpack_entries
from tests.faults.schedule import STATES
from tests.faults.workload import MARKER, make_item, make_poison
from tests.support.audit_entries import make_block

SEED = 5
COUNT = 160


class _Message:
    def __init__(self, offset: int, key: bytes, value: bytes) -> None:
        self._offset, self._key, self._value = offset, key, value

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def topic(self) -> str:
        return INDICATORS.topic("CH")

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 1


@pytest.fixture(scope="module")
def valid() -> TopicContents:
    """The outputs of a gate for Swiss items of every kind and for invalid records."""
    return process(make_item(SEED, "CH", number) for number in range(COUNT))


def process(items: Iterable[Indicator]) -> TopicContents:
    """Return items, invalid records, and what a gate makes of them."""
    law = find_law("CH")
    directory = Directory({record.state: record for record in parse_entries(*sample_directory())})
    loaded = [(indicator.id.encode(), get_codec("indicator").encode(indicator.to_record()), "") for indicator in items]
    loaded += [(*record, cause) for cause, record in make_poison("CH", "mk" + 20 * "0")]
    messages = [_Message(offset, key, value) for offset, (key, value, _) in enumerate(loaded)]
    now_ms = int(time.time() * 1000)
    outputs = Gate(law.pack, law.treaties).process_batch(messages, directory, now_ms).output_records
    indicators = [
        CommittedRecord(0, offset, now_ms, key, value, {} if cause else get_codec("indicator").decode(value), cause)
        for offset, (key, value, cause) in enumerate(loaded)
    ]
    decisions, drafts, quarantined = (
        _select_records(outputs, kind, "CH", now_ms) for kind in (DECISIONS, DRAFTS, QUARANTINE)
    )
    states = ("DE", "NL", "US")
    notices, offers = (
        {state: _select_records(outputs, kind, state, now_ms) for state in states} for kind in (NOTICES, OFFERS)
    )
    urgent, urgent_offers = (
        {
            state: _select_records(
                [each for each in outputs if is_offer(each.value or b"") is offered], URGENT, state, now_ms, schema
            )
            for state in states
        }
        for offered, schema in ((False, "notice"), (True, "offer"))
    )
    return TopicContents(
        indicators, decisions, drafts, quarantined, notices, urgent, offers, urgent_offers=urgent_offers
    )


@pytest.fixture
def contents(valid: TopicContents) -> TopicContents:
    """A copy that the test may corrupt."""
    return copy.deepcopy(valid)


def _select_records(
    outputs: Sequence[OutputRecord], kind: TopicKind, state: str, at_ms: int, schema: str = ""
) -> list[CommittedRecord]:
    selected = [output for output in outputs if output.topic == kind.topic(state)]
    return [
        CommittedRecord(
            0,
            offset,
            at_ms,
            output.key or b"",
            output.value or b"",
            get_codec(schema or ("decision" if kind is DECISIONS else kind.schema)).decode(output.value),
        )
        for offset, output in enumerate(selected)
    ]


def list_breaches(violations: Sequence[Violation]) -> set[Breach]:
    return {violation.breach for violation in violations}


def test_valid_records_have_no_violation(valid: TopicContents) -> None:
    counts = count_outcomes(valid)
    assert min(counts[outcome] for outcome in ("DISCLOSE", "OFFER", "WITHHOLD", "QUARANTINED")) > 0
    assert valid.notices["NL"]
    assert valid.urgent["NL"]
    assert find_violations("CH", valid) == []


def swap(records: list[CommittedRecord]) -> None:
    records[0], records[1] = records[1], records[0]


def leak(contents: TopicContents) -> None:
    """Send a notice for one State to another State."""
    contents.notices["US"].append(contents.notices["NL"][0])


def leak_with_matching_address(contents: TopicContents) -> None:
    """Send a State a notice that is addressed to it, for an item that was withheld from it."""
    withheld = next(record for record in contents.decisions if not _discloses(record))
    victim = next(record for record in contents.indicators if record.data.get("id") == withheld.data["indicator_id"])
    model = contents.notices["NL"][0]
    data = {**model.data, "indicator_id": victim.data["id"], "id": "forged"}
    contents.notices["NL"].append(model._replace(data=data, raw=model.raw + victim.raw))


def leak_content_in_an_offer(contents: TopicContents) -> None:
    """Put content into an otherwise correct offer."""
    offer = contents.offers["DE"][0]
    victim = next(record for record in contents.indicators if record.data.get("id") == offer.data["indicator_id"])
    contents.offers["DE"][0] = offer._replace(raw=offer.raw + victim.raw)


def leak_in_a_header(contents: TopicContents) -> None:
    """Put the value of a withheld item into a header, which the operator can read."""
    withheld = next(record for record in contents.decisions if not _discloses(record))
    victim = next(record for record in contents.indicators if record.data.get("id") == withheld.data["indicator_id"])
    contents.notices["NL"][0] = contents.notices["NL"][0]._replace(headers=victim.raw)


def hide_content_in_another_notice(contents: TopicContents) -> None:
    """Add the content of a withheld item to an otherwise correct notice."""
    withheld = next(record for record in contents.decisions if not _discloses(record))
    victim = next(record for record in contents.indicators if record.data.get("id") == withheld.data["indicator_id"])
    notice = contents.notices["NL"][0]
    contents.notices["NL"][0] = notice._replace(raw=notice.raw + victim.raw)


def _discloses(decision: CommittedRecord) -> bool:
    return any(recipient["outcome"] == "DISCLOSE" for recipient in decision.data["recipients"])


def decide_poison(contents: TopicContents) -> None:
    """Replace the quarantine of an invalid record by a decision."""
    contents.quarantined.pop()
    contents.decisions.append(
        contents.decisions[0]._replace(data={**contents.decisions[0].data, "indicator_id": "bad"})
    )


def decide_under_a_wrong_clock(contents: TopicContents) -> None:
    """Date a decision a day before the broker received it."""
    decision = contents.decisions[3]
    early = decision.data["decided_at"] - timedelta(days=1)
    contents.decisions[3] = decision._replace(data={**decision.data, "decided_at": early})


def disclose_an_older_version_again(contents: TopicContents) -> None:
    """Decide on the first version of a corrected item as before, when it is published once more."""
    corrected = {record.data["indicator_id"] for record in contents.decisions if record.data["version"] == 2}
    first = next(
        record for record in contents.decisions if record.data["indicator_id"] in corrected and _discloses(record)
    )
    cause = next(record for record in contents.indicators if get_item(record) == (first.data["indicator_id"], 1))
    contents.indicators.append(cause)
    for topic in (contents.decisions, contents.drafts, *contents.notices.values(), *contents.urgent.values()):
        topic += [
            record for record in topic if (record.data["indicator_id"], record.data["version"]) == (cause.data["id"], 1)
        ]


def quarantine_under_the_wrong_cause(contents: TopicContents) -> None:
    """Say of an unreadable record that it is empty."""
    record = next(record for record in contents.quarantined if record.data["cause"] == "OVERSIZED")
    position = contents.quarantined.index(record)
    contents.quarantined[position] = record._replace(data={**record.data, "cause": "EMPTY"})


@pytest.mark.parametrize(
    ("corrupt", "expected"),
    [
        (decide_under_a_wrong_clock, Breach.UNFOUNDED),
        (disclose_an_older_version_again, Breach.LEAKED),
        (quarantine_under_the_wrong_cause, Breach.UNFOUNDED),
        (lambda contents: contents.decisions.pop(3), Breach.LOST),
        (lambda contents: contents.decisions.append(contents.decisions[3]), Breach.DUPLICATED),
        (decide_poison, Breach.UNFOUNDED),
        (lambda contents: swap(contents.decisions), Breach.REORDERED),
        (lambda contents: contents.notices["NL"].pop(), Breach.LOST),
        (lambda contents: contents.urgent["NL"].pop(), Breach.LOST),
        (lambda contents: contents.notices["NL"].append(contents.notices["NL"][0]), Breach.DUPLICATED),
        (lambda contents: contents.urgent["NL"].append(contents.notices["NL"][0]), Breach.DUPLICATED),
        (lambda contents: swap(contents.notices["NL"]), Breach.REORDERED),
        (leak, Breach.LEAKED),
        (leak_with_matching_address, Breach.LEAKED),
        (leak_content_in_an_offer, Breach.LEAKED),
        (hide_content_in_another_notice, Breach.LEAKED),
        (leak_in_a_header, Breach.LEAKED),
        (lambda contents: contents.offers["DE"].pop(), Breach.LOST),
        (lambda contents: contents.offers["DE"].append(contents.offers["DE"][0]), Breach.DUPLICATED),
        (lambda contents: contents.offers["NL"].append(contents.offers["DE"][0]), Breach.LEAKED),
        (lambda contents: contents.drafts.pop(), Breach.LOST),
        (lambda contents: contents.drafts.append(contents.drafts[0]), Breach.UNFOUNDED),
        (lambda contents: contents.quarantined.pop(), Breach.LOST),
        (lambda contents: contents.quarantined.append(contents.quarantined[0]), Breach.DUPLICATED),
        (lambda contents: contents.indicators.pop(3), Breach.UNFOUNDED),
    ],
)
def test_each_corruption_is_found(
    corrupt: Callable[[TopicContents], object], expected: Breach, contents: TopicContents
) -> None:
    corrupt(contents)
    assert expected in list_breaches(find_violations("CH", contents))


# --- Agencies that share ids ---


@pytest.fixture
def shared() -> TopicContents:
    """The items of two agencies, whose ids are the same and whose outcomes are not, in turn."""
    twins = []
    for number in range(48):
        item, other = make_item(SEED, "CH", number), make_item(SEED + 1, "CH", number + 8)
        if item.version == 1 == other.version:
            source = other.source.model_copy(update={"agency": "another agency"})
            twins += [item, other.model_copy(update={"id": item.id, "source": source})]
    return process(twins)


def find_mixed(contents: TopicContents) -> tuple[CommittedRecord, CommittedRecord]:
    """Return two indicators with one id: one that is disclosed to NL, and one that nobody may see."""
    twins: dict[str, list[tuple[bool, CommittedRecord]]] = {}
    valid = [record for record in contents.indicators if not record.poison]
    for indicator, decision in zip(valid, contents.decisions, strict=True):
        assert indicator.data["id"] == decision.data["indicator_id"]
        twins.setdefault(decision.data["indicator_id"], []).append((_discloses(decision), indicator))
    pair = next(pair for pair in twins.values() if {discloses for discloses, _ in pair} == {True, False})
    return next(one for discloses, one in pair if discloses), next(one for discloses, one in pair if not discloses)


def test_items_of_two_agencies_with_one_id_are_told_apart(shared: TopicContents) -> None:
    find_mixed(shared)
    assert find_violations("CH", shared) == []


def test_decisions_in_one_block_are_told_apart(shared: TopicContents) -> None:
    """They share the offset of their block."""
    block = make_block("CH", AuditLogName.DECISIONS, [record.raw for record in shared.decisions])
    at_ms = shared.decisions[0].at_ms
    shared.decisions = unpack_entries([CommittedRecord(0, 0, at_ms, b"", block, get_codec(SCHEMA).decode(block))])
    assert len({record.place for record in shared.decisions}) == len(shared.decisions) > 1
    assert find_violations("CH", shared) == []


def test_a_leak_to_a_state_that_got_the_other_agency_s_item_is_found(shared: TopicContents) -> None:
    sent, secret = find_mixed(shared)
    notices = shared.notices["NL"]
    position = next(
        number for number, notice in enumerate(notices) if set(MARKER.findall(notice.raw)) & {*MARKER.findall(sent.raw)}
    )
    notices[position] = notices[position]._replace(raw=notices[position].raw + secret.raw)
    (violation,) = find_violations("CH", shared)
    assert violation.breach is Breach.LEAKED
    assert violation.description.startswith(f"content of ('{secret.data['source']['agency']}', ")


def test_a_later_version_of_another_agency_s_item_withholds_nothing() -> None:
    items = [make_item(SEED, "CH", number) for number in range(COUNT)]
    corrected = next(item for item in items if item.version == 2)
    first = next(item for item in items if item.id == corrected.id)
    other = next(item for item in items if item.id != first.id and item.urgency == "URGENT")
    source = other.source.model_copy(update={"agency": "another agency"})
    contents = process([first, corrected, other.model_copy(update={"id": first.id, "source": source})])
    assert _discloses(contents.decisions[2])
    assert find_violations("CH", contents) == []


def test_a_missing_accepted_indicator_is_found(valid: TopicContents) -> None:
    accepted = {(record.data["id"], record.data["version"]) for record in valid.indicators if not record.poison}
    assert find_violations("CH", valid, accepted) == []
    assert list_breaches(find_violations("CH", valid, accepted | {("gone", 1)})) == {Breach.LOST}


def delete_log(contents: TopicContents, next_offset: int) -> DeletedLog:
    """Let the indicators belong to a deleted topic, of which the gate says that it has processed it up to an offset."""
    accepted = frozenset(get_item(record) for record in contents.indicators if not record.poison)
    log = DeletedLog("old", contents.indicators, accepted)
    contents.indicators = []
    add_deleted_logs(contents, [log], {("old", 0): next_offset, ("other", 0): 1_000_000})
    return log


def get_item(record: CommittedRecord) -> tuple[str, int]:
    return str(record.data["id"]), int(record.data["version"])


def test_what_was_processed_of_a_deleted_topic_is_owed_and_the_rest_is_not(contents: TopicContents) -> None:
    end = len(contents.indicators)
    unread = contents.indicators[3]._replace(offset=end, data={**contents.indicators[3].data, "id": "unread"})
    contents.indicators.append(unread)
    log = delete_log(contents, end)
    assert contents.deleted == {("unread", 1)}
    assert find_violations("CH", contents, log.accepted) == []
    lost = contents.decisions.pop(3)
    assert list_breaches(find_violations("CH", contents, log.accepted)) >= {Breach.LOST}
    contents.decisions.insert(3, lost)
    contents.decisions.append(lost._replace(data={**lost.data, "indicator_id": "unread"}))
    assert Breach.UNFOUNDED in list_breaches(find_violations("CH", contents, log.accepted))


def test_an_indicator_that_is_confirmed_after_its_topic_was_deleted_is_owed(contents: TopicContents) -> None:
    log = delete_log(contents, len(contents.indicators))
    assert find_violations("CH", contents, log.accepted) == []
    assert list_breaches(find_violations("CH", contents, log.accepted | {("later", 1)})) == {Breach.LOST}


def test_invalid_records_at_the_same_offset_of_two_logs_are_quarantined_twice(contents: TopicContents) -> None:
    first = next(record for record in contents.indicators if record.poison)
    contents.indicators.append(first)
    assert Breach.LOST in list_breaches(find_violations("CH", contents))
    identity = make_quarantine_id(INDICATORS.topic("CH"), first.partition, first.offset)
    contents.quarantined += [record for record in contents.quarantined if record.data["id"] == identity]
    assert find_violations("CH", contents) == []
    contents.quarantined += [record for record in contents.quarantined if record.data["id"] == identity][:1]
    assert Breach.DUPLICATED in list_breaches(find_violations("CH", contents))


def test_an_unreadable_record_that_its_reader_does_not_report_is_found() -> None:
    messages = ["exchange.nl.notices/1@20: skipped", "exchange.nl.notices/1@2: skipped"]
    log = "exchange.nl.notices/1@20: skipped, not a readable notice: BAD_COMPRESSION"
    (violation,) = find_unreported(messages, log)
    assert violation.breach is Breach.LOST
    assert messages[1] in str(violation)


def test_notices_that_a_subscriber_did_not_handle_once_are_found(valid: TopicContents) -> None:
    once = Counter(str(record.data["id"]) for record in valid.list_notices("NL"))
    first = next(iter(once))
    assert find_handling_violations("NL", valid, once, 0) == []
    assert list_breaches(find_handling_violations("NL", valid, once - Counter([first]), 0)) == {Breach.LOST}
    assert list_breaches(find_handling_violations("NL", valid, once + Counter([first]), 0)) == {Breach.DUPLICATED}
    assert list_breaches(find_handling_violations("NL", valid, once + Counter(["else"]), 0)) == {Breach.UNFOUNDED}
    assert find_handling_violations("NL", valid, once + Counter({first: REPEATED_MAX}), 1) == []
    too_often = once + Counter({first: REPEATED_MAX + 1})
    assert list_breaches(find_handling_violations("NL", valid, too_often, 1)) == {Breach.DUPLICATED}


def test_a_republished_indicator_is_decided_again_and_its_notice_has_the_same_id(contents: TopicContents) -> None:
    """Two records with the same id are two causes: a loss without the second decision, and none with it."""
    known = contents.decisions[0]
    cause = next(record for record in contents.indicators if record.data.get("id") == known.data["indicator_id"])
    contents.indicators.append(cause._replace(offset=len(contents.indicators)))
    assert Breach.LOST in list_breaches(find_violations("CH", contents))
    identity = known.data["indicator_id"]
    for topic in (contents.decisions, contents.drafts, *contents.notices.values(), *contents.urgent.values()):
        same = [record for record in topic if record.data["indicator_id"] == identity]
        topic.extend(record._replace(offset=len(topic)) for record in same)
    assert find_violations("CH", contents) == []


def test_items_are_reproducible_and_their_markers_differ() -> None:
    for state in STATES:
        items = [make_item(SEED, state, number) for number in range(64)]
        assert items == [make_item(SEED, state, number) for number in range(64)]
        assert sum(item.version == 2 for item in items) == 8
        assert len({item.value for item in items}) == len({item.id for item in items}) == 56
        assert all(MARKER.fullmatch(item.source.case.encode()) for item in items if item.source.case)


def test_skipped_markers_are_counted_once_for_each_transaction() -> None:
    message = (
        "2026-11-25T21:06:54.944Z [TxnMarkerSenderThread-1] INFO kafka.coordinator - Couldn't find leader endpoint for "
        "partitions HashSet(national.de.drafts-3) while trying to send transaction markers for national.de.gate.0, so"
    )
    log = f"{message}\n2026-11-25T21:06:55Z [main] WARN of something else, national.nl.gate.0\n{message}\n"
    assert find_skipped_markers(log) == Counter(DE=1)
