"""Outcomes of every kind, and what reads blocks of them."""

from __future__ import annotations

from sharing.conversation.revision import Revision
from sharing.model.decision import PackReference
from sharing.model.recipient_terms import RuleReference, UndecidedRule
from sharing.model.vocabulary import Effect, Outcome
from sharing.outcomes.block_reading import read_block
from sharing.outcomes.block_writing import SCHEMA, BlockPlace, RowTag, encode_outcome, iter_blocks, pack_id
from sharing.outcomes.outcome import (
    DecidedGroup,
    DecidedOutcome,
    FollowedOutcome,
    ItemOutcome,
    OutcomeWriter,
    QuarantinedOutcome,
    Told,
    digest_agency,
)
from sharing.serialization.codec import get_codec

PACK = PackReference("CH", "2026.1", "0" * 64)
FIRST = Revision(1)
NOW_MS = 1_772_366_400_000
PERMIT = RuleReference("ch.permit", "art. 1", Effect.PERMIT)
DENY = RuleReference("ch.deny", "art. 9", Effect.DENY)


def make_group(outcome: Outcome = Outcome.DISCLOSE, *states: str, rule: RuleReference = PERMIT) -> DecidedGroup:
    return DecidedGroup(
        states or ("DE", "NL"), outcome, outcome is Outcome.DISCLOSE, False, "BUDAPEST", None, (rule,), (), ("c.one",),
        ("summary",),
    )  # fmt: skip


ASKED = DecidedGroup(
    ("FR",), Outcome.WITHHOLD, False, True, None, "JUDGE", (), (UndecidedRule("ch.permit", "form"),), (), ()
)
TOLD: tuple[Told, ...] = (
    DecidedOutcome(False, (make_group(), ASKED)),
    DecidedOutcome(True, (make_group(Outcome.WITHHOLD, "US", rule=DENY),)),
    DecidedOutcome(True, ()),
    DecidedOutcome(False, (), is_shortened=True),
    QuarantinedOutcome("CHECK", "FIELD_ID", "id: must equal the record key"),
    QuarantinedOutcome("READ", "BAD_COMPRESSION", "it could not be read", 17),
    FollowedOutcome("ASKED", ("DE",), "APPROVE", NOW_MS + 1, "JUDGE", None, ("form",)),
    FollowedOutcome("ANSWERED", ("DE",), "ACCEPT", answer="ACCEPTED"),
    FollowedOutcome("A_LATER_KIND", ()),
)


def make_tag(told: Told = TOLD[0], version: int = 1, amendment: int = 0, agency: str = "fedpol") -> RowTag:
    return RowTag(agency, version, amendment, encode_outcome(agency, told), isinstance(told, DecidedOutcome))


def make_place(partition: int = 0, writer: OutcomeWriter = OutcomeWriter.GATE, state: str = "CH") -> BlockPlace:
    return BlockPlace(state, writer, partition, NOW_MS, PACK)


def make_block(*rows: tuple[str, RowTag], partition: int = 0, state: str = "CH") -> bytes:
    """Return the record of one block with these rows."""
    ids = [pack_id(identity) for identity, _ in rows]
    (block,) = iter_blocks(make_place(partition, state=state), ids, [tag for _, tag in rows])
    return get_codec(SCHEMA).header + block


def read_items(value: bytes | None) -> list[ItemOutcome]:
    return list(read_block(value).items)


def make_item(identity: str, told: Told, revision: Revision = FIRST, agency: str = "fedpol") -> ItemOutcome:
    return ItemOutcome(identity, revision, digest_agency(agency), told, NOW_MS, 0)
