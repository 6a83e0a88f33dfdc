"""Items that are alike: one decision for each distinct combination of facts, and what is written made once for all.

A cohort shares every field but those that are an item's own. Of these only the value matters further: which States
it points to. So a plan stands for a cohort and what a value points to; it holds the verdict and the tails of all
outputs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from processors.indicator_columns import IndicatorReader, Part
from processors.parts import Parts, is_closed
from sharing.errors import InputError
from sharing.law.record_reader import Raw
from sharing.model.decision import Verdict
from sharing.model.record import check_shared
from sharing.model.values import shape_of
from sharing.model.vocabulary import Outcome
from sharing.relevance.nexus import Deriver, Evidence
from sharing.sitting import Sitting
from sharing.wire import RECORD_BYTES_MAX

log = logging.getLogger(__name__)

COHORTS_MAX = 20_000
"""A bound against a flood of items of which none is like another: some 100 MB. They are then begun anew."""


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """One notice of each item: to whom, without which fields, and its tails."""

    topic: str
    state: str
    redacted: tuple[str, ...]
    content_tail: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class OfferPlan:
    """One offer of each item."""

    topic: str
    state: str
    tail: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is written for all items of a cohort whose values point to the same States. Compared by identity.

    Attributes:
        verdict: What the law says of them.
        version: Of the items.
        decision_tail: What follows the head of their decisions.
        sendings: Notices and offers, in the order of the recipients.
        draft_tail: What follows the head of their drafts; None where a decision is all that is written.
    """

    verdict: Verdict
    version: int
    decision_tail: bytes
    sendings: tuple[NoticePlan | OfferPlan, ...]
    draft_tail: bytes | None

    @property
    def longest(self) -> int:
        """Bytes of the longest tail of an output."""
        sent = (len(one.tail) + (len(one.content_tail) if isinstance(one, NoticePlan) else 0) for one in self.sendings)
        return max(len(self.decision_tail), len(self.draft_tail or b""), *sent, 0)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Items that share all but their own fields.

    Attributes:
        record: One of them. Its own fields say nothing of the others.
        raw: What the law reads of them.
        has_shape: Whether a value has the shape of their type (the match, or None).
        derive: What their values point to; None where no value of the type points anywhere.
        plans: By what a value points to; None where such items are to be taken one by one.
    """

    record: Mapping[str, Any]
    raw: Raw
    has_shape: Callable[[str], object]
    derive: Deriver | None
    plans: dict[tuple[Evidence, ...], Plan | None] = field(default_factory=dict)


class Cohorts:
    """Cohorts seen under one law and directory.

    Args:
        sitting: The law and the directory.
        parts: Makes the tails.
        reader: Read the parts that are planned.
        room: Bytes that an output may have.
    """

    def __init__(self, sitting: Sitting, parts: Parts, reader: IndicatorReader, room: int) -> None:
        self._sitting = sitting
        self._parts = parts
        self._reader = reader
        self._room = room - RECORD_BYTES_MAX
        self._seen: dict[tuple[bytes, bool], Cohort | None] = {}

    def plan(self, part: Part, now_ms: int) -> list[Plan | None]:
        """Return for each row its plan; None for a row that is to be taken alone, to be refused or to be quarantined.

        Args:
            part: Of a batch.
            now_ms: The instant of the batch, in UTC milliseconds.
        """
        cohorts = self._find(part, now_ms)
        plans: list[Plan | None] = []
        for code, value in zip(part.codes, part.columns.column("value").to_pylist(), strict=True):
            cohort = cohorts[code]
            if cohort is None or not cohort.has_shape(value):
                plans.append(None)
                continue
            derive = cohort.derive
            evidence = () if derive is None else derive(value)
            known = cohort.plans
            plans.append(known[evidence] if evidence in known else self._decide(cohort, evidence))
        return plans

    def _find(self, part: Part, now_ms: int) -> list[Cohort | None]:
        if len(self._seen) > COHORTS_MAX:
            self._seen.clear()
        first: dict[int, int] = {}
        for row, code in enumerate(part.codes):
            first.setdefault(code, row)
        found: list[Cohort | None] = [None] * len(part.alike)
        for code, row in first.items():
            key = part.alike[code]
            if key not in self._seen:
                self._seen[key] = self._admit(self._reader.example(part, row), now_ms)
            found[code] = self._seen[key]
        return found

    def _admit(self, record: Mapping[str, Any], now_ms: int) -> Cohort | None:
        """Return the cohort of an item; None where what it shares is refused: the reference path says why."""
        has_shape = shape_of(record["type"])
        try:
            check_shared(record)
            raw = self._sitting.law.reader.read(record, now_ms)
        except (InputError, LookupError, TypeError, ValueError):
            return None
        if has_shape is None or record["source"]["state"] != self._parts.state:
            return None
        return Cohort(record, raw, has_shape, self._sitting.finder.deriver(record["type"]))

    def _decide(self, cohort: Cohort, evidence: tuple[Evidence, ...]) -> Plan | None:
        try:
            audience = self._sitting.finder.consider(cohort.record, evidence)
            plan = self._write(cohort.record, self._sitting.law.decide_read(cohort.raw, audience))
        except Exception as error:  # noqa: BLE001 it fails again on the reference path, and is quarantined there
            log.debug("a cohort is taken one by one: %s", type(error).__name__)
            plan = None
        found = cohort.plans[evidence] = plan if plan is not None and plan.longest <= self._room else None
        return found

    def _write(self, record: Mapping[str, Any], verdict: Verdict) -> Plan:
        parts = self._parts
        tail = parts.decision_tail(verdict)
        if is_closed(record, verdict):
            return Plan(verdict, record["version"], tail, (), None)
        sendings: list[NoticePlan | OfferPlan] = []
        for index, recipient in enumerate(verdict.recipients):
            if recipient.outcome is Outcome.DISCLOSE:
                sendings.append(
                    NoticePlan(
                        parts.notice_topic(record, recipient),
                        recipient.state,
                        recipient.redacted,
                        parts.content_tail(verdict, index),
                        parts.notice_tail(record, verdict, index),
                    )
                )
            elif recipient.outcome is Outcome.OFFER:
                sendings.append(
                    OfferPlan(parts.offer_topic(recipient), recipient.state, parts.offer_tail(record, verdict, index))
                )
        return Plan(verdict, record["version"], tail, tuple(sendings), parts.draft_tail(record, verdict))
