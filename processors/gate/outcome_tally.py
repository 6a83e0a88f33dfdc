"""What one indicator adds to the counts of a batch, and which outputs it requires.

Derives from verdict and record alone what `processors.gate.output_policy` decides, without using it: the conservation
check of a batch relies on this (`processors.gate.batch_result`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from sharing.model.decision import Verdict
from sharing.model.indicator_record import is_first_version
from sharing.model.urgency import URGENT_LEVELS, get_effective_urgency, is_substantiated, states_emergency
from sharing.model.vocabulary import Outcome
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import NOTICES, OFFERS, URGENT


class StatedEmergency(NamedTuple):
    """An emergency that an agency states.

    Attributes:
        agency: The agency.
        is_substantiated: Whether it names an officer and a reason. Otherwise the item is decided as ORDINARY.
    """

    agency: str
    is_substantiated: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> StatedEmergency | None:
        """Return the emergency that an indicator states, or None."""
        return cls(record["source"]["agency"], is_substantiated(record)) if states_emergency(record) else None


class ItemStanding(NamedTuple):
    """What the outputs of an indicator depend on, beyond verdict and record.

    Attributes:
        has_conversation: Whether the conversation sends what is not a first version.
        is_amendment: Whether it is an amendment of what an agency published.
        is_asked_about: Whether people are asked for the facts because of which it is withheld from some State.
        is_stale: Whether a later revision of the item was processed before.
    """

    has_conversation: bool = False
    is_amendment: bool = False
    is_asked_about: bool = False
    is_stale: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeTally:
    """What one indicator adds to the counts of a batch. Compared by identity.

    Attributes:
        outcome: The outcome of the indicator.
        deliveries: Number of recipients by outcome.
        effects: Number of recipients by each effect of the rules that made the outcome.
        failed: Ids of the rules whose evaluation failed.
        emergency: The emergency that its agency states; None if it states none.
        sent: Number of notices and offers that it requires, by the last part of their topic's name.
        is_drafted: Whether it requires a draft.
    """

    outcome: Outcome
    deliveries: tuple[tuple[Outcome, int], ...]
    effects: tuple[tuple[str, int], ...]
    failed: frozenset[str]
    emergency: StatedEmergency | None = None
    sent: tuple[tuple[str, int], ...] = ()
    is_drafted: bool = False

    @classmethod
    def from_verdict(cls, verdict: Verdict, record: Mapping[str, Any], standing: ItemStanding) -> OutcomeTally:
        """Return the tally of an indicator with this verdict."""
        deliveries, effects = Counter[Outcome](), Counter[str]()
        # Recipients that the law does not distinguish share one `Terms` object.
        terms_by_id = {id(recipient.terms): recipient.terms for recipient in verdict.recipients}
        for terms_id, recipients in Counter(id(recipient.terms) for recipient in verdict.recipients).items():
            terms = terms_by_id[terms_id]
            deliveries[terms.outcome] += recipients
            for effect in terms.effects:
                effects[effect] += recipients
        failed = frozenset().union(*(terms.failed_rules for terms in terms_by_id.values()))
        is_urgent = get_effective_urgency(record) in URGENT_LEVELS
        is_first = is_first_version(record) and not standing.is_amendment
        sent = Counter[str]()
        if is_first or not (standing.has_conversation or standing.is_amendment):
            for outcome, recipients in deliveries.items():
                kind = _required_delivery(outcome)
                if kind is not None:
                    sent[URGENT.name if is_urgent else kind.name] += recipients
        return cls(
            verdict.outcome,
            tuple(deliveries.items()),
            tuple(effects.items()),
            failed,
            StatedEmergency.of(record),
            tuple(sent.items()),
            not standing.is_stale and (not is_first or standing.is_asked_about or _requires_draft(verdict.outcome)),
        )


def _required_delivery(outcome: Outcome) -> TopicKind | None:
    """Return the kind of record that a recipient with this outcome must get; None for nothing."""
    match outcome:
        case Outcome.DISCLOSE:
            return NOTICES
        case Outcome.OFFER:
            return OFFERS
        case Outcome.HOLD | Outcome.WITHHOLD:
            return None
        case _:
            assert_never(outcome)


def _requires_draft(outcome: Outcome) -> bool:
    """Return whether every indicator with this outcome must have a draft, regardless of everything else."""
    match outcome:
        case Outcome.DISCLOSE | Outcome.OFFER | Outcome.HOLD:
            return True
        case Outcome.WITHHOLD:
            return False
        case _:
            assert_never(outcome)
