"""Checks from the topics alone that nothing was lost, duplicated, leaked, unfounded or reordered.

The unit is a record on the topic of indicators: each has one decision or one quarantine record. An indicator that its
publisher sent again is another record with the same id. It has another decision, and its notice is another record with
the same notice id, which the subscriber drops.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from functools import partial
from itertools import chain
from typing import NamedTuple

from sharing.ids import make_first_offer_id, make_item_id, make_notice_id, make_quarantine_id
from sharing.topology.topics import INDICATORS
from tests.faults.item_agencies import ItemAgencies, ItemVersion, get_agency, get_item
from tests.faults.records import CommittedRecord, TopicContents
from tests.faults.workload import MARKER

REPEATED_MAX = 1
"""How many notices a restart may repeat: the one that was in the handler, since subscribers remember in a file."""

_SKIPPED = re.compile(
    r"^(?P<at>\S+) .*Couldn't find leader endpoint .* transaction markers for national\.(?P<state>\w+)\.gate\.",
    re.MULTILINE,
)


CLOCK_TOLERANCE_S = 600.0
"""More than a gate tolerates, and less than by which the campaign sets a clock back."""


class Breach(StrEnum):
    """A kind of violation."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    LEAKED = "leaked"
    UNFOUNDED = "unfounded"
    REORDERED = "reordered"
    BROKEN = "broken"


class Violation(NamedTuple):
    """A violated guarantee; `at_ms` is the timestamp of a record that shows it, or 0."""

    breach: Breach
    description: str
    at_ms: int = 0

    def __str__(self) -> str:
        return f"{self.breach}: {self.description}"


OUTCOMES = ("DISCLOSE", "OFFER", "HOLD", "WITHHOLD")


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
        *_check_outputs(provider, contents),
        *_check_envelopes(provider, contents),
        *_check_disclosed(contents),
    ]


