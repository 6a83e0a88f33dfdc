"""Answers that cover later Asks: how one begins and ends, and what it answers.

A covering ruling is on every partition, because a later item may be on any. Each partition stores the record that the
officer has signed. Whenever an Ask is opened, each stored record is verified again against the register at that
instant, and must fit the Ask just as a single answer must. The conversation checks role, four eyes, dates and what is
never covered, and the law is evaluated again before anything is sent. If anything fails, the Ask is open as usual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, final

from processors.conversation.conversation_result import ConversationOutcome, KeptState
from processors.conversation.kept_law import KeptLaw, list_opening_roles, require_received_fit
from processors.conversation.partition_covers import PartitionCovers
from processors.conversation.steps import (
    ConversationBatch,
    Kept,
    Step,
    advance_item,
    advance_received_item,
    describe_ruling,
)
from processors.exactly_once.batch import OutputRecord
from sharing.conversation.effects import Opened
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import AskKind, Refusal
from sharing.conversation_state.covers import Cover, Covers, CoverTerms, make_covers_key
from sharing.conversation_state.due_index import DueItem
from sharing.rulings.act import Act, ActKind
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.mapping import make_covering_event
from sharing.rulings.ruling import Answering
from sharing.rulings.signing import VerifiedRuling, verify_again
from sharing.rulings.vocabulary import RulingError, RulingFault
from sharing.seal.faults import SealError
from sharing.topology.topics import ACTS

if TYPE_CHECKING:
    from processors.conversation.keeping import PreparedStep

PrepareStep = Callable[[Step, KeptLaw | None, VerifiedRuling], "PreparedStep"]
"""Writes what a step sends. Raises an error if it cannot."""

OpenLaw = Callable[[Kept], KeptLaw | None]
"""Returns the law about an item as it is stored now; None if the item belongs to another State."""


class CoverChange(NamedTuple):
    """What a ruling does to the covers of a partition.

    Attributes:
        covers: What is stored from then on.
        is_changed: Whether that differs from before.
        act: What is recorded.
    """

    covers: Covers
    is_changed: bool
    act: Act


@final
class CoverKeeper:
    """Stores the answers of one State's officers that cover later Asks, and applies them.

    Args:
        state: The State.
    """

    def __init__(self, state: str) -> None:
        self._state = state

    def change(self, verified: VerifiedRuling, record: bytes, batch: ConversationBatch) -> CoverChange | None:
        """Return what a ruling does to the covers of its partition; None if it neither adds nor ends a cover.

        Args:
            verified: The ruling.
            record: Its record as it is in the topic, in single-object encoding.
            batch: The batch.

        Raises:
            RulingError: There are too many covers.
            DecodeError: What is stored cannot be read.
        """
        act = verified.ruling.act
        if isinstance(act, EndingCover):
            return self._end(verified, act, batch)
        if not isinstance(act, Answering) or act.covers_until is None:
            return None
        kept = _open_covers(verified.partition, batch).kept
        if not _may_cover(act.about, verified, batch):
            return CoverChange(
                kept, is_changed=False, act=_refuse(verified, act.asks[0].item, act.asks[0].provider, batch)
            )
        covers = kept.drop_old(batch.now_ms).add(_make_cover(verified, act, record, act.covers_until))
        if covers.is_full:
            raise RulingError(RulingFault.TOO_MANY_COVERS)
        is_new = kept.find(verified.digest) is None and covers.find(verified.digest) is not None
        if not is_new:
            return None
        first = act.asks[0]
        described = Act(
            ActKind.COVER_BEGUN, first.item, first.provider, verified.ruling.state, batch.now_ms,
            ask_kind=act.about, states=act.recipients, answer=act.answer, covers_until=act.covers_until,
            **describe_ruling(verified, batch.law),
        )  # fmt: skip
        return CoverChange(covers, is_changed=True, act=described)

    def keep(self, change: CoverChange, partition: int, batch: ConversationBatch) -> None:
        """Store what the last record of a batch has changed, and record it.

        Args:
            change: The change.
            partition: The partition.
            batch: The batch. Its last outcome is that of the record.
        """
        result = batch.result
        if change.is_changed:
            batch.entries.keep_covers(partition, change.covers)
            batch.covers[partition] = PartitionCovers(change.covers)
            result.kept.append(KeptState(DueItem(partition, make_covers_key(partition)), len(result.outcomes) - 1))
            result.outcomes[-1] = ConversationOutcome.CHANGED
        act = change.act
        result.kinds[str(act.kind), str(act.reason or "")] += 1
        result.outputs.append(
            OutputRecord(ACTS.topic(act.state), act.item_id.encode(), act.encode(), partition=partition)
        )
        result.effects += 1

    def cover_asks(
        self, first: PreparedStep, batch: ConversationBatch, open_law: OpenLaw, prepare: PrepareStep
    ) -> list[PreparedStep]:
        """Return a step, and what earlier answers do with the Asks that it has opened, in order.

        Args:
            first: The step.
            batch: The batch.
            open_law: Returns the law about the item.
            prepare: Writes what a further step sends.

        Raises:
            DecodeError: What is stored cannot be read.
        """
        steps, asked = [first], _list_coverable(first)
        if not asked or not _open_covers(first.step.entry.partition, batch).kept.covers:
            return steps
        for ask_id in asked:  # grows while it is read: one answer may lead to the next Ask
            for verified in self._list_covering(first.step.entry.partition, batch):
                covered = _try_to_cover(steps[-1].step, ask_id, verified, batch, open_law, prepare)
                if covered is not None:
                    steps.append(covered)
                    asked += _list_coverable(covered)
        return steps

    def _end(self, verified: VerifiedRuling, act: EndingCover, batch: ConversationBatch) -> CoverChange:
        """Return the covers without one: for the officer who gave it, or one who might have given it."""
        kept = _open_covers(verified.partition, batch).kept
        cover = kept.find(act.cover)
        if cover is not None and not self._may_end(cover, verified, batch):
            return CoverChange(kept, is_changed=False, act=_refuse(verified, act.item, act.provider, batch))
        described = Act(
            ActKind.COVER_ENDED, act.item, act.provider, verified.ruling.state, batch.now_ms,
            cover=act.cover, **describe_ruling(verified, batch.law),
        )  # fmt: skip
        covers = kept.drop_old(batch.now_ms).end(act.cover, verified.at_ms)
        return CoverChange(covers, is_changed=True, act=described)

    def _may_end(self, cover: Cover, verified: VerifiedRuling, batch: ConversationBatch) -> bool:
        try:
            given = self._open_again(cover, verified.partition, batch)
        except (LookupError, SealError):
            # It may be valid even if its key is not available now: what the worker noted when it opened it decides.
            officer, about = cover.terms.officer, cover.terms.kind
        else:
            if given is None:
                return True  # no longer valid, so it covers nothing: anybody who may rule may remove it
            act = given.ruling.act
            officer, about = given.officer.id, act.about if isinstance(act, Answering) else cover.terms.kind
        return officer == verified.officer.id or _may_cover(about, verified, batch)

    def _list_covering(self, partition: int, batch: ConversationBatch) -> list[VerifiedRuling]:
        """Return the rulings that cover something now, each verified against the current register."""
        covers = _open_covers(partition, batch)
        for cover in covers.kept.covers:
            if cover.digest not in covers.verified:
                is_over = cover.until <= batch.now_ms
                covers.verified[cover.digest] = None if is_over else self._read_again(cover, partition, batch)
        found = (covers.verified[cover.digest] for cover in covers.kept.covers)
        return [verified for verified in found if verified is not None]

    def _read_again(self, cover: Cover, partition: int, batch: ConversationBatch) -> VerifiedRuling | None:
        try:
            return self._open_again(cover, partition, batch)
        except (LookupError, SealError):
            return None  # the register or the key is not available: then no earlier answer applies

    def _open_again(self, cover: Cover, partition: int, batch: ConversationBatch) -> VerifiedRuling | None:
        """Return a stored ruling if the same officer could sign it now; None if not.

        Raises:
            LookupError: The register is not known.
            SealError: It does not open: a key is not available, or it was altered.
        """
        return verify_again(
            batch.rulings.open_kept(cover.record, cover.key),
            batch.find_officer,
            state=self._state,
            partition=partition,
            at_ms=cover.at,
            now_ms=batch.now_ms,
            key=cover.key,
        )


def _make_cover(verified: VerifiedRuling, act: Answering, record: bytes, until: int) -> Cover:
    terms = CoverTerms(
        verified.officer.id, act.asks[0].provider, act.asks[0].item, act.about, act.recipients, act.rule,
        act.conditions_hash, act.answer, tuple(ground.value for ground in act.grounds),
    )  # fmt: skip
    return Cover(verified.digest, record, verified.at_ms, until, terms, verified.key)


def _may_cover(about: AskKind, verified: VerifiedRuling, batch: ConversationBatch) -> bool:
    """Return whether an officer may cover such Asks at all: for approvals, with a role that the law names."""
    return about is not AskKind.APPROVE or bool(verified.officer.roles & list_opening_roles(batch.law))


def _refuse(verified: VerifiedRuling, item: str, provider: str, batch: ConversationBatch) -> Act:
    return Act(
        ActKind.RULING_REFUSED, item, provider, verified.ruling.state, batch.now_ms,
        reason=Refusal.WRONG_ROLE, **describe_ruling(verified, batch.law),
    )  # fmt: skip


def _open_covers(partition: int, batch: ConversationBatch) -> PartitionCovers:
    known = batch.covers.get(partition)
    if known is None:
        known = batch.covers[partition] = PartitionCovers(batch.entries.find_covers(partition))
    return known


def _list_coverable(prepared: PreparedStep) -> list[str]:
    """Return the Asks that a step has opened for people of this State, of kinds that can be covered."""
    step = prepared.step
    own = step.after.state if isinstance(step.after, ReceivedItem) else step.after.conversation.state
    return [
        effect.ask.id
        for effect in step.effects
        if isinstance(effect, Opened) and effect.ask.row.can_be_covered and effect.ask.state == own
    ]


def _try_to_cover(
    before: Step,
    ask_id: str,
    verified: VerifiedRuling,
    batch: ConversationBatch,
    open_law: OpenLaw,
    prepare: PrepareStep,
) -> PreparedStep | None:
    """Return what a covering answer does to an Ask; None if it does nothing or may not do anything."""
    kept, act = before.after, verified.ruling.act
    asks = kept.asks if isinstance(kept, ReceivedItem) else kept.conversation.asks
    ask = asks.get(ask_id)
    if ask is None or not ask.is_open or not isinstance(act, Answering) or act.asks[0].provider != before.provider:
        return None
    event = make_covering_event(verified.ruling, verified.officer, verified.at_ms, ask)
    if event is None:
        return None
    partition = before.entry.partition
    try:
        law = open_law(kept)
        if isinstance(kept, ReceivedItem):
            require_received_fit(act, ask, kept, batch.law)
            step = advance_received_item(partition, kept, [event], batch.now_ms)
        elif law is not None:
            law.require_fit(act, ask)
            step = advance_item(partition, kept, [event], batch.now_ms, law)
        else:
            return None
        return prepare(step, law, verified) if step.is_changed else None
    except Exception:  # noqa: BLE001 on any error, people are asked as if nobody had answered beforehand
        return None
