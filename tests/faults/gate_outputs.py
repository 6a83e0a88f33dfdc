"""What a gate makes of items and of invalid records, in memory, as a checker would read it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from processors.exactly_once.batch import OutputRecord
from processors.gate.gate import Gate
from sharing.kafka.directory_topic import parse_entries
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.testing.samples import sample_directory
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import DECISIONS, DRAFTS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT
from tests.faults.contents import CommittedRecord, TopicContents
from tests.faults.records import is_offer
from tests.faults.violations import Breach, Violation
from tests.faults.workload import make_poison

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
