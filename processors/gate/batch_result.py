"""The result of a batch: the records to write in its transaction, and the counts that must be conserved."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field, fields
from itertools import chain, compress
from operator import itemgetter
from typing import NamedTuple, cast

from processors.exactly_once.batch import ConsumedRecord, OutputRecord
from processors.gate.input_records import InputRecords, iter_runs
from processors.gate.outcome_tally import OutcomeTally, StatedEmergency
from processors.gate.rejection import RejectedRecord
from sharing.model.vocabulary import NoticeLane, Outcome
from sharing.outcomes.block_writing import RowTag
from sharing.topology.topics import DECISIONS, DRAFTS, QUARANTINE

_get_topic = itemgetter(OutputRecord._fields.index("topic"))


class DecidedContents(NamedTuple):
    """What was decided on in one partition, in the order of the records.

    Attributes:
        positions: The position of each decided record.
        contents: The item of each as it was decided on, in single-object encoding.
    """

    positions: list[int]
    contents: list[bytes]


@dataclass(slots=True)
class BatchOutputs:
    """The outputs for each record of a batch, by the record's position in the batch.

    Attributes:
        decisions_topic: Topic of the decisions.
        keys: Keys of the records, which are also the keys of their decisions.
        partitions: The partitions of the records, which are also those of their outputs.
        decisions: Value of each record's decision; None for a record without one.
        other_outputs: The other outputs of a record: its notices, offers and draft, or its quarantine record.
        tags: What is reported to the agency of each record; None for a record that is not finished.
        contents: The item of each record as it was decided on, in single-object encoding; None for one that is not
            decided.
    """

    decisions_topic: str = ""
    keys: list[bytes | None] = field(default_factory=list)
    partitions: array[int] = field(default_factory=lambda: array("I"))
    decisions: list[bytes | None] = field(default_factory=list)
    other_outputs: dict[int, Sequence[OutputRecord]] = field(default_factory=dict)
    tags: list[RowTag | None] = field(default_factory=list)
    contents: list[bytes | None] = field(default_factory=list, repr=False)

    @classmethod
    def prepare(
        cls, decisions_topic: str, records: InputRecords, contents: Iterable[bytes | None] = ()
    ) -> BatchOutputs:
        """Return outputs for records, still empty.

        Args:
            decisions_topic: Topic of the decisions.
            records: The records.
            contents: The values of the records, opened, in single-object encoding; empty if they are set later.
        """
        count = len(records)
        return cls(
            decisions_topic,
            records.keys,
            records.partitions,
            [None] * count,
            tags=[None] * count,
            contents=list(contents) or [None] * count,
        )

    def set_decisions(
        self, positions: Sequence[int], decisions: Sequence[bytes | None], tags: Sequence[RowTag | None]
    ) -> None:
        """Set the decisions at these positions, and what is reported to the agencies about them.

        Raises:
            ValueError: The numbers of positions, decisions and tags differ.
        """
        if not len(positions) == len(decisions) == len(tags):
            raise ValueError("the numbers of positions and decisions differ")
        if isinstance(positions, range) and positions.step == 1:
            self.decisions[positions.start : positions.stop] = decisions
            self.tags[positions.start : positions.stop] = tags
        else:
            for position, decision, tag in zip(positions, decisions, tags, strict=True):
                self.decisions[position] = decision
                self.tags[position] = tag

    def set_record_outputs(self, position: int, outputs: Sequence[OutputRecord]) -> None:
        """Set all outputs of one record: its decision and the outputs that follow from it, or its quarantine record."""
        if outputs and outputs[0].topic == self.decisions_topic:
            self.decisions[position] = outputs[0].value
            outputs = outputs[1:]
        self.other_outputs[position] = outputs

    def append(self, part: BatchOutputs) -> None:
        """Append the outputs of the records that follow."""
        first = len(self.decisions)
        self.decisions_topic = part.decisions_topic
        self.keys = [*self.keys, *part.keys]
        self.partitions = self.partitions + part.partitions
        self.decisions += part.decisions
        self.tags += part.tags
        self.contents += part.contents
        self.other_outputs.update((first + position, outputs) for position, outputs in part.other_outputs.items())

    def account_for_each_record(self) -> bool:
        """Return whether each record has either a decision or a quarantine record, which is then its only output."""
        if not len(self.keys) == len(self.partitions) == len(self.decisions):
            return False
        if all(self.decisions):
            return True
        undecided = [position for position, decision in enumerate(self.decisions) if decision is None]
        for position in undecided:
            outputs = self.other_outputs.get(position, ())
            if [output.topic.rpartition(".")[2] for output in outputs] != [QUARANTINE.name]:
                return False
        return True

    def count_by_topic_kind(self) -> Counter[str]:
        """Return the number of outputs by the last part of their topic's name."""
        topics = Counter[str](map(_get_topic, chain.from_iterable(self.other_outputs.values())))
        are_complete = all(self.decisions)  # nearly always
        topics[self.decisions_topic] += len(self.decisions if are_complete else list(filter(None, self.decisions)))
        kinds = Counter[str]()
        for topic, records in topics.items():
            kinds[topic.rpartition(".")[2]] += records
        return kinds

    def group_decisions(self) -> dict[int, list[bytes]]:
        """Return the decisions of each partition, in the order of the records."""
        decided: dict[int, list[bytes]] = {}
        for partition, start, end in iter_runs(self.partitions):
            decided.setdefault(partition, []).extend(filter(None, self.decisions[start:end]))
        return decided

    def group_contents(self) -> dict[int, DecidedContents]:
        """Return what was decided on, of each partition, in the order of `group_decisions`.

        Raises:
            ValueError: It is not known what was decided on for a record.
        """
        decided: dict[int, DecidedContents] = {}
        for partition, start, end in iter_runs(self.partitions):
            own = decided.setdefault(partition, DecidedContents([], []))
            decisions = self.decisions[start:end]
            own.positions.extend(compress(range(start, end), decisions))
            own.contents.extend(cast("Iterable[bytes]", compress(self.contents[start:end], decisions)))
        if any(None in each.contents for each in decided.values()):
            raise ValueError("a record was decided on, but its content is not known")
        return decided

    def iter_other_outputs(self) -> Iterator[OutputRecord]:
        """Yield all outputs except the decisions. Each partition of a topic keeps the order of the records."""
        for position in sorted(self.other_outputs):
            yield from self.other_outputs[position]

    def iter_records(self) -> Iterator[OutputRecord]:
        """Yield each output, and each decision as if it were a record, in the order of the records of the batch."""
        for position, (key, value) in enumerate(zip(self.keys, self.decisions, strict=True)):
            if value is not None:
                yield OutputRecord(self.decisions_topic, key, value, None, self.partitions[position])
            yield from self.other_outputs.get(position, ())


