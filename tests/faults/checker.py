"""Checks, from the topics alone, that nothing was lost, doubled, leaked, unfounded or out of order.

A record on the topic of indicators is what counts: each is decided once or quarantined once. An indicator that its
publisher sent again is another record with the same id; it has another decision, and its notice another record with
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

from sharing.ids import notice_id, offer_id, quarantine_id
from sharing.topology.topics import INDICATORS
from tests.faults.records import Entry, Records
from tests.faults.workload import MARKER

_SKIPPED = re.compile(
    r"^(?P<at>\S+) .*Couldn't find leader endpoint .* transaction markers for national\.(?P<state>\w+)\.gate\.",
    re.MULTILINE,
)


class Breach(StrEnum):
    """What kind of promise is broken."""

    LOST = "lost"
    DOUBLED = "doubled"
    LEAKED = "leaked"
    UNFOUNDED = "unfounded"
    DISORDERED = "disordered"


class Violation(NamedTuple):
    """One broken promise; `at_ms` is the time stamp of a record that shows it, 0 where there is none."""

    breach: Breach
    what: str
    at_ms: int = 0

    def __str__(self) -> str:
        return f"{self.breach}: {self.what}"


Item = tuple[str, int]
"""An indicator's id and version."""

OUTCOMES = ("DISCLOSE", "OFFER", "HOLD", "WITHHOLD")


def find_violations(provider: str, records: Records, accepted: AbstractSet[Item] = frozenset()) -> list[Violation]:
    """Return one violation for each thing that is not as promised.

    Args:
        provider: The providing State.
        records: What stands on its topics, and what came to the others.
        accepted: What the broker confirmed to the publisher.
    """
    return [
        *_check_accepted(accepted, records),
        *_check_decisions(records),
        *_check_quarantine(provider, records),
        *_check_outputs(provider, records),
        *_check_envelopes(provider, records),
        *_check_content(provider, records),
        *_check_conservation(records),
    ]


def find_handling_violations(state: str, records: Records, handled: Counter[str], again: int) -> list[Violation]:
    """Return what a subscriber did not handle once.

    Args:
        state: Whose subscriber it is.
        records: With what came to the State, from every provider.
        handled: How often it handled each notice id.
        again: How often its process began anew. What it handled last may then come again, as may a notice of which
            there is another record with the same id.
    """
    came = Counter(str(entry.data["id"]) for entry in records.received(state))
    spare = handled - Counter(dict.fromkeys(came, 1))
    twice = sum(count for identity, count in spare.items() if identity in came)
    allowed = 2 * again + sum(count - 1 for count in came.values())  # a notice of each of the two topics
    found = [Violation(Breach.LOST, f"{identity} not handled by {state}") for identity in came if not handled[identity]]
    found += [
        Violation(Breach.UNFOUNDED, f"{state} handled {identity}, which is not there")
        for identity in handled
        if identity not in came
    ]
    if twice > allowed:
        found.append(
            Violation(Breach.DOUBLED, f"{state} handled {twice} notices again, having begun anew {again} times")
        )
    return found


def find_skipped_markers(log: str) -> Counter[str]:
    """Return of how many transactions of each State's gate a broker's log says that markers were left out.

    Kafka 4.4.0 does so where a partition has no leader at the moment, as while its only broker starts: it takes the
    partition for deleted. What was to be aborted there is shown with the producer's next commit; what was to be
    committed is not shown, or is done again.
    """
    return Counter(state.upper() for _, state in {(match["at"], match["state"]) for match in _SKIPPED.finditer(log)})


def count_outcomes(records: Records) -> Counter[str]:
    """Return how many records became what: each outcome, and quarantined."""
    counts = Counter(outcome_of(entry) for entry in records.decisions)
    counts["QUARANTINED"] = len(records.quarantined)
    return counts


def outcome_of(decision: Entry) -> str:
    """Return the most open outcome that a decision has for any State."""
    outcomes = {one["outcome"] for one in decision.data["recipients"]}
    return next((outcome for outcome in OUTCOMES if outcome in outcomes), "WITHHOLD")


def _item(entry: Entry) -> Item:
    data = entry.data
    return str(data.get("indicator_id") or data["id"]), int(data["version"])


