"""The versions of items that the gate has processed: an older version never undoes a newer one.

The gate's state store has an entry for each item with a version above 1 or an amendment, which includes every withdrawn
item. Its key is the item's id, and it is on the partition that the item is read from. Nearly all records are a first
version whose id is neither in the store nor twice in the batch; for them `needs_check` is false, and each costs one
lookup.

A record is compared with the last version of the same item of the same agency. Agencies may share an id, because both
may import the same MISP event, but neither may supersede or withdraw the other's item; therefore an entry has a version
for each agency. Agencies are stored as digests: an entry is kept forever, and contains no text.

An older version is withheld from every State; the same version with different content is quarantined; the same version
with the same content is a repetition, and is decided like the first time. A newer version is decided by the law alone,
even after a withdrawal, and replaces the last version.

Officers amend a version (`sharing.disclosure.amended_item`). Its amendments come after it, in the order of their
numbers, and before the agency's next version. An amendment of a version that is not known, or of one that an amendment
has withdrawn, is refused: only the agency can publish again what was withdrawn, with a higher version.

A version counts as processed as soon as its record is known to be valid. If an error occurs later, while it is decided,
older versions are still withheld.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from processors.exactly_once.state_entries import decode_entry, encode_entry
from processors.gate.record_digests import NO_KEY, RecordDigester, compute_digest
from processors.gate.rejection import AmendmentError
from sharing.conversation.revision import Revision
from sharing.law.bus_rules import make_superseded_rule, make_withdrawn_rule
from sharing.serialization.codec import get_codec

if TYPE_CHECKING:
    from processors.exactly_once.overlay import Overlay
    from processors.gate.input_records import InputRecords
    from sharing.model.recipient_terms import RuleReference

NO_KEY_DIGESTER: Final = RecordDigester()
"""The digester of a gate without keys."""

FIRST_REVISION: Final = Revision(1)
"""The highest revision that an item without an entry can have."""


class Standing(Enum):
    """How a version of an item relates to the last one.

    Attributes:
        LATEST: It is newer, or the first.
        REPEATED: It is the last one again, with the same content.
        OUTDATED: It is older.
        CONFLICTING: It has the same number but different content.
    """

    LATEST = auto()
    REPEATED = auto()
    OUTDATED = auto()
    CONFLICTING = auto()


@dataclass(frozen=True, slots=True)
class ItemVersion:
    """One version of an item of one agency, or one amendment of it.

    Attributes:
        agency_digest: Digest of the agency's name.
        version: Number of the version.
        amendment: Number of the amendment of the version; 0 for what the agency published.
        withdrawn: Whether it withdraws the item.
        content_digest: Digest of the record.
        digest_key: Id of the key with which the digest was made.
    """

    agency_digest: bytes
    version: int
    amendment: int
    withdrawn: bool
    content_digest: bytes
    digest_key: str = NO_KEY

    @property
    def revision(self) -> Revision:
        """The version and the amendment of it."""
        return Revision(self.version, self.amendment)

    @property
    def rule(self) -> RuleReference:
        """The rule of the bus that withholds older versions."""
        return make_withdrawn_rule(*self.revision) if self.withdrawn else make_superseded_rule(*self.revision)


class ItemVersions:
    """The versions that one batch finds in the state store, and those that it adds.

    Args:
        records: All records of the batch.
        view: The batch's view of the state store; None if there is none. Then only versions within the batch count.
        digester: Computes the digests of records.

    Attributes:
        shared_keys: Keys that several records of the batch have. These records must be processed in order.
    """

    def __init__(self, records: InputRecords, view: Overlay | None, digester: RecordDigester = NO_KEY_DIGESTER) -> None:
        self._view = view
        self._digester = digester
        self._known: dict[tuple[int, bytes], dict[bytes, ItemVersion]] = {}
        keys_by_partition = records.group_keys()
        self.shared_keys: frozenset[bytes | None] = frozenset()
        if sum(map(len, keys_by_partition.values())) < len(records):
            self.shared_keys = frozenset(key for key, number in Counter(records.keys).items() if number > 1)
        self._stored_keys: set[bytes] = set()
        if view is not None:
            for partition, keys in keys_by_partition.items():
                self._stored_keys |= view.find_known_keys(partition, keys)

    def needs_check(self, key: bytes, version: int) -> bool:
        """Return whether a version may not be the first and only one of its item."""
        return version > 1 or key in self._stored_keys or key in self.shared_keys

    @property
    def are_all_new(self) -> bool:
        """Whether no key of the batch is in the store or twice in the batch."""
        return not self._stored_keys and not self.shared_keys

    def describe(self, agency: str, version: int, action: str, value: bytes, amendment: int = 0) -> ItemVersion:
        """Return the version of a record.

        Args:
            agency: Name of the agency that published it.
            version: Number of the version.
            action: The record's action.
            value: The record, or the amendment, in single-object encoding, with the current schema.
            amendment: Number of the amendment of the version; 0 for what the agency published.
        """
        content, key_id = self._digester.compute(value), self._digester.key_id
        return ItemVersion(compute_digest(agency.encode()), version, amendment, action == "WITHDRAW", content, key_id)

    def find_last(self, partition: int, key: bytes, agency_digest: bytes) -> ItemVersion | None:
        """Return the last version of an agency's item, or None."""
        return self._read_entry(partition, key).get(agency_digest)

    def check_amendment(self, item: ItemVersion, last: ItemVersion | None) -> None:
        """Check that an amendment applies to a version that the gate knows.

        Args:
            item: The amendment.
            last: The last version of the item.

        Raises:
            AmendmentError: The version is unknown, or an earlier amendment of it has withdrawn the item.
        """
        # Without an entry, the first version is the only one. Without a state store, nothing is known.
        newest = 1 if last is None else last.version
        if item.version > newest and self._view is not None:
            raise AmendmentError(
                "UNKNOWN_VERSION",
                f"version {item.version} of this item is not known; only its agency raises the version",
            )
        if last is not None and last.withdrawn and last.version == item.version and last.amendment < item.amendment:
            raise AmendmentError(
                "ITEM_WITHDRAWN", "the item is withdrawn; only its agency can publish it again, with a higher version"
            )

    def record_version(self, partition: int, key: bytes, item: ItemVersion, value: bytes) -> Standing:
        """Compare a version with the last one, and record it if it is the latest.

        Args:
            partition: The partition of its record.
            key: The key of its record.
            item: The version.
            value: The record or amendment that it was made from: the last version may have a digest under an older key.
        """
        entry = self._read_entry(partition, key)
        last = entry.get(item.agency_digest)
        standing = self._compare(item, last, value)
        if standing is Standing.LATEST:
            entry[item.agency_digest] = item
            if self._view is not None and item.revision > FIRST_REVISION:
                self._view.put(partition, key, _encode_entry(entry))
        return standing

    def _compare(self, item: ItemVersion, last: ItemVersion | None, value: bytes) -> Standing:
        if last is None or item.revision > last.revision:
            return Standing.LATEST
        if item.revision < last.revision:
            return Standing.OUTDATED
        is_same = self._digester.is_digest_of(last.content_digest, last.digest_key, value)
        return Standing.REPEATED if is_same else Standing.CONFLICTING

    def _read_entry(self, partition: int, key: bytes) -> dict[bytes, ItemVersion]:
        """Return the last version of each agency under a key."""
        entry = self._known.get((partition, key))
        if entry is None:
            encoded = self._view.get(partition, key) if self._view is not None and key in self._stored_keys else None
            entry = self._known[partition, key] = _decode_entry(encoded)
        return entry


def encode_canonically(record: Any) -> bytes:
    """Return a decoded record in single-object encoding with the current schema, whatever its original encoding."""
    return get_codec("indicator").encode(record)


def _encode_entry(entry: dict[bytes, ItemVersion]) -> bytes:
    versions = [
        {
            "agency_digest": item.agency_digest,
            "version": item.version,
            "amendment": item.amendment,
            "withdrawn": item.withdrawn,
            "content_digest": item.content_digest,
            "digest_key": item.digest_key,
        }
        for item in entry.values()
        if item.revision > FIRST_REVISION
    ]
    return encode_entry("item", versions)


def _decode_entry(encoded: bytes | None) -> dict[bytes, ItemVersion]:
    if encoded is None:
        return {}
    versions = [ItemVersion(**fields) for fields in decode_entry(encoded, "item") or ()]
    return {item.agency_digest: item for item in versions}
