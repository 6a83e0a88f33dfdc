"""Checks from the topics alone that nothing was lost, duplicated, leaked, unfounded or reordered.

The unit is a record on the topic of indicators: each has one decision or one quarantine record. An indicator that its
publisher sent again is another record with the same id. It has another decision, and its notice is another record with
the same notice id, which the subscriber drops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from sharing.ids import make_quarantine_id
from sharing.topology.topics import INDICATORS
from tests.faults.contents import CommittedRecord, TopicContents
from tests.faults.item_agencies import ItemAgencies, ItemVersion, get_item
from tests.faults.output_checker import find_output_violations, find_widest_outcome
from tests.faults.violations import Breach, Violation, compare, compare_order
from tests.faults.workload import MARKER

CLOCK_TOLERANCE_S = 600.0
"""More than a gate tolerates, and less than by which the campaign sets a clock back."""


def find_violations(
    provider: str, contents: TopicContents, accepted: AbstractSet[ItemVersion] = frozenset()
) -> list[Violation]:
    """Return the violations of all guarantees of a gate that sends everything itself: one without keys.

    Args:
        provider: The providing State.
        contents: The records on its topics, and those that other States received.
        accepted: The indicators that the broker confirmed to the publisher.
    """
    return [
        *find_gate_violations(provider, contents, accepted),
        *find_output_violations(provider, contents),
    ]


def find_gate_violations(
    provider: str, contents: TopicContents, accepted: AbstractSet[ItemVersion] = frozenset()
) -> list[Violation]:
    """Return the violations of the guarantees of every gate: of what it decides, and of what anyone may read.

    Args:
        provider: The providing State.
        contents: As for `find_violations`.
        accepted: As for `find_violations`.
    """
    return [
        *_check_accepted(accepted, contents),
        *_check_decisions(contents),
        *_check_times(contents),
        *_check_versions(contents),
        *_check_quarantine(provider, contents),
        *_check_clear(provider, contents),
        *_check_conservation(contents),
        *(Violation(Breach.BROKEN, f"log of decisions: {place}") for place in contents.broken_blocks),
    ]


def count_outcomes(contents: TopicContents) -> Counter[str]:
    """Return the number of records with each outcome, and of quarantined records."""
    counts = Counter(find_widest_outcome(record) for record in contents.decisions)
    counts["QUARANTINED"] = len(contents.quarantined)
    return counts


def _check_accepted(accepted: AbstractSet[ItemVersion], contents: TopicContents) -> Iterator[Violation]:
    present = {get_item(record) for record in contents.indicators if not record.poison}
    for item in accepted - contents.deleted - present:
        yield Violation(Breach.LOST, f"{item} was confirmed to its publisher and is missing")


def _check_decisions(contents: TopicContents) -> Iterator[Violation]:
    """Check that each partition has the decisions on its records, in the same order."""
    valid = [record for record in contents.indicators if not record.poison]
    known = {get_item(record) for record in valid}

    def classify_surplus(record: CommittedRecord) -> Breach:
        return Breach.DUPLICATED if get_item(record) in known else Breach.UNFOUNDED

    yield from compare("decision", valid, contents.decisions, get_item, classify_surplus)
    yield from compare_order("decision", valid, contents.decisions, get_item)


def _check_times(contents: TopicContents) -> Iterator[Violation]:
    """Check that no decision was made under a wrong clock. Brokers stamp it a moment later."""
    for record in contents.decisions:
        difference_s = abs(record.at_ms / 1_000 - record.data["decided_at"].timestamp())
        if difference_s > CLOCK_TOLERANCE_S:
            yield Violation(
                Breach.UNFOUNDED,
                f"decision on {get_item(record)}: its clock differs from the broker's by {difference_s:.0f} s",
                record.at_ms,
            )


def _check_versions(contents: TopicContents) -> Iterator[Violation]:
    """Check that a version that was processed after a later one of its item is withheld from every State."""
    agencies = ItemAgencies(contents)
    last: Counter[tuple[str, str]] = Counter()
    for record in contents.decisions:
        identity, version = get_item(record)
        item = agencies.find_by_decision(record), identity
        if version < last[item] and find_widest_outcome(record) != "WITHHOLD":
            yield Violation(Breach.LEAKED, f"{(identity, version)} came back after a later version", record.at_ms)
        last[item] = max(version, last[item])


def _check_quarantine(provider: str, contents: TopicContents) -> Iterator[Violation]:
    topic = INDICATORS.topic(provider)
    # Records of a deleted topic and of its successor may have the same id.
    expected: dict[str, list[CommittedRecord]] = {}
    for record in contents.indicators:
        if record.poison:
            expected.setdefault(make_quarantine_id(topic, record.partition, record.offset), []).append(record)
    counts = Counter(str(record.data["id"]) for record in contents.quarantined)
    for identity, records in expected.items():
        if counts[identity] < len(records):
            position = f"{records[0].partition}@{records[0].offset}"
            yield Violation(
                Breach.LOST,
                f"invalid record {position} ({records[0].poison}) was not quarantined",
                records[0].at_ms,
            )
    for record in contents.quarantined:
        identity, cause = str(record.data["id"]), record.data["cause"]
        position = f"{record.data['partition']}@{record.data['offset']}"
        if identity not in expected:
            yield Violation(Breach.UNFOUNDED, f"valid record {position} was quarantined ({cause})", record.at_ms)
        elif cause not in {invalid.poison for invalid in expected[identity]}:
            yield Violation(Breach.UNFOUNDED, f"{position} was quarantined with the wrong cause {cause}", record.at_ms)
        elif counts[identity] > len(expected[identity]):
            yield Violation(Breach.DUPLICATED, f"{position} was quarantined more than once", record.at_ms)
        if MARKER.search(str(record.data["message"]).encode() + record.unsealed):
            yield Violation(Breach.LEAKED, f"the quarantine of {position} contains content", record.at_ms)


def _check_clear(provider: str, contents: TopicContents) -> Iterator[Violation]:
    """Check that no decision, no offer and no header has a marker."""
    sent = [record for state in contents.offers for record in contents.list_offers(state)]
    sent += [record._replace(raw=b"") for state in contents.notices for record in contents.list_notices(state)]
    sent_by_provider = [record for record in sent if record.data["from_state"] == provider]
    for record in sent_by_provider + contents.decisions:
        if MARKER.search(record.raw + record.unsealed):
            yield Violation(Breach.LEAKED, f"content of {get_item(record)[0]} is readable by anyone", record.at_ms)


def _check_conservation(contents: TopicContents) -> Iterator[Violation]:
    received, accounted = len(contents.indicators), count_outcomes(contents).total()
    if received != accounted:
        breach = Breach.LOST if received > accounted else Breach.DUPLICATED
        yield Violation(breach, f"conservation: {received} records were received, {accounted} are accounted for")