def _check_accepted(accepted: AbstractSet[Item], records: Records) -> Iterator[Violation]:
    there = {_item(entry) for entry in records.indicators if not entry.poison}
    for item in accepted - there:
        yield Violation(Breach.LOST, f"{item} was confirmed to its publisher and is not there")


def _check_decisions(records: Records) -> Iterator[Violation]:
    """Each partition has the decisions on its records, in their order."""
    sound = [entry for entry in records.indicators if not entry.poison]
    known = {_item(entry) for entry in sound}

    def blame(entry: Entry) -> Breach:
        return Breach.DOUBLED if _item(entry) in known else Breach.UNFOUNDED

    yield from _compare("decision", sound, records.decisions, _item, blame)
    yield from _compare_order("decision", sound, records.decisions, _item)


def _check_quarantine(provider: str, records: Records) -> Iterator[Violation]:
    topic = INDICATORS.topic(provider)
    expected = {
        quarantine_id(topic, entry.partition, entry.offset): entry for entry in records.indicators if entry.poison
    }
    found = Counter(str(entry.data["id"]) for entry in records.quarantined)
    for identity, entry in expected.items():
        if identity not in found:
            yield Violation(Breach.LOST, f"bad record {entry.partition}@{entry.offset} not quarantined", entry.at_ms)
    for entry in records.quarantined:
        identity, cause = str(entry.data["id"]), entry.data["cause"]
        where = f"{entry.data['partition']}@{entry.data['offset']}"
        if identity not in expected:
            yield Violation(Breach.UNFOUNDED, f"{where} quarantined, a sound record ({cause})", entry.at_ms)
        elif cause != expected[identity].poison:
            yield Violation(Breach.UNFOUNDED, f"{where} quarantined for {cause}, wrongly", entry.at_ms)
        elif found[identity] > 1:
            yield Violation(Breach.DOUBLED, f"{where} quarantined more than once", entry.at_ms)
        if MARKER.search(str(entry.data["message"]).encode() + entry.open):
            yield Violation(Breach.LEAKED, f"the quarantine of {where} tells content", entry.at_ms)


def _check_outputs(provider: str, records: Records) -> Iterator[Violation]:
    """What the decisions announce is there: as many, in their order; and nothing else."""
    # Of a later version there is a draft whatever the outcome: what was sent before has to be set right.
    opened = [entry for entry in records.decisions if outcome_of(entry) != "WITHHOLD" or entry.data["version"] > 1]
    yield from _compare("draft", opened, records.drafts, _item, lambda _: Breach.UNFOUNDED)
    yield from _compare_order("draft", opened, records.drafts, _item)
    for state in records.notices:
        name = partial(_name, notice_id, provider, state)
        yield from _check_sent(
            f"notice to {state}", provider, state, "DISCLOSE", records.decisions,
            [records.notices[state], records.urgent[state]], name,
        )  # fmt: skip
    for state, offers in records.offers.items():
        name = partial(_name, offer_id, provider, state)
        yield from _check_sent(f"offer to {state}", provider, state, "OFFER", records.decisions, [offers], name)


def _check_sent(
    what: str,
    provider: str,
    state: str,
    outcome: str,
    decisions: Sequence[Entry],
    topics: Sequence[Sequence[Entry]],
    name: Callable[[Entry], object],
) -> Iterator[Violation]:
    """Compare what was sent to a State, over all topics, with what the decisions announce."""
    announced = [entry for entry in decisions if _outcome_for(entry, state) == outcome]
    known = {name(entry) for entry in announced}
    own = [[entry for entry in topic if entry.data["from_state"] == provider] for topic in topics]

    def blame(entry: Entry) -> Breach:
        return Breach.DOUBLED if name(entry) in known else Breach.LEAKED

    yield from _compare(what, announced, chain(*own), name, blame)
    for topic in own:
        there = {name(entry) for entry in topic}
        yield from _compare_order(what, [entry for entry in announced if name(entry) in there], topic, name)


def _name(make: Callable[[str, str, int, str], str], provider: str, state: str, entry: Entry) -> str:
    """Return the id that something sent bears, or that a decision announces."""
    return str(entry.data.get("id") or make(provider, *_item(entry), state))


def _outcome_for(decision: Entry, state: str) -> str:
    return next((one["outcome"] for one in decision.data["recipients"] if one["state"] == state), "WITHHOLD")


