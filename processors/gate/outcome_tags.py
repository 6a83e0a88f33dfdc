"""What is reported to an agency: how its item was decided, or why the record was rejected. Each is encoded once.

Ten thousand items of a batch have few distinct verdicts, so nearly all tags are found in a cache, or belong to an
output plan.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from sharing.conversation.revision import Revision
from sharing.model.bounded_cache import BoundedCache
from sharing.model.indicator_record import SHORT_TEXT_MAX, VERSION_MAX
from sharing.outcomes.block_writing import BLOCK_BYTES_MAX, UNKNOWN_ID, RowTag, encode_outcome, pack_id
from sharing.outcomes.outcome import DecidedGroup, DecidedOutcome, QuarantinedOutcome
from sharing.topology.topics import OUTCOMES

if TYPE_CHECKING:
    from processors.exactly_once.batch import OutputLimits
    from processors.gate.output_policy import RequiredOutputs
    from processors.gate.rejection import RejectedRecord, Rejection
    from sharing.model.decision import RecipientDecision, Verdict

TAGS_MAX: Final = 20_000
"""Limit of the cache of tags, which is cleared when full. If more are needed, hardly any two items share one."""

TAG_OVERHEAD_BYTES: Final = 500
"""Approximate memory of a tag beyond its outcome."""

RECIPIENT_BYTES: Final = 300
"""Approximate memory of a recipient of a verdict: the cache keeps the verdicts in memory."""

UNKNOWN_REVISION: Final = Revision(0)

FRAME_BYTES: Final = 10_000
"""An upper bound on what a block has beyond a single outcome."""


@final
class OutcomeTags:
    """Makes the tags of decided items, each only once for items that share it.

    Args:
        limits: How large outputs may be.
        cache_bytes_max: Approximate limit of the memory of all tags, in bytes.
    """

    def __init__(self, limits: OutputLimits, cache_bytes_max: int) -> None:
        self._outcome_bytes_max = find_block_limit(limits) - FRAME_BYTES
        self._cache: BoundedCache[_TagKey, RowTag] = BoundedCache(TAGS_MAX, cache_bytes_max, _weigh)

    def tag_decided(self, agency: str, revision: Revision, verdict: Verdict, required: RequiredOutputs) -> RowTag:
        """Return the tag of an item that was decided.

        Args:
            agency: The agency that has published it.
            revision: Its version, and the amendment of it.
            verdict: The verdict on it.
            required: Which outputs it has: what is sent now, and whether anything follows.
        """
        # A verdict is hashed by identity. Which States are sent something follows from it, unless nothing is sent.
        key = (verdict, agency, revision, required.is_closed, bool(required.deliveries), required.asked)
        tag = self._cache.get(key)
        if tag is None:
            sent = frozenset(delivery.recipient_index for delivery in required.deliveries)
            groups = group_recipients(verdict, sent, required.asked)
            outcome = encode_outcome(agency, DecidedOutcome(required.is_closed, groups))
            if len(outcome) > self._outcome_bytes_max:
                shortened = DecidedOutcome(required.is_closed, (), is_shortened=True)
                outcome = encode_outcome(agency, shortened)
            tag = self._cache.put(key, RowTag(agency, *revision, outcome, is_decided=True))
        return tag


_TagKey = tuple["Verdict", str, Revision, bool, bool, frozenset[str]]


def _weigh(key: _TagKey, tag: RowTag) -> int:
    return len(tag.outcome) + TAG_OVERHEAD_BYTES + RECIPIENT_BYTES * len(key[0].recipients)


def find_block_limit(limits: OutputLimits) -> int:
    """Return the size limit of a block, in bytes: each of the topics of outcomes must accept it."""
    kinds = [OUTCOMES.name, *(kind for kind in limits.batch_bytes if kind.startswith(f"{OUTCOMES.name}."))]
    return min(BLOCK_BYTES_MAX, *(limits.get_value_bytes_max(f"{OUTCOMES.scope}.state.{kind}") for kind in kinds))


def group_recipients(
    verdict: Verdict, sent: frozenset[int] = frozenset(), asked: frozenset[str] = frozenset()
) -> tuple[DecidedGroup, ...]:
    """Return the considered States in groups for which the same was decided, in the order of their first States.

    Args:
        verdict: The verdict.
        sent: Which of its recipients are sent something together with the decision.
        asked: The States for which people are asked for facts.
    """
    # Recipients that the law does not distinguish share one `Terms` object.
    alike: dict[tuple[int, bool, bool], list[RecipientDecision]] = {}
    for index, recipient in enumerate(verdict.recipients):
        alike.setdefault((id(recipient.terms), index in sent, recipient.state in asked), []).append(recipient)
    states: dict[DecidedGroup, list[str]] = {}
    for (_, is_sent, is_asked), recipients in alike.items():
        # Terms that differ only in what is not reported to an agency are the same for the agency.
        group = _make_group(recipients[0], is_sent=is_sent, is_asked=is_asked)
        states.setdefault(group, []).extend(recipient.state for recipient in recipients)
    groups = [replace(group, states=tuple(sorted(members))) for group, members in states.items()]
    return tuple(sorted(groups, key=lambda group: group.states))


def _make_group(recipient: RecipientDecision, *, is_sent: bool, is_asked: bool) -> DecidedGroup:
    return DecidedGroup(
        states=(),
        outcome=recipient.outcome,
        is_sent=is_sent,
        is_asked=is_asked,
        basis=recipient.basis,
        approver=recipient.approver,
        rules=recipient.rules,
        undecided=recipient.undecided,
        conditions=tuple(condition.code for condition in recipient.conditions),
        redacted=recipient.redacted,
    )


def tag_rejected(
    rejected: RejectedRecord,
    rejection: Rejection,
    agency: str,
    revision: Revision = UNKNOWN_REVISION,
    key: bytes | None = None,
) -> RowTag:
    """Return the tag of a record that was rejected.

    It identifies the item by the record's key, which its publisher has chosen, no matter what the record says. If the
    key is not an id, it identifies the record by its offset.

    Args:
        rejected: The record, by reference.
        rejection: Why it was rejected.
        agency: The agency that has written it; "" where that is not known.
        revision: The version of the item, and the amendment of it; version 0 where it is not known.
        key: Its key.
    """
    packed = pack_id((key or b"").decode("ascii", "replace"))
    if packed == UNKNOWN_ID:
        packed = pack_id(rejection.indicator_id or "")
    told = QuarantinedOutcome(
        rejection.stage, rejection.cause, rejection.message, rejected.offset if packed == UNKNOWN_ID else None
    )
    return RowTag(agency, *revision, encode_outcome(agency, told), id=packed)


def read_origin(record: object) -> tuple[str, Revision]:
    """Return agency and version that a rejected record states; "" and version 0 if it states none.

    If agencies share a topic, only they read what the record says about itself.

    Args:
        record: The record, decoded; an error if it cannot be.
    """
    if not isinstance(record, dict):
        return "", UNKNOWN_REVISION
    version = record["version"]
    return record["source"]["agency"][:SHORT_TEXT_MAX], Revision(version if 0 < version <= VERSION_MAX else 0)