@dataclass(slots=True)
class BatchResult:
    """The result of a batch, or of a part of it.

    Attributes:
        outputs: The records to write in the batch's transaction.
        written: Number of those records by the last part of their topic's name.
        outcomes: Number of indicators by outcome.
        deliveries: Number of pairs of indicator and recipient, by outcome.
        quarantined: Number of quarantined records by cause.
        effects: Number of pairs of indicator and recipient, by each effect of the rules that made the outcome.
        drafts: Number of drafts by the outcome of their indicator.
        required_drafts: Number of drafts that the indicators require, by the outcome of their indicator.
        sent: Number of notices and offers that they require, by the last part of their topic's name.
        rule_errors: Number of indicators by each rule whose evaluation failed.
        emergencies: Number of indicators by the emergency that their agency states.
        published: For each lane, when the indicators with notices in it were published, in UTC milliseconds.
        rejections: The quarantined records.
    """

    outputs: BatchOutputs = field(default_factory=BatchOutputs)
    written: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    deliveries: Counter[Outcome] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    drafts: Counter[Outcome] = field(default_factory=Counter)
    required_drafts: Counter[Outcome] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    rule_errors: Counter[str] = field(default_factory=Counter)
    emergencies: Counter[StatedEmergency] = field(default_factory=Counter)
    published: dict[NoticeLane, list[int]] = field(default_factory=dict)
    rejections: list[RejectedRecord] = field(default_factory=list)

    @property
    def output_records(self) -> list[OutputRecord]:
        """All outputs, and each decision as if it were a record, in the order of the records of the batch."""
        return list(self.outputs.iter_records())

    @classmethod
    def join(cls, parts: Iterable[BatchResult]) -> BatchResult:
        """Return the result of a batch from the results of all its parts, in order."""
        whole = cls()
        for part in parts:
            whole.add_counts(part)
            whole.outputs.append(part.outputs)
        return whole

    def add_counts(self, part: BatchResult) -> None:
        """Add the counts of a part of the same batch. Its outputs are not kept."""
        for name in (each.name for each in fields(self) if each.name != "outputs"):
            total, addend = getattr(self, name), getattr(part, name)
            match total:
                case Counter():
                    total.update(addend)
                case dict():
                    for key, entries in addend.items():
                        total.setdefault(key, []).extend(entries)
                case list():
                    total.extend(addend)
                case _:
                    raise TypeError(f"{name} has no sum")

    def count_items(self, tally: OutcomeTally, item_count: int = 1, *, closed: bool) -> None:
        """Count items that share a tally. `closed` items have no draft."""
        self.outcomes[tally.outcome] += item_count
        if not closed:
            self.drafts[tally.outcome] += item_count
        if tally.is_drafted:
            self.required_drafts[tally.outcome] += item_count
        for kind, records in tally.sent:
            self.sent[kind] += item_count * records
        for outcome, recipients in tally.deliveries:
            self.deliveries[outcome] += item_count * recipients
        for effect, recipients in tally.effects:
            self.effects[effect] += item_count * recipients
        for rule in tally.failed:
            self.rule_errors[rule] += item_count
        if tally.emergency is not None:
            self.emergencies[tally.emergency] += item_count

    def record_rejection(self, rejected: RejectedRecord) -> None:
        """Count a quarantined record, and keep its reference."""
        self.quarantined[rejected.cause] += 1
        self.rejections.append(rejected)

    def record_published(self, lane: NoticeLane | None, message: ConsumedRecord) -> None:
        """Record when an indicator was published whose notices go to this lane; None when it has no notices."""
        if lane is not None:
            self.published.setdefault(lane, []).append(message.timestamp()[1])


def is_conserved(messages: Sized, result: BatchResult) -> bool:
    """Return whether every record and every output of a batch is counted exactly once.

    Each record must have a decision or a quarantine record at its position, and the counts must be balanced.
    """
    outputs = result.outputs
    return len(outputs.decisions) == len(messages) and outputs.account_for_each_record() and is_balanced(result)


def is_balanced(result: BatchResult) -> bool:
    """Return whether the counted outputs are exactly those that the counts of records and recipients require.

    These are a decision for each decided record, a quarantine record for each quarantined one, a notice or an offer for
    each recipient whose outcome requires one unless the conversation sends it, and a draft for each indicator that is
    not closed.
    """
    decided, quarantined = result.outcomes.total(), result.quarantined.total()
    required = Counter({DECISIONS.name: decided, QUARANTINE.name: quarantined, DRAFTS.name: result.drafts.total()})
    required += result.sent
    return result.written == required and result.drafts == result.required_drafts
