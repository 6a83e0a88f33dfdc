"""What came of a batch: everything to be written in its transaction, and the counts that must add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from processors.exactly_once.batch import ConsumedRecord, Outgoing, OutputRecord, OutputRun
from sharing.model.decision import Verdict
from sharing.model.vocabulary import Outcome


@dataclass(slots=True)
class BatchOutputs:
    """What is written for each record of a batch, by its place in it.

    Attributes:
        topic: Of the decisions.
        keys: Of the records, under which their decisions stand.
        decisions: The value of each; None where there is none.
        others: What else is written: notices, offers and draft after the decision, or the quarantine.
    """

    topic: str = ""
    keys: Sequence[bytes | None] = ()
    decisions: list[bytes | None] = field(default_factory=list)
    others: dict[int, Sequence[OutputRecord]] = field(default_factory=dict)

    def put_decisions(self, places: Sequence[int], decisions: Sequence[bytes | None]) -> None:
        """Put decisions to their places: as many as there are.

        Raises:
            ValueError: There are not as many.
        """
        if len(places) != len(decisions):
            raise ValueError("not as many decisions as places")
        if isinstance(places, range) and places.step == 1:
            self.decisions[places.start : places.stop] = decisions
        else:
            for place, decision in zip(places, decisions, strict=True):
                self.decisions[place] = decision

    def missing(self) -> list[int]:
        """Return the places of records for which nothing is written yet."""
        return [place for place, one in enumerate(self.decisions) if one is None and place not in self.others]

    def together(self) -> Iterator[Outgoing]:
        """Yield all, in each topic in the order of the records: the decisions in one run, then the others."""
        keys, values = self.keys, [value for value in self.decisions if value is not None]
        if len(values) < len(keys):
            keys = [key for key, value in zip(keys, self.decisions, strict=True) if value is not None]
        if values:
            yield OutputRun(self.topic, keys, values)
        for place in sorted(self.others):
            yield from self.others[place]

    def alone(self) -> Iterator[OutputRecord]:
        """Yield each record by itself, in the order of the records of the batch."""
        for place, (key, value) in enumerate(zip(self.keys, self.decisions, strict=True)):
            if value is not None:
                yield OutputRecord(self.topic, key, value)
            yield from self.others.get(place, ())


@dataclass(frozen=True, slots=True)
class OutcomeTally:
    """As what an indicator counts.

    Attributes:
        outcome: Under which it counts.
        deliveries: Recipients by outcome.
        effects: Recipients by each effect of the rules that made the outcome.
        failed: Rules whose evaluation failed.
    """

    outcome: Outcome
    deliveries: tuple[tuple[Outcome, int], ...]
    effects: tuple[tuple[str, int], ...]
    failed: frozenset[str]

    @classmethod
    def of(cls, verdict: Verdict) -> OutcomeTally:
        """Return the tally of an indicator of which the law says this."""
        deliveries, effects = Counter[Outcome](), Counter[str]()
        # States that the law does not tell apart share their terms.
        terms = {id(recipient.terms): recipient.terms for recipient in verdict.recipients}
        for alike, recipients in Counter(id(recipient.terms) for recipient in verdict.recipients).items():
            deliveries[terms[alike].outcome] += recipients
            for effect in terms[alike].effects:
                effects[effect] += recipients
        failed = frozenset().union(*(one.failed for one in terms.values()))
        return cls(verdict.outcome, tuple(deliveries.items()), tuple(effects.items()), failed)


@dataclass(slots=True)
class BatchResult:
    """What came of a batch.

    Attributes:
        written: Everything to be written in the batch's transaction.
        outcomes: Indicators by the outcome under which each counts.
        deliveries: Indicators and recipients, by outcome.
        quarantined: Records by cause.
        effects: Indicators and recipients, by each effect of the rules that made the outcome.
        drafts: Drafts, by the outcome of their indicator.
        rule_errors: Indicators, by each rule whose evaluation failed when the law was asked of their like.
        published: By lane, when indicators with notices were published, in UTC milliseconds.
    """

    written: BatchOutputs = field(default_factory=BatchOutputs)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    deliveries: Counter[Outcome] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    drafts: Counter[Outcome] = field(default_factory=Counter)
    rule_errors: Counter[str] = field(default_factory=Counter)
    published: dict[str, list[int]] = field(default_factory=dict)

    @property
    def outputs(self) -> list[OutputRecord]:
        """Everything that is written, each record by itself, in the order of the records of the batch."""
        return list(self.written.alone())

    def add(self, other: BatchResult) -> None:
        """Count what came of another part of the same batch; what is written is not kept."""
        self.outcomes.update(other.outcomes)
        self.deliveries.update(other.deliveries)
        self.quarantined.update(other.quarantined)
        self.effects.update(other.effects)
        self.drafts.update(other.drafts)
        self.rule_errors.update(other.rule_errors)
        for lane, instants in other.published.items():
            self.published.setdefault(lane, []).extend(instants)

    def count(self, tally: OutcomeTally, items: int = 1, *, closed: bool) -> None:
        """Count items that are alike; `closed` where no draft is written."""
        self.outcomes[tally.outcome] += items
        if not closed:
            self.drafts[tally.outcome] += items
        for outcome, recipients in tally.deliveries:
            self.deliveries[outcome] += items * recipients
        for effect, recipients in tally.effects:
            self.effects[effect] += items * recipients
        for rule in tally.failed:
            self.rule_errors[rule] += items

    def note_published(self, lane: str | None, message: ConsumedRecord) -> None:
        """Note when an indicator was published of which notices go in a lane; None where there are none."""
        if lane is not None:
            self.published.setdefault(lane, []).append(message.timestamp()[1])


def conserves(messages: Sequence[object], processed: BatchResult) -> bool:
    """Return whether every record of a batch is accounted for, once."""
    return len(messages) == processed.outcomes.total() + processed.quarantined.total()