def find_gate_violations(
    provider: str, contents: TopicContents, accepted: AbstractSet[ItemVersion] = frozenset()
) -> list[Violation]:
    """Return the violations of the guarantees of every gate: of what it decides, and of what anyone may read.

    Args:
        provider: The providing State.
        contents: As for `find_violations`.
        accepted: Likewise.
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


def find_handling_violations(
    state: str, contents: TopicContents, handled: Counter[str], restarts: int
) -> list[Violation]:
    """Return the notices that a subscriber did not handle exactly once.

    Args:
        state: State of the subscriber.
        contents: The records that the State received, from every provider.
        handled: How often the subscriber handled each notice id.
        restarts: How often the subscriber was restarted. After that, the last handled notices may come again, as may a
            notice whose id occurs in another record.
    """
    received = Counter(str(record.data["id"]) for record in contents.list_notices(state))
    repeated = handled - Counter(dict.fromkeys(received, 1))
    repeated_count = sum(count for identity, count in repeated.items() if identity in received)
    allowed = REPEATED_MAX * restarts + sum(count - 1 for count in received.values())
    violations = [
        Violation(Breach.LOST, f"{identity} was not handled by {state}")
        for identity in received
        if not handled[identity]
    ]
    violations += [
        Violation(Breach.UNFOUNDED, f"{state} handled {identity}, which it did not receive")
        for identity in handled
        if identity not in received
    ]
    if repeated_count > allowed:
        violations.append(
            Violation(Breach.DUPLICATED, f"{state} handled {repeated_count} notices again, with {restarts} restarts")
        )
    return violations


def find_unreported(messages: Iterable[str], log: str) -> list[Violation]:
    """Return the unreadable records that their reader left out without a word.

    Args:
        messages: The start of the message that each of them must cause.
        log: The log of the reader.
    """
    return [Violation(Breach.LOST, f"not in the reader's log: {message}") for message in messages if message not in log]


def find_skipped_markers(log: str) -> Counter[str]:
    """Return for each State's gate the number of transactions whose markers a broker left out, according to its log.

    Kafka 4.4.0 does this if a partition has no leader at the moment, for example while its only broker starts: it
    treats the partition as deleted. Records that were to be aborted there become visible with the producer's next
    commit; records that were to be committed stay invisible, or are processed again.
    """
    return Counter(state.upper() for _, state in {(match["at"], match["state"]) for match in _SKIPPED.finditer(log)})


def count_outcomes(contents: TopicContents) -> Counter[str]:
    """Return the number of records with each outcome, and of quarantined records."""
    counts = Counter(find_widest_outcome(record) for record in contents.decisions)
    counts["QUARANTINED"] = len(contents.quarantined)
    return counts


def find_widest_outcome(decision: CommittedRecord) -> str:
    """Return the least restrictive outcome of a decision for any State."""
    outcomes = {recipient["outcome"] for recipient in decision.data["recipients"]}
    return next((outcome for outcome in OUTCOMES if outcome in outcomes), "WITHHOLD")


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

    yield from _compare("decision", valid, contents.decisions, get_item, classify_surplus)
    yield from _compare_order("decision", valid, contents.decisions, get_item)


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


def _check_outputs(provider: str, contents: TopicContents) -> Iterator[Violation]:
    """Check that the outputs are those that the decisions require: in number and in order."""
    # A later version has a draft whatever the outcome, because an earlier notice has to be corrected.
    with_draft = [
        record
        for record in contents.decisions
        if find_widest_outcome(record) != "WITHHOLD" or record.data["version"] > 1
    ]
    yield from _compare("draft", with_draft, contents.drafts, get_item, lambda _: Breach.UNFOUNDED)
    yield from _compare_order("draft", with_draft, contents.drafts, get_item)
    agencies = ItemAgencies(contents)
    for state in contents.notices:
        get_id = partial(_get_output_id, make_notice_id, provider, agencies, state)
        yield from _check_sent(
            f"notice to {state}", provider, state, "DISCLOSE", contents.decisions,
            [contents.notices[state], contents.urgent[state]], get_id,
        )  # fmt: skip
    for state, offers in contents.offers.items():
        get_id = partial(_get_output_id, make_offer_id, provider, agencies, state)
        topics = [offers, contents.urgent_offers.get(state, [])]
        yield from _check_sent(f"offer to {state}", provider, state, "OFFER", contents.decisions, topics, get_id)


def make_offer_id(provider: str, agency: str, indicator_id: str, version: int, state: str) -> str:
    """Return the id of the gate's offer of a version."""
    return make_first_offer_id(make_item_id(provider, agency, indicator_id), version, state)


def _check_sent(
    what: str,
    provider: str,
    state: str,
    outcome: str,
    decisions: Sequence[CommittedRecord],
    topics: Sequence[Sequence[CommittedRecord]],
    get_id: Callable[[CommittedRecord], object],
) -> Iterator[Violation]:
    """Compare the records sent to a State, over all topics, with those that the decisions require."""
    required = [record for record in decisions if _get_outcome(record, state) == outcome]
    known = {get_id(record) for record in required}
    sent = [[record for record in topic if record.data["from_state"] == provider] for topic in topics]

    def classify_surplus(record: CommittedRecord) -> Breach:
        return Breach.DUPLICATED if get_id(record) in known else Breach.LEAKED

    yield from _compare(what, required, chain(*sent), get_id, classify_surplus)
    for topic in sent:
        present = {get_id(record) for record in topic}
        yield from _compare_order(what, [record for record in required if get_id(record) in present], topic, get_id)


def _get_output_id(
    make: Callable[[str, str, str, int, str], str],
    provider: str,
    agencies: ItemAgencies,
    state: str,
    record: CommittedRecord,
) -> str:
    """Return the id of an output, or the id that a decision requires for its output."""
    if "id" in record.data:
        return str(record.data["id"])
    return make(provider, agencies.find_by_decision(record), *get_item(record), state)


def _get_outcome(decision: CommittedRecord, state: str) -> str:
    return next((each["outcome"] for each in decision.data["recipients"] if each["state"] == state), "WITHHOLD")


