"""The answers that cover later Asks, as the state store keeps them: one entry in each partition.

What is kept is the record that the officer has signed, sealed as it was in the topic of rulings, and its key under the
State's wrapping key. It is not trusted merely because it is stored: each reader that lets it answer an Ask opens and
verifies it again. The terms that lists show are stored with it; they contain only codes and ids. The number of covers
is bounded, and so is the time for which each applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.item_keys import COVERS_PREFIX
from sharing.errors import DecodeError
from sharing.model.times import DAY_MS
from sharing.seal.rulings import KeptRulingKey
from sharing.serialization.codec import get_codec

SCHEMA: Final = "covers"

COVERS_MAX: Final = 64
"""How many answers may cover later Asks at a time. If more are needed, a rule of the State's law should say it."""

COVERS_BYTES_MAX: Final = 500_000
"""How large the rulings of one entry may be in total: half of the limit for an entry."""

ENDED_MAX: Final = 1_000
"""How many ended ones are remembered."""

ENDED_MS: Final = DAY_MS
"""How long an ended cover is remembered: a copy of its ruling can be written for at most a day."""


@dataclass(frozen=True, slots=True)
class CoverTerms:
    """What lists show of an answer that covers later Asks. Nothing is answered by it.

    Attributes:
        officer: Id of the officer who has signed it.
        provider: The State that provides the items.
        item: Id of the first item that it answered a question about.
        kind: The kind of the Asks that it covers.
        recipients: The receiving States of these Asks, in alphabetical order.
        rule: Id of the rule that asks; None where no rule does.
        conditions_hash: Hash of the conditions that the officer has read; None if there are none.
        answer: The answer.
        grounds: For a refusal, its grounds, as codes.
    """

    officer: str
    provider: str
    item: str
    kind: AskKind
    recipients: tuple[str, ...]
    rule: str | None
    conditions_hash: str | None
    answer: Answer
    grounds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cover:
    """An answer that covers later Asks.

    Attributes:
        digest: What identifies its ruling, in hexadecimal digits.
        record: The record of the ruling as it was in the topic of rulings, in single-object encoding.
        at: The broker's time of the ruling, in UTC milliseconds.
        until: Until when it covers, in UTC milliseconds.
        terms: What lists show of it.
        key: The key of the sealed record, as the State keeps it; None if the record is in clear.
    """

    digest: str
    record: bytes = field(repr=False)
    at: int
    until: int
    terms: CoverTerms
    key: KeptRulingKey | None = None


@dataclass(frozen=True, slots=True)
class Covers:
    """What is kept of one partition.

    Attributes:
        covers: The answers, in the order in which they were given.
        ended: Until when a copy of an ended one may be written, in UTC milliseconds, by its digest.
    """

    covers: tuple[Cover, ...] = ()
    ended: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_full(self) -> bool:
        """Whether there are too many of them to be kept."""
        return len(self.covers) > COVERS_MAX or sum(len(cover.record) for cover in self.covers) > COVERS_BYTES_MAX

    def find(self, digest: str) -> Cover | None:
        """Return the one with this digest; None if there is none."""
        return next((cover for cover in self.covers if cover.digest == digest), None)

    def drop_old(self, now: int) -> Covers:
        """Return the covers that still apply at a time in UTC milliseconds, and what must be remembered."""
        covers = tuple(cover for cover in self.covers if cover.until > now)
        return Covers(covers, {digest: until for digest, until in self.ended.items() if until > now})

    def add(self, cover: Cover) -> Covers:
        """Return the covers with an additional one. A copy of one that is stored or has ended changes nothing."""
        if self.find(cover.digest) is not None or cover.digest in self.ended:
            return self
        return replace(self, covers=(*self.covers, cover))

    def end(self, digest: str, at: int) -> Covers:
        """Return the covers without one. A copy of its ruling does not start it again.

        Args:
            digest: What identifies its ruling. The ruling may arrive after its end, if somebody has held it back.
            at: When it was ended, in UTC milliseconds.
        """
        covers = tuple(cover for cover in self.covers if cover.digest != digest)
        ended = sorted({**self.ended, digest: at + ENDED_MS}.items(), key=lambda each: each[1])
        return Covers(covers, dict(ended[-ENDED_MAX:]))


def make_covers_key(partition: int) -> bytes:
    """Return the key of the entry of a partition."""
    return b"%b%d" % (COVERS_PREFIX, partition)


def encode_covers(covers: Covers) -> bytes:
    """Return the entry."""
    return get_codec(SCHEMA).encode(
        {
            "covers": [_encode_cover(cover) for cover in covers.covers],
            "ended": [{"digest": bytes.fromhex(digest), "until": until} for digest, until in covers.ended.items()],
        }
    )


def decode_covers(entry: bytes | None) -> Covers:
    """Return what an entry says; nothing is kept where there is none.

    Raises:
        DecodeError: It is malformed, or of a schema that this release does not know.
    """
    if entry is None:
        return Covers()
    fields = get_codec(SCHEMA).decode(entry)
    listed = (*fields["covers"], *fields["ended"])
    if any(len(each["digest"]) != 32 for each in listed):  # noqa: PLR2004 the bytes of a SHA-256
        raise DecodeError(
            "the entry of the answers that cover later Asks is malformed; restore the topic", cause="MALFORMED"
        )
    try:
        covers = tuple(map(_decode_cover, fields["covers"]))
    except ValueError:
        raise DecodeError(
            "the entry of the answers that cover later Asks has a code that this release does not know; update it",
            cause="MALFORMED",
        ) from None
    return Covers(covers, {each["digest"].hex(): each["until"] for each in fields["ended"]})


def _encode_cover(cover: Cover) -> dict[str, Any]:
    terms, key = cover.terms, cover.key
    return {
        "digest": bytes.fromhex(cover.digest), "ruling": cover.record, "at": cover.at, "until": cover.until,
        "wrapping_key": None if key is None else key.wrapping_key,
        "wrapped_key": None if key is None else key.wrapped,
        "officer": terms.officer, "provider": terms.provider, "item": terms.item,
        "kind": terms.kind.value,
        "recipients": list(terms.recipients), "rule": terms.rule, "conditions_hash": terms.conditions_hash,
        "answer": terms.answer.value, "grounds": list(terms.grounds),
    }  # fmt: skip


def _decode_cover(fields: Mapping[str, Any]) -> Cover:
    """Return a cover.

    Raises:
        ValueError: It has a code that is not known.
    """
    terms = CoverTerms(
        fields["officer"], fields["provider"], fields["item"], AskKind(fields["kind"]), tuple(fields["recipients"]),
        fields["rule"], fields["conditions_hash"], Answer(fields["answer"]), tuple(fields["grounds"]),
    )  # fmt: skip
    wrapping_key, wrapped = fields["wrapping_key"], fields["wrapped_key"]
    key = None if wrapping_key is None or wrapped is None else KeptRulingKey(wrapping_key, wrapped)
    return Cover(fields["digest"].hex(), fields["ruling"], fields["at"], fields["until"], terms, key)
