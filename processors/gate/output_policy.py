"""The output policy: which outputs an indicator requires, given its verdict.

Every indicator requires a decision. This module decides on the other outputs, for both writers. To check their result,
`processors.gate.outcome_tally` states the same requirements independently, without using this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple, assert_never

from processors.gate.asked_states import NOBODY
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import Verdict
from sharing.model.indicator_record import is_first_version
from sharing.model.urgency import URGENT_LEVELS, get_effective_urgency
from sharing.model.vocabulary import NoticeLane, Outcome
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import NOTICES, OFFERS, URGENT

REQUIRED_OUTPUTS_MAX = 10_000
"""Limit of the cache of required outputs, which is cleared when full."""

REQUIRED_OUTPUTS_RECIPIENTS_MAX = 60_000
"""Limit of the recipients in all their verdicts together: the cache keeps the verdicts in memory."""

_LANE_TOPICS = {NoticeLane.ORDINARY: NOTICES, NoticeLane.URGENT: URGENT}


class DeliveryKind(Enum):
    """What a recipient gets: a notice with the content, or an offer without it."""

    NOTICE = auto()
    OFFER = auto()


class Delivery(NamedTuple):
    """One output for a recipient.

    Attributes:
        kind: Whether it is a notice or an offer.
        recipient_index: Index of the recipient in the verdict.
        topic: Topic of the output.
    """

    kind: DeliveryKind
    recipient_index: int
    topic: str


class RequiredOutputs(NamedTuple):
    """The outputs that an indicator requires in addition to its decision.

    Attributes:
        is_closed: Whether there are none: neither deliveries nor a draft.
        deliveries: The notices and offers, in the order of the recipients.
        lane: Lane of the notices; None when there are none.
        asked: The States that the draft lists although the item is withheld from them: people are asked for facts.
    """

    is_closed: bool
    deliveries: tuple[Delivery, ...] = ()
    lane: NoticeLane | None = None
    asked: frozenset[str] = NOBODY


class _OutcomePolicy(NamedTuple):
    """What an outcome requires for a recipient.

    Attributes:
        delivery: What the recipient gets; None for nothing.
        is_drafted: Whether the draft lists the recipient, because a reply can still release the indicator to it.
    """

    delivery: DeliveryKind | None
    is_drafted: bool


_DISCLOSE = _OutcomePolicy(DeliveryKind.NOTICE, is_drafted=True)
_OFFER = _OutcomePolicy(DeliveryKind.OFFER, is_drafted=True)
_HOLD = _OutcomePolicy(None, is_drafted=True)
_WITHHOLD = _OutcomePolicy(None, is_drafted=False)

CLOSED = RequiredOutputs(is_closed=True)
"""Only the decision."""


class OutputPolicy:
    """Caches the required outputs, because most indicators with one verdict share them.

    Args:
        has_conversation: Whether the conversation sends corrections and what follows from amendments.
    """

    def __init__(self, *, has_conversation: bool = False) -> None:
        self.has_conversation = has_conversation
        self._cache: BoundedCache[_PolicyKey, RequiredOutputs] = BoundedCache(
            REQUIRED_OUTPUTS_MAX, REQUIRED_OUTPUTS_RECIPIENTS_MAX, lambda key, _: len(key[0].recipients)
        )

    def get_required_outputs(
        self,
        record: Mapping[str, Any],
        verdict: Verdict,
        asked: frozenset[str] = NOBODY,
        *,
        is_amendment: bool = False,
    ) -> RequiredOutputs:
        """Return the outputs that an indicator with this verdict requires in addition to its decision.

        Args:
            record: The indicator, amended if it is an amendment.
            verdict: The verdict on it.
            asked: The States from which it is withheld only because of facts that people are asked for.
            is_amendment: Whether it is an amendment.
        """
        # A verdict is hashed by identity. The outputs depend on it and on these.
        key = (verdict, is_first_version(record), get_effective_urgency(record), asked, is_amendment)
        return self._cache.get(key) or self._cache.put(
            key,
            derive_required_outputs(
                record, verdict, asked, is_amendment=is_amendment, has_conversation=self.has_conversation
            ),
        )


_PolicyKey = tuple[Verdict, bool, str, frozenset[str], bool]


def derive_required_outputs(
    record: Mapping[str, Any],
    verdict: Verdict,
    asked: frozenset[str] = NOBODY,
    *,
    is_amendment: bool = False,
    has_conversation: bool = False,
) -> RequiredOutputs:
    """Derive the outputs that an indicator with this verdict requires in addition to its decision.

    Args:
        record: The indicator, amended if it is an amendment.
        verdict: The verdict on it.
        asked: The States from which it is withheld only because of facts that people are asked for.
        is_amendment: Whether it is an amendment.
        has_conversation: Whether the conversation sends what is not a first version. It knows who has the item.
    """
    is_first = is_first_version(record) and not is_amendment
    if is_closed(record, verdict, asked, is_amendment=is_amendment):
        return CLOSED
    if not is_first and (has_conversation or is_amendment):
        return RequiredOutputs(is_closed=False, asked=asked)
    deliveries = []
    for index, recipient in enumerate(verdict.recipients):
        kind = _get_policy(recipient.terms.outcome).delivery
        if kind is not None:
            deliveries.append(Delivery(kind, index, _choose_topic(kind, record).topic(recipient.state)))
    lane = get_notice_lane(record, verdict)
    return RequiredOutputs(is_closed=False, deliveries=tuple(deliveries), lane=lane, asked=asked)


def is_closed(
    record: Mapping[str, Any], verdict: Verdict, asked: frozenset[str] = NOBODY, *, is_amendment: bool = False
) -> bool:
    """Return whether an indicator is closed: no reply could release it, so a decision is its only output."""
    # The recipients of an earlier version must learn of its correction or withdrawal.
    is_first = is_first_version(record) and not is_amendment
    return not is_drafted(verdict.outcome) and is_first and not asked


def get_notice_lane(record: Mapping[str, Any], verdict: Verdict) -> NoticeLane | None:
    """Return the lane of an indicator's notices; None when it has no notices."""
    is_notified = _get_policy(verdict.outcome).delivery is DeliveryKind.NOTICE
    return _choose_lane(record) if is_notified else None


def is_drafted(outcome: Outcome) -> bool:
    """Return whether a draft lists the recipients with this outcome."""
    return _get_policy(outcome).is_drafted


def _get_policy(outcome: Outcome) -> _OutcomePolicy:
    match outcome:
        case Outcome.DISCLOSE:
            return _DISCLOSE
        case Outcome.OFFER:
            return _OFFER
        case Outcome.HOLD:
            return _HOLD
        case Outcome.WITHHOLD:
            return _WITHHOLD
        case _:
            assert_never(outcome)


def _choose_topic(kind: DeliveryKind, record: Mapping[str, Any]) -> TopicKind:
    match kind:
        case DeliveryKind.NOTICE:
            return _LANE_TOPICS[_choose_lane(record)]
        case DeliveryKind.OFFER:
            return URGENT if _choose_lane(record) is NoticeLane.URGENT else OFFERS
        case _:
            assert_never(kind)


def _choose_lane(record: Mapping[str, Any]) -> NoticeLane:
    return NoticeLane.URGENT if get_effective_urgency(record) in URGENT_LEVELS else NoticeLane.ORDINARY
