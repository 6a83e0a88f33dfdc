"""A gate's session: one decision context, and everything that is cached under it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from processors.exactly_once.batch import OutputLimits
from processors.gate.asked_states import AskedStates
from processors.gate.encoded_tails import EncodedTails
from processors.gate.outcome_tags import OutcomeTags
from processors.gate.outcome_tally import OutcomeTally, StatedEmergency
from processors.gate.output_plans import OutputPlan, OutputPlanner
from processors.gate.output_policy import OutputPolicy
from sharing.columnar.groups import ItemGroups
from sharing.disclosure.missing_facts import MissingFactsFinder
from sharing.law.bus_rules import withhold
from sharing.model.bounded_cache import BoundedCache
from sharing.model.indicator_record import is_first_version
from sharing.model.urgency import get_effective_urgency

if TYPE_CHECKING:
    from processors.gate.outcome_tally import ItemStanding
    from sharing.columnar.indicators import IndicatorReader
    from sharing.law.decision_context import DecisionContext
    from sharing.law.pack import Pack
    from sharing.model.decision import Verdict
    from sharing.model.recipient_terms import RuleReference
    from sharing.serialization.framing import Framing

TAIL_CACHE_MAX = 50_000
"""Limit of the tail cache, which is cleared when full. If more are needed, hardly any two items share a tail."""

WITHHELD_MAX = 1_000
"""Limit of the cache of verdicts that are withheld by a rule of the bus: corrections that arrive late are rare."""

WITHHELD_RECIPIENTS_MAX = 20_000
"""Limit of the recipients in all these verdicts together."""


TALLIES_MAX = 10_000
"""Limit of the cache of tallies of the record path, which is cleared when full."""

TALLY_RECIPIENTS_MAX = 60_000
"""Limit of the recipients in all their verdicts together: the cache keeps the verdicts in memory."""


@dataclass(frozen=True, slots=True)
class GateSession:
    """The caches that belong to one decision context.

    Attributes:
        context: The decision context.
        tails: The encoded tails of outputs.
        policy: Determines which outputs an indicator requires.
        groups: The item groups and their output plans.
        limits: How large the outputs may be.
        asked: Finds where people are asked for facts.
        tags: Makes what is reported to agencies about their items.
    """

    context: DecisionContext
    tails: EncodedTails
    policy: OutputPolicy
    groups: ItemGroups[OutputPlan]
    limits: OutputLimits
    asked: AskedStates
    tags: OutcomeTags
    _withheld: BoundedCache[tuple[Verdict, RuleReference], Verdict] = field(
        default_factory=lambda: BoundedCache(
            WITHHELD_MAX, WITHHELD_RECIPIENTS_MAX, lambda _, verdict: len(verdict.recipients)
        )
    )

    _tallies: BoundedCache[tuple[Verdict, Hashable, bool, str, Hashable], OutcomeTally] = field(
        default_factory=lambda: BoundedCache(TALLIES_MAX, TALLY_RECIPIENTS_MAX, lambda key, _: len(key[0].recipients))
    )

    @classmethod
    def open(
        cls,
        pack: Pack,
        context: DecisionContext,
        reader: IndicatorReader,
        framing: Framing,
        limits: OutputLimits,
        plan_bytes_max: int,
        *,
        has_conversation: bool = False,
        agencies_not_asked: Collection[str] = (),
    ) -> GateSession:
        """Return a session with empty caches.

        Args:
            pack: The law.
            context: The decision context.
            reader: Decodes the indicators.
            framing: The framing of records.
            limits: How large the outputs may be.
            plan_bytes_max: Approximate limit of the memory for output plans, and for tails, in bytes.
            has_conversation: Whether the conversation continues with what the gate decides.
            agencies_not_asked: The agencies about whose items nobody is asked for missing facts.
        """
        cache: BoundedCache[Hashable, bytes] = BoundedCache(TAIL_CACHE_MAX, plan_bytes_max, lambda _, tail: len(tail))
        tails = EncodedTails(pack.reference, pack.state, context.directory_version, cache, framing)
        policy = OutputPolicy(has_conversation=has_conversation)
        asked = AskedStates(MissingFactsFinder(context, agencies_not_asked) if has_conversation else None)
        tags = OutcomeTags(limits, plan_bytes_max)
        make_plan = OutputPlanner(context, tails, policy, asked, limits, tags).make_plan
        groups = ItemGroups(
            pack.state, context.finder, reader, make_plan, lambda plan: plan.output_bytes, plan_bytes_max
        )
        return cls(context, tails, policy, groups, limits, asked, tags)

    def tally_outcome(self, record: Mapping[str, Any], verdict: Verdict, standing: ItemStanding) -> OutcomeTally:
        """Return what an indicator with this verdict adds to the counts of a batch."""
        # A verdict is hashed by identity. The tally depends on it and on these.
        is_first = is_first_version(record)
        key = (verdict, standing, is_first, get_effective_urgency(record), StatedEmergency.of(record))
        return self._tallies.get(key) or self._tallies.put(key, OutcomeTally.from_verdict(verdict, record, standing))

    def withhold(self, verdict: Verdict, rule: RuleReference) -> Verdict:
        """Return the verdict with the item withheld from every State by a rule of the bus."""
        key = (verdict, rule)
        return self._withheld.get(key) or self._withheld.put(key, withhold(verdict, rule))
