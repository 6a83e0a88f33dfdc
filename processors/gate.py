"""The disclosure gate: what one State's law lets out of a batch of its agencies' indicators, and to whom.

A pure function of batch, directory, law and instant: decode, find the audience, decide, write. Each indicator
yields one decision; what the law lets out becomes notices, what must first be accepted becomes offers without
content, what is not withheld from everyone becomes a draft; what cannot be processed is quarantined with its
reason. So in = disclosed + offered + held + withheld + quarantined, whatever comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from processors.batch import Output, Record
from processors.refusal import refusal_of
from processors.writer import Writer
from sharing.bulk_decoding import BulkDecoder, Decoded
from sharing.errors import DecodeError, InputError
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.decision import Verdict
from sharing.model.directory import Directory
from sharing.model.record import check_record, known_id
from sharing.model.vocabulary import Outcome
from sharing.relevance.nexus import GeoLookup, no_lookup
from sharing.sitting import Sitting
from sharing.wire import codec, schema_text

OUTPUT_BYTES_MAX = 950_000
"""Below the million bytes that librdkafka and Kafka take of one record by default."""


@dataclass(slots=True)
class Processed:
    """What came of a batch.

    Attributes:
        outputs: Everything to be written in the batch's transaction.
        outcomes: Indicators by the outcome under which each counts.
        deliveries: Indicators and recipients, by outcome.
        quarantined: Records by cause.
    """

    outputs: list[Output] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    deliveries: Counter[Outcome] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)

    def add(self, other: Processed) -> None:
        """Count what came of another part of the same batch; outputs are not kept."""
        self.outcomes.update(other.outcomes)
        self.deliveries.update(other.deliveries)
        self.quarantined.update(other.quarantined)


class Gate:
    """One State's gate.

    Args:
        pack: The State's law.
        treaties: Who is bound by what.
        locate: Country of an IP address.
    """

    def __init__(self, pack: Pack, treaties: TreatyTable, locate: GeoLookup = no_lookup) -> None:
        self.pack = pack
        self._treaties = treaties
        self._locate = locate
        self._decoder = BulkDecoder(codec("indicator"), schema_text("indicator"))
        self._sitting: Sitting | None = None

    def take_rule_errors(self) -> dict[str, int]:
        """Return how often the evaluation of each rule failed since this was last asked; such a rule withholds."""
        if self._sitting is None:
            return {}
        taken = dict(self._sitting.law.rule_errors)
        self._sitting.law.rule_errors.clear()
        return taken

    def process(self, messages: Iterable[Record], directory: Directory, now_ms: int) -> Processed:
        """Return what comes of a batch.

        Args:
            messages: Records of the State's topic of indicators, without `error()`.
            directory: What the other States have announced.
            now_ms: The instant of the batch, in UTC milliseconds.
        """
        sitting = self._sit(directory, now_ms)
        writer = Writer(self.pack.reference, sitting, now_ms)
        processed = Processed()
        batch = list(messages)
        for message, decoded in zip(batch, self._decoder.decode([message.value() for message in batch]), strict=True):
            try:
                record = self._admit(message, decoded)
                verdict = sitting.decide(record, now_ms)
                outputs = writer.write(message, record, verdict)
                _refuse_oversized(outputs)
            except Exception as error:  # noqa: BLE001 one bad record never stops or opens the gate
                refusal = replace(refusal_of(error), indicator_id=known_id(decoded))
                processed.quarantined[refusal.cause] += 1
                processed.outputs.append(writer.quarantine(message, refusal))
            else:
                processed.outputs += outputs
                _count(processed, verdict)
        return processed

    def _sit(self, directory: Directory, now_ms: int) -> Sitting:
        """Return the sitting for this directory and instant: a new one when either has moved on."""
        sitting = self._sitting
        if sitting is None or not sitting.serves(directory, now_ms):
            sitting = self._sitting = Sitting.open(self.pack, self._treaties, directory, now_ms, self._locate)
        sitting.tidy()
        return sitting

    def _admit(self, message: Record, record: Decoded) -> dict[str, Any]:
        """Return the record if it may be decided on.

        Raises:
            InputError: It could not be decoded, is not sound, not this State's, or not under its own key.
        """
        if isinstance(record, DecodeError):
            raise record
        check_record(record)
        if record["source"]["state"] != self.pack.state:
            raise InputError(
                f"source.state: the gate of {self.pack.state} takes only what that State's own agencies publish",
                field="source.state",
            )
        if message.key() != record["id"].encode():
            raise InputError("id: must be the record's key", field="id")
        return record


def _refuse_oversized(outputs: Sequence[Output]) -> None:
    """Refuse a record of which an output is larger than the broker takes.

    Raises:
        DecodeError: One is.
    """
    for output in outputs:
        if len(output.value or b"") > OUTPUT_BYTES_MAX:
            raise DecodeError(
                f"what would be written has more than {OUTPUT_BYTES_MAX} bytes; shorten its texts or name fewer States",
                cause="OUTPUT_OVERSIZED",
            )


def _count(processed: Processed, verdict: Verdict) -> None:
    processed.outcomes[verdict.outcome] += 1
    for recipient in verdict.recipients:
        processed.deliveries[recipient.outcome] += 1


def conserves(messages: Sequence[Any], processed: Processed) -> bool:
    """Return whether every record of a batch is accounted for, once."""
    return len(messages) == processed.outcomes.total() + processed.quarantined.total()