def _check_envelopes(provider: str, contents: TopicContents) -> Iterator[Violation]:
    """Check that every record is addressed to the State that received it, and that its id follows from its cause."""
    agencies = ItemAgencies(contents)
    notices = {state: contents.list_notices(state) for state in contents.notices}
    offers = {state: contents.list_offers(state) for state in contents.offers}
    for make_id, received in ((make_notice_id, notices), (make_offer_id, offers)):
        for state, records in received.items():
            for record in records:
                data = record.data
                if data["to_state"] != state:
                    yield Violation(
                        Breach.LEAKED, f"{data['id']} for {data['to_state']} was sent to {state}", record.at_ms
                    )
                    continue
                item = get_item(record)
                expected = {make_id(provider, agency, *item, state) for agency in agencies.list_by_item(item)}
                if data["from_state"] == provider and data["id"] not in expected:
                    yield Violation(
                        Breach.UNFOUNDED,
                        f"{data['id']} to {state} has an id that does not follow from its cause",
                        record.at_ms,
                    )


def _check_disclosed(contents: TopicContents) -> Iterator[Violation]:
    """Check that markers reach only States to which their item was disclosed."""
    agencies = ItemAgencies(contents)
    owners = {
        marker: (get_agency(record), str(record.data["id"]))
        for record in contents.indicators
        if not record.poison
        for marker in MARKER.findall(record.raw)
    }
    poisoned = {marker for record in contents.indicators if record.poison for marker in MARKER.findall(record.raw)}
    disclosed = {
        (agencies.find_by_decision(record), str(record.data["indicator_id"]), recipient["state"])
        for record in contents.decisions
        for recipient in record.data["recipients"]
        if recipient["outcome"] == "DISCLOSE"
    }
    for state in contents.notices:
        for record in contents.list_notices(state):
            for marker in set(MARKER.findall(record.raw + record.unsealed)):
                if marker in poisoned or (marker in owners and (*owners[marker], state) not in disclosed):
                    yield Violation(Breach.LEAKED, f"content of {owners.get(marker)} was sent to {state}", record.at_ms)


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


def _compare(
    what: str,
    causes: Sequence[CommittedRecord],
    effects: Iterable[CommittedRecord],
    get_id: Callable[[CommittedRecord], object],
    classify_surplus: Callable[[CommittedRecord], Breach],
) -> Iterator[Violation]:
    """Compare the required number of outputs with the actual number, for each id."""
    present = list(effects)
    required, actual = Counter(map(get_id, causes)), Counter(map(get_id, present))
    for cause in {
        get_id(record): record for record in causes if required[get_id(record)] > actual[get_id(record)]
    }.values():
        yield Violation(Breach.LOST, f"no {what} on {get_item(cause)}", cause.at_ms)
    for effect in {
        get_id(record): record for record in present if actual[get_id(record)] > required[get_id(record)]
    }.values():
        yield Violation(classify_surplus(effect), f"{what} on {get_item(effect)}", effect.at_ms)


def _compare_order(
    what: str,
    causes: Sequence[CommittedRecord],
    effects: Sequence[CommittedRecord],
    get_id: Callable[[CommittedRecord], object],
) -> Iterator[Violation]:
    """Compare the order in each partition with the same outputs; `_compare` reports other differences."""
    required, actual = _group_by_partition(causes), _group_by_partition(effects)
    for partition in required.keys() | actual.keys():
        expected, found = required.get(partition, []), actual.get(partition, [])
        if Counter(map(get_id, expected)) != Counter(map(get_id, found)):
            if Counter(map(get_id, causes)) == Counter(map(get_id, effects)):
                yield Violation(Breach.REORDERED, f"{what}: partition {partition} has records of another partition")
            continue
        for cause, effect in zip(expected, found, strict=True):
            if get_id(cause) != get_id(effect):
                yield Violation(Breach.REORDERED, f"{what} on {get_item(effect)}: wrong order", effect.at_ms)
                break


def _group_by_partition(records: Iterable[CommittedRecord]) -> dict[int, list[CommittedRecord]]:
    groups: dict[int, list[CommittedRecord]] = {}
    for record in records:
        groups.setdefault(record.partition, []).append(record)
    return groups
