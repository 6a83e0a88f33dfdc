"""Tests of the checker, in memory: it finds a lost, a duplicated or a leaked notice, and other violations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from sharing.audit.block import SCHEMA
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from tests.faults.audit_blocks import unpack_entries
from tests.faults.checker import count_outcomes, find_violations
from tests.faults.contents import CommittedRecord, TopicContents
from tests.faults.gate_outputs import COUNT, SEED, list_breaches, process
from tests.faults.item_agencies import get_item
from tests.faults.schedule import STATES
from tests.faults.violations import Breach
from tests.faults.workload import MARKER, make_item
from tests.support.audit_entries import make_block


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
