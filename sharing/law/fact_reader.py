"""Reads of an indicator's record what a decision depends on: the key under which a verdict is remembered."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from operator import itemgetter

from sharing.law.facts import Fact
from sharing.model.record import WireRecord

RawFacts = tuple[tuple[Hashable, ...], ...]
"""What is read of a record, in the order of the reader's facts: the key under which a verdict is remembered."""


class FactReader:
    """Reads some facts of records: plain fields together, then what is worked out, then the officer's findings.

    Attributes:
        facts: In the order in which they are read.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        wanted = list(facts)
        direct = [fact for fact in wanted if fact.direct]
        findings = [fact for fact in wanted if fact.name.startswith("findings.")]
        derived = [fact for fact in wanted if fact not in direct and fact not in findings]
        self.facts = (*direct, *derived, *findings)
        # Two names at least, so that the getter always gives a tuple.
        names = [fact.name for fact in direct]
        self._direct = itemgetter(*names) if len(names) > 1 else lambda record: tuple(record[name] for name in names)
        self._derived = [fact.read for fact in derived if fact.read is not None]
        self._findings = [fact.name.removeprefix("findings.") for fact in findings]
        self._no_findings = (None,) * len(findings)

    def read(self, record: WireRecord, now_ms: int) -> RawFacts:
        """Return what a record says, at an instant in UTC milliseconds."""
        stated = record["findings"]
        return (
            self._direct(record),
            tuple([read(record, now_ms) for read in self._derived]),
            tuple([stated.get(name) for name in self._findings]) if stated else self._no_findings,
        )
