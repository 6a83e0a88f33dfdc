"""The record path: processes one record at a time, and quarantines those that cannot be processed.

It processes small batches, and every record that the columnar path leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from processors.gate.amendments import check_amendment, decode_amendment, find_indicator_id
from processors.gate.batch_result import BatchResult
from processors.gate.item_versions import Standing, encode_canonically
from processors.gate.outcome_tags import read_origin, tag_rejected
from processors.gate.outcome_tally import ItemStanding
from processors.gate.output_policy import CLOSED
from processors.gate.record_writer import RecordWriter
from processors.gate.rejection import (
    ContentConflictError,
    MisplacedRecordError,
    OversizedOutputError,
    RejectedRecord,
    Rejection,
    describe_rejection,
)
from sharing.conversation.revision import Revision
from sharing.errors import DecodeError, InputError
from sharing.model.indicator_record import check_indicator_record, extract_id
from sharing.serialization.codec import get_codec

if TYPE_CHECKING:
    from processors.exactly_once.batch import ConsumedRecord, OutputLimits, OutputRecord
    from processors.gate.input_records import InputRecords
    from processors.gate.item_versions import ItemVersions
    from processors.gate.session import GateSession
    from sharing.columnar.decoding import BulkDecoder, DecodeResult
    from sharing.disclosure.amended_item import AmendedItem
    from sharing.model.recipient_terms import RuleReference
    from sharing.outcomes.block_writing import RowTag


@dataclass(frozen=True, slots=True)
class Admission:
    """What a gate requires of a record beyond validity.

    Attributes:
        state: The State that it must belong to.
        agency_by_topic: The agency of each topic that only one agency may write to, and None for a topic that agencies
            share. Empty if they share all topics; otherwise records of other topics are not admitted.
    """

    state: str
    agency_by_topic: Mapping[str, str | None]

    def get_agency(self, topic: str) -> str | None:
        """Return the only agency that may write to a topic: None for any agency, "" for no agency at all."""
        return self.agency_by_topic.get(topic, "")

    def find_owner(self, topic: str) -> str:
        """Return the only agency that may write to a topic; "" if agencies share it."""
        return self.agency_by_topic.get(topic) or ""

    def check(self, message: ConsumedRecord, record: DecodeResult) -> dict[str, Any]:
        """Return the record if it may be processed.

        Raises:
            DecodeError: It cannot be decoded.
            InputError: It is invalid, belongs to another State or agency, or its key is not its id.
        """
        if isinstance(record, DecodeError):
            raise record
        check_indicator_record(record)
        if record["source"]["state"] != self.state:
            raise InputError(
                f"source.state: the gate of {self.state} accepts only indicators of that State's own agencies",
                field="source.state",
            )
        if self.agency_by_topic and self.get_agency(message.topic()) not in {None, record["source"]["agency"]}:
            raise InputError(
                f"source.agency: topic {message.topic()} belongs to another agency; each agency publishes to its own",
                field="source.agency",
            )
        if message.key() != record["id"].encode():
            raise InputError("id: must equal the record key", field="id")
        return record


class RecordPath:
    """Processes records of one batch.

    Args:
        session: The law, the directory and their caches.
        admission: What the gate requires of a record.
        decoder: Decodes a record.
        records: The records.
        versions: The versions of items; None to decide on each record by itself.
        now_ms: The processing time of the batch, in UTC milliseconds.
        limits: How large the outputs may be.

    Attributes:
        tags: What is reported to the agency of each processed record, by the record's position.
        contents: The item that was decided on, in single-object encoding, by the record's position.
    """

    def __init__(
        self,
        session: GateSession,
        admission: Admission,
        decoder: BulkDecoder,
        records: InputRecords,
        versions: ItemVersions | None,
        now_ms: int,
        limits: OutputLimits,
    ) -> None:
        self._session = session
        self._admission = admission
        self._decoder = decoder
        self._records = records
        self._versions = versions
        self._now_ms = now_ms
        self._limits = limits
        self._writer = RecordWriter(session.tails, now_ms)
        self.tags: dict[int, RowTag] = {}
        self.contents: dict[int, bytes | None] = {}

    def process_record(self, position: int, result: BatchResult, *, misplaced: bool) -> list[OutputRecord]:
        """Return the outputs of a record, its decision first; or its quarantine record. Add it to the counts.

        Args:
            position: Position of the record.
            result: Receives the counts.
            misplaced: Whether the record is not on the partition of its key, if the key is an id.
        """
        session, message = self._session, self._records.messages[position]
        amended: AmendedItem | None = None
        try:
            record, value, amended = self._admit(position)
            if misplaced:
                raise MisplacedRecordError(
                    "the record is not on the partition of its key (murmur2), so its versions have no order; "
                    "publish with the partitioner murmur2_random"
                )
            rule = self._check_version(position, record, amended)
            verdict = session.context.decide(record, self._now_ms)
            if rule is None:
                asked = session.asked.find(record, verdict, self._now_ms)
                required = session.policy.get_required_outputs(record, verdict, asked, is_amendment=amended is not None)
            else:
                verdict, required = session.withhold(verdict, rule), CLOSED
            outputs = self._writer.build_outputs(message, value, record, verdict, required, amended)
            _check_output_sizes(outputs, self._limits)
            revision = Revision(record["version"]) if amended is None else amended.revision
            tag = session.tags.tag_decided(record["source"]["agency"], revision, verdict, required)
        except Exception as error:  # noqa: BLE001 a bad record must neither stop the batch nor cause a disclosure
            rejection = replace(describe_rejection(error), indicator_id=self._find_id(position))
            rejected = RejectedRecord.refer(message, rejection)
            result.record_rejection(rejected)
            self.tags[position] = self._tag_rejected(position, rejected, rejection, amended)
            # As it was received: what was sealed stays sealed.
            return [self._writer.build_quarantine_record(rejected, rejection, message.value(), self._limits)]
        self.tags[position] = tag
        self.contents[position] = value
        standing = ItemStanding(
            session.policy.has_conversation, amended is not None, bool(required.asked), rule is not None
        )
        result.count_items(session.tally_outcome(record, verdict, standing), closed=required.is_closed)
        result.record_published(required.lane, message)
        return outputs

    def _admit(self, position: int) -> tuple[dict[str, Any], bytes | None, AmendedItem | None]:
        """Return a record that may be processed, its encoding, and what is said about it if it is an amendment.

        Raises:
            Exception: It may not be processed.
        """
        message, framing = self._records.messages[position], self._session.tails.framing
        refusal = self._records.refusals.get(position)
        if refusal is not None:
            raise refusal
        if position in self._records.amendments:
            amended, record = decode_amendment(self._records.amendments[position], framing)
            check_amendment(amended, record, message.key(), self._admission.state)
            return record, amended.content, amended
        value = framing.to_single_object(self._records.values[position])
        return self._admission.check(message, self._decoder.decode_one(value)), value, None

    def _find_id(self, position: int) -> str | None:
        """Return the id of an indicator that was rejected; None if it is not known."""
        if position in self._records.amendments:
            return find_indicator_id(self._records.keys[position])
        value = self._session.tails.framing.to_single_object(self._records.values[position])
        return extract_id(self._decoder.decode_one(value))

    def _tag_rejected(
        self, position: int, rejected: RejectedRecord, rejection: Rejection, amended: AmendedItem | None
    ) -> RowTag:
        """Return what is reported to the agency of a rejected record.

        On a topic that only one agency may write to, it is that agency, no matter what the record says.
        """
        records = self._records
        key, topic = records.keys[position], records.messages[position].topic()
        if amended is not None:
            return tag_rejected(rejected, rejection, amended.agency, amended.revision, key)
        if position in records.amendments:
            return tag_rejected(rejected, rejection, "", key=key)
        value = self._session.tails.framing.to_single_object(records.values[position])
        agency, revision = read_origin(self._decoder.decode_one(value))
        return tag_rejected(rejected, rejection, self._admission.find_owner(topic) or agency, revision, key)

    def _check_version(
        self, position: int, record: Mapping[str, Any], amended: AmendedItem | None
    ) -> RuleReference | None:
        """Return the rule of the bus that withholds an outdated version; None for any other version.

        Raises:
            ContentConflictError: A record with this version but different content was processed before.
            AmendmentError: It amends something unknown or withdrawn.
        """
        key, version = self._records.keys[position] or b"", record["version"]
        versions = self._versions
        if versions is None or (amended is None and not versions.needs_check(key, version)):
            return None
        value = encode_canonically(record) if amended is None else get_codec("amendment").encode(amended.to_record())
        amendment = 0 if amended is None else amended.revision.amendment
        item = versions.describe(record["source"]["agency"], version, record["action"], value, amendment)
        partition = self._records.partitions[position]
        last = versions.find_last(partition, key, item.agency_digest)
        if amended is not None:
            versions.check_amendment(item, last)
        standing = versions.record_version(partition, key, item, value)
        if standing is Standing.CONFLICTING:
            name = f"version {version}" if amended is None else f"amendment {amendment} of version {version}"
            raise ContentConflictError(
                f"{name} of this item was processed before with different content; publish the change as a new version"
            )
        return last.rule if standing is Standing.OUTDATED and last is not None else None


def _check_output_sizes(outputs: Sequence[OutputRecord], limits: OutputLimits) -> None:
    """Check that the broker accepts the size of each output.

    Raises:
        OversizedOutputError: An output is too large.
    """
    for output in outputs:
        bytes_max = limits.get_value_bytes_max(output.topic)
        if len(output.value or b"") > bytes_max:
            raise OversizedOutputError(
                f"a record on {output.topic} for this indicator would exceed {bytes_max} bytes; "
                "shorten the indicator's texts or name fewer States"
            )
