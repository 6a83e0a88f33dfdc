"""The versions of items, with amendments, compared with a naive reading of everything that was accepted before."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from processors.exactly_once.overlay import Overlay
from processors.exactly_once.state_store_backends import MemoryStore
from processors.gate.input_records import InputRecords
from processors.gate.item_versions import ItemVersions
from processors.gate.record_digests import NO_KEY, RecordDigester
from processors.gate.rejection import AmendmentError
from tests.processors.gate.gate_fixtures import HYPOTHESIS_SETTINGS, Message

PARTITION = 0


class Arrival(NamedTuple):
    """A record of an item, as far as versions matter."""

    key: bytes
    agency: str
    version: int
    amendment: int
    withdraws: bool
    content: bytes

    @property
    def revision(self) -> tuple[int, int]:
        return self.version, self.amendment


ARRIVALS = st.builds(
    Arrival,
    st.sampled_from([b"one", b"two"]),
    st.sampled_from(["Police", "Customs"]),
    st.integers(1, 3),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([b"a", b"b"]),
)


class Oracle:
    """Keeps everything that was accepted, and which of it came in earlier batches."""

    def __init__(self) -> None:
        self.accepted: list[tuple[int, Arrival]] = []

    def judge(self, arrival: Arrival, batch: int) -> str:
        """Return what becomes of a record: the name of its standing, or the cause of its refusal."""
        known = [
            each
            for number, each in self.accepted
            if (each.key, each.agency) == (arrival.key, arrival.agency)
            # The gate stores nothing of an item that has only a first version.
            and (number == batch or each.revision > (1, 0))
        ]
        newest = max((each.version for each in known), default=1)
        if arrival.amendment:
            if arrival.version > newest:
                return "UNKNOWN_VERSION"
            last = max(known, key=lambda each: each.revision, default=None)
            is_before = last is not None and last.revision < arrival.revision
            if is_before and last is not None and last.withdraws and last.version == arrival.version:
                return "ITEM_WITHDRAWN"
        if any(each.revision > arrival.revision for each in known):
            return "OUTDATED"
        same = [each for each in known if each.revision == arrival.revision]
        if same:
            return "REPEATED" if same[0].content == arrival.content else "CONFLICTING"
        self.accepted.append((batch, arrival))
        return "LATEST"


@HYPOTHESIS_SETTINGS
@given(st.lists(st.lists(ARRIVALS, min_size=1, max_size=8), max_size=6))
def test_revisions_are_judged_as_by_reading_the_whole_past(batches: list[list[Arrival]]) -> None:
    oracle, store = Oracle(), MemoryStore()
    for number, batch in enumerate(batches):
        overlay = Overlay({PARTITION: store})
        messages = [Message(b"", each.key, offset, PARTITION) for offset, each in enumerate(batch)]
        key_id = str(number // 2) if number else NO_KEY  # the State's wrapping key is rotated, and old ones are kept
        versions = ItemVersions(InputRecords.read(messages), overlay, RecordDigester(key_id, make_key))
        for arrival in batch:
            assert judge(versions, arrival) == oracle.judge(arrival, number)
        store.apply_changes(overlay.changes.get(PARTITION, {}).items(), None)  # type: ignore[arg-type]


def make_key(key_id: str) -> SecretBytes:
    return SecretBytes(key_id.encode() * 32)


def judge(versions: ItemVersions, arrival: Arrival) -> str:
    """Return what becomes of a record, as the record path asks."""
    key, version = arrival.key, arrival.version
    if not arrival.amendment and not versions.needs_check(key, version):
        return "LATEST"
    action = "WITHDRAW" if arrival.withdraws else "PUBLISH"
    item = versions.describe(arrival.agency, version, action, arrival.content, arrival.amendment)
    if arrival.amendment:
        try:
            versions.check_amendment(item, versions.find_last(PARTITION, key, item.agency_digest))
        except AmendmentError as error:
            return error.cause
    return versions.record_version(PARTITION, key, item, arrival.content).name