def _check_envelopes(provider: str, records: Records) -> Iterator[Violation]:
    """What came to a State is addressed to it, and its id is that of its cause."""
    notices = {state: records.received(state) for state in records.notices}
    for make, came in ((notice_id, notices), (offer_id, records.offers)):
        for state, entries in came.items():
            for entry in entries:
                data = entry.data
                if data["to_state"] != state:
                    yield Violation(Breach.LEAKED, f"{data['id']} for {data['to_state']} came to {state}", entry.at_ms)
                elif data["from_state"] == provider and data["id"] != make(provider, *_item(entry), state):
                    yield Violation(
                        Breach.UNFOUNDED, f"{data['id']} to {state} is not the id of its cause", entry.at_ms
                    )


def _check_content(provider: str, records: Records) -> Iterator[Violation]:
    """No marker comes to a State to which its item was not disclosed, and none stands in the minutes or in an offer."""
    owners = {
        mark: entry.data["id"] for entry in records.indicators if not entry.poison for mark in MARKER.findall(entry.raw)
    }
    poisoned = {mark for entry in records.indicators if entry.poison for mark in MARKER.findall(entry.raw)}
    disclosed = {
        (str(entry.data["indicator_id"]), one["state"])
        for entry in records.decisions
        for one in entry.data["recipients"]
        if one["outcome"] == "DISCLOSE"
    }
    for state in records.notices:
        for entry in records.received(state):
            for mark in set(MARKER.findall(entry.raw + entry.open)):
                if mark in poisoned or (mark in owners and (owners[mark], state) not in disclosed):
                    yield Violation(Breach.LEAKED, f"content of {owners.get(mark)} came to {state}", entry.at_ms)
    sent = [entry for entries in records.offers.values() for entry in entries]
    sent += [entry._replace(raw=b"") for state in records.notices for entry in records.received(state)]
    own = [entry for entry in sent if entry.data["from_state"] == provider]
    for entry in own + records.decisions:
        if MARKER.search(entry.raw + entry.open):
            yield Violation(Breach.LEAKED, f"content of {_item(entry)[0]} stands where anyone reads it", entry.at_ms)


def _check_conservation(records: Records) -> Iterator[Violation]:
    taken, given = len(records.indicators), count_outcomes(records).total()
    if taken != given:
        breach = Breach.LOST if taken > given else Breach.DOUBLED
        yield Violation(breach, f"conservation: {taken} came in, {given} are accounted for")


def _compare(
    what: str,
    causes: Sequence[Entry],
    effects: Iterable[Entry],
    name: Callable[[Entry], object],
    blame: Callable[[Entry], Breach],
) -> Iterator[Violation]:
    """Compare how often something was to come with how often it came."""
    came = list(effects)
    wanted, found = Counter(map(name, causes)), Counter(map(name, came))
    for cause in {name(entry): entry for entry in causes if wanted[name(entry)] > found[name(entry)]}.values():
        yield Violation(Breach.LOST, f"no {what} on {_item(cause)}", cause.at_ms)
    for effect in {name(entry): entry for entry in came if found[name(entry)] > wanted[name(entry)]}.values():
        yield Violation(blame(effect), f"{what} on {_item(effect)}", effect.at_ms)


def _compare_order(
    what: str, causes: Sequence[Entry], effects: Sequence[Entry], name: Callable[[Entry], object]
) -> Iterator[Violation]:
    """Compare the order in each partition, where the same came at all: what did not is told already."""
    wanted, came = _by_partition(causes), _by_partition(effects)
    for partition in wanted.keys() | came.keys():
        first, second = wanted.get(partition, []), came.get(partition, [])
        if Counter(map(name, first)) != Counter(map(name, second)):
            if Counter(map(name, causes)) == Counter(map(name, effects)):
                yield Violation(Breach.DISORDERED, f"{what}: partition {partition} has what belongs to another")
            continue
        for cause, effect in zip(first, second, strict=True):
            if name(cause) != name(effect):
                yield Violation(Breach.DISORDERED, f"{what} on {_item(effect)}: another order", effect.at_ms)
                break


def _by_partition(entries: Iterable[Entry]) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.partition, []).append(entry)
    return found
