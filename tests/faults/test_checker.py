"""The checker itself, in memory: it finds an injected loss, a doubled notice, a leaked one, and what else is wrong."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from processors.exactly_once.batch import OutputRecord
from processors.gate.gate import Gate
from sharing.kafka.directory_topic import read_entries
from sharing.model.directory import Directory
from sharing.packs.library import find_law
from sharing.serialization.codec import codec_of
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DECISIONS, DRAFTS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT, TopicKind
from tests.faults.checker import (
    Breach,
    Violation,
    count_outcomes,
    find_handling_violations,
    find_skipped_markers,
    find_violations,
)
from tests.faults.records import Entry, Records
from tests.faults.schedule import STATES
from tests.faults.workload import MARKER, item, poison

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
def sound() -> Records:
    """What a gate makes of Swiss items of every kind, and of bad records."""
    law = find_law("CH")
    directory = Directory({entry.state: entry for entry in read_entries(*sample_directory())}, 6)
    items = [item(SEED, "CH", number) for number in range(COUNT)]
    loaded = [(each.id.encode(), codec_of("indicator").encode(each.to_wire()), "") for each in items]
    loaded += [(*record, cause) for cause, record in poison("CH", "mk" + 20 * "0")]
    messages = [_Message(offset, key, value) for offset, (key, value, _) in enumerate(loaded)]
    now_ms = int(time.time() * 1000)
    outputs = Gate(law.pack, law.treaties).process(messages, directory, now_ms).outputs
    indicators = [
        Entry(0, offset, now_ms, key, value, {} if cause else codec_of("indicator").decode(value), cause)
        for offset, (key, value, cause) in enumerate(loaded)
    ]
    decisions, drafts, quarantined = (_on(outputs, kind, "CH") for kind in (DECISIONS, DRAFTS, QUARANTINE))
    came = ({state: _on(outputs, kind, state) for state in ("DE", "NL", "US")} for kind in (NOTICES, URGENT, OFFERS))
    return Records(indicators, decisions, drafts, quarantined, *came)


@pytest.fixture
def records(sound: Records) -> Records:
    """A copy to be spoilt."""
    return copy.deepcopy(sound)


def _on(outputs: Sequence[OutputRecord], kind: TopicKind, state: str) -> list[Entry]:
    found = [output for output in outputs if output.topic == kind.topic(state)]
    return [
        Entry(0, offset, 1, output.key or b"", output.value or b"", codec_of(kind.schema).decode(output.value))
        for offset, output in enumerate(found)
    ]


def breaches(found: Sequence[Violation]) -> set[Breach]:
    return {violation.breach for violation in found}


def test_sound_records_have_no_violation(sound: Records) -> None:
    counts = count_outcomes(sound)
    assert min(counts[outcome] for outcome in ("DISCLOSE", "OFFER", "WITHHOLD", "QUARANTINED")) > 0
    assert sound.notices["NL"]
    assert sound.urgent["NL"]
    assert find_violations("CH", sound) == []


def swap(entries: list[Entry]) -> None:
    entries[0], entries[1] = entries[1], entries[0]


def leak(records: Records) -> None:
    """Send a State what was for another."""
    records.notices["US"].append(records.notices["NL"][0])


def leak_under_its_own_name(records: Records) -> None:
    """Send a State a notice that is addressed to it, of an item that was withheld from it."""
    withheld = next(entry for entry in records.decisions if not _discloses(entry))
    victim = next(entry for entry in records.indicators if entry.data.get("id") == withheld.data["indicator_id"])
    model = records.notices["NL"][0]
    data = {**model.data, "indicator_id": victim.data["id"], "id": "forged"}
    records.notices["NL"].append(model._replace(data=data, raw=model.raw + victim.raw))


def leak_content_in_an_offer(records: Records) -> None:
    """An offer that is right but for what it tells."""
    offer = records.offers["DE"][0]
    victim = next(entry for entry in records.indicators if entry.data.get("id") == offer.data["indicator_id"])
    records.offers["DE"][0] = offer._replace(raw=offer.raw + victim.raw)


def tell_in_a_header(records: Records) -> None:
    """Put the value of a withheld item where the operator reads it."""
    withheld = next(entry for entry in records.decisions if not _discloses(entry))
    victim = next(entry for entry in records.indicators if entry.data.get("id") == withheld.data["indicator_id"])
    records.notices["NL"][0] = records.notices["NL"][0]._replace(headers=victim.raw)


def hide_content_in_another_notice(records: Records) -> None:
    """A notice that is right but for the content of a withheld item beside its own."""
    withheld = next(entry for entry in records.decisions if not _discloses(entry))
    victim = next(entry for entry in records.indicators if entry.data.get("id") == withheld.data["indicator_id"])
    notice = records.notices["NL"][0]
    records.notices["NL"][0] = notice._replace(raw=notice.raw + victim.raw)


def _discloses(decision: Entry) -> bool:
    return any(one["outcome"] == "DISCLOSE" for one in decision.data["recipients"])


def decide_poison(records: Records) -> None:
    """Take a bad record for a sound one."""
    records.quarantined.pop()
    records.decisions.append(records.decisions[0]._replace(data={**records.decisions[0].data, "indicator_id": "bad"}))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda records: records.decisions.pop(3), Breach.LOST),
        (lambda records: records.decisions.append(records.decisions[3]), Breach.DOUBLED),
        (decide_poison, Breach.UNFOUNDED),
        (lambda records: swap(records.decisions), Breach.DISORDERED),
        (lambda records: records.notices["NL"].pop(), Breach.LOST),
        (lambda records: records.urgent["NL"].pop(), Breach.LOST),
        (lambda records: records.notices["NL"].append(records.notices["NL"][0]), Breach.DOUBLED),
        (lambda records: records.urgent["NL"].append(records.notices["NL"][0]), Breach.DOUBLED),
        (lambda records: swap(records.notices["NL"]), Breach.DISORDERED),
        (leak, Breach.LEAKED),
        (leak_under_its_own_name, Breach.LEAKED),
        (leak_content_in_an_offer, Breach.LEAKED),
        (hide_content_in_another_notice, Breach.LEAKED),
        (tell_in_a_header, Breach.LEAKED),
        (lambda records: records.offers["DE"].pop(), Breach.LOST),
        (lambda records: records.offers["DE"].append(records.offers["DE"][0]), Breach.DOUBLED),
        (lambda records: records.offers["NL"].append(records.offers["DE"][0]), Breach.LEAKED),
        (lambda records: records.drafts.pop(), Breach.LOST),
        (lambda records: records.drafts.append(records.drafts[0]), Breach.UNFOUNDED),
        (lambda records: records.quarantined.pop(), Breach.LOST),
        (lambda records: records.quarantined.append(records.quarantined[0]), Breach.DOUBLED),
        (lambda records: records.indicators.pop(3), Breach.UNFOUNDED),
    ],
)
def test_what_is_wrong_is_found(spoil: Callable[[Records], object], expected: Breach, records: Records) -> None:
    spoil(records)
    assert expected in breaches(find_violations("CH", records))


def test_an_accepted_indicator_that_is_not_there_is_found(sound: Records) -> None:
    accepted = {(entry.data["id"], entry.data["version"]) for entry in sound.indicators if not entry.poison}
    assert find_violations("CH", sound, accepted) == []
    assert breaches(find_violations("CH", sound, accepted | {("gone", 1)})) == {Breach.LOST}


def test_what_a_subscriber_did_not_handle_once_is_found(sound: Records) -> None:
    once = Counter(str(entry.data["id"]) for entry in sound.received("NL"))
    first, second, third = list(once)[:3]
    assert find_handling_violations("NL", sound, once, 0) == []
    assert breaches(find_handling_violations("NL", sound, once - Counter([first]), 0)) == {Breach.LOST}
    assert breaches(find_handling_violations("NL", sound, once + Counter([first]), 0)) == {Breach.DOUBLED}
    assert breaches(find_handling_violations("NL", sound, once + Counter(["else"]), 0)) == {Breach.UNFOUNDED}
    assert find_handling_violations("NL", sound, once + Counter([first, second]), 1) == []
    assert breaches(find_handling_violations("NL", sound, once + Counter([first, second, third]), 1)) == {
        Breach.DOUBLED
    }


def test_a_republished_indicator_is_decided_again_and_its_notice_has_the_same_id(records: Records) -> None:
    """Two records with one id are two causes: without the second decision there is a loss, with it there is none."""
    known = records.decisions[0]
    cause = next(entry for entry in records.indicators if entry.data.get("id") == known.data["indicator_id"])
    records.indicators.append(cause._replace(offset=len(records.indicators)))
    assert Breach.LOST in breaches(find_violations("CH", records))
    identity = known.data["indicator_id"]
    for topic in (records.decisions, records.drafts, *records.notices.values(), *records.urgent.values()):
        same = [entry for entry in topic if entry.data["indicator_id"] == identity]
        topic.extend(entry._replace(offset=len(topic)) for entry in same)
    assert find_violations("CH", records) == []


def test_items_are_the_same_each_time_and_their_markers_differ() -> None:
    for state in STATES:
        items = [item(SEED, state, number) for number in range(64)]
        assert items == [item(SEED, state, number) for number in range(64)]
        assert sum(each.version == 2 for each in items) == 8
        assert len({each.value for each in items}) == len({each.id for each in items}) == 56
        assert all(MARKER.fullmatch(each.source.case.encode()) for each in items if each.source.case)


def test_what_the_broker_says_of_markers_is_read_once_for_each_transaction() -> None:
    said = (
        "2026-11-25T21:06:54.944Z [TxnMarkerSenderThread-1] INFO kafka.coordinator - Couldn't find leader endpoint for "
        "partitions HashSet(national.de.drafts-3) while trying to send transaction markers for national.de.gate.0, so"
    )
    log = f"{said}\n2026-11-25T21:06:55Z [main] WARN of something else, national.nl.gate.0\n{said}\n"
    assert find_skipped_markers(log) == Counter(DE=1)
