"""Checks what a gate that sends everything itself, one without keys, has sent: what its decisions require."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain

from sharing.ids import make_first_offer_id, make_item_id, make_notice_id
from tests.faults.contents import CommittedRecord, TopicContents
from tests.faults.item_agencies import ItemAgencies, get_agency, get_item
from tests.faults.violations import Breach, Violation, compare, compare_order
from tests.faults.workload import MARKER

OUTCOMES = ("DISCLOSE", "OFFER", "HOLD", "WITHHOLD")


def find_output_violations(provider: str, contents: TopicContents) -> list[Violation]:
    """Return the drafts, notices and offers that are missing, too many, wrong, or in the wrong order.

    Args:
        provider: The providing State.
        contents: The records on its topics, and those that other States received.
    """
    return [
        *_check_outputs(provider, contents),
        *_check_envelopes(provider, contents),
        *_check_disclosed(contents),
    ]


def find_widest_outcome(decision: CommittedRecord) -> str:
    """Return the least restrictive outcome of a decision for any State."""
    outcomes = {recipient["outcome"] for recipient in decision.data["recipients"]}
    return next((outcome for outcome in OUTCOMES if outcome in outcomes), "WITHHOLD")


def _check_outputs(provider: str, contents: TopicContents) -> Iterator[Violation]:
    """Check that the outputs are those that the decisions require: in number and in order."""
    # A later version has a draft whatever the outcome, because an earlier notice has to be corrected.
    with_draft = [
        record
        for record in contents.decisions
        if find_widest_outcome(record) != "WITHHOLD" or record.data["version"] > 1
    ]
    yield from compare("draft", with_draft, contents.drafts, get_item, lambda _: Breach.UNFOUNDED)
    yield from compare_order("draft", with_draft, contents.drafts, get_item)
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

    yield from compare(what, required, chain(*sent), get_id, classify_surplus)
    for topic in sent:
        present = {get_id(record) for record in topic}
        yield from compare_order(what, [record for record in required if get_id(record) in present], topic, get_id)


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
