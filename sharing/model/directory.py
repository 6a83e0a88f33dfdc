"""What States announce about themselves: the receiving authority, contact points, interests, keys, acceptances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import prod
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from sharing.model.indicator import Country, IndicatorPart, Instant, Lax, ShortText
from sharing.model.validation import input_error, nearest
from sharing.model.validators import one_of
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Authority, OffenceCode, Urgency


class CompetentAuthority(IndicatorPart):
    """The authority that receives spontaneous information."""

    name: ShortText
    kind: Annotated[Authority, one_of(Authority)] = Authority.UNKNOWN


class ContactPoint(IndicatorPart):
    """Whom to call, and when."""

    name: ShortText
    hours: ShortText
    languages: Annotated[tuple[ShortText, ...], Lax] = ()
    email: ShortText | None = None
    phone: ShortText | None = None


def _known_types(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in VALUE_TYPES:
            raise ValueError(f"unknown type {name!r}{nearest(name, VALUE_TYPES)}")
    return names


class Interest(IndicatorPart):
    """What a State wants to hear of: met by an item that shares a member with each list that is not empty."""

    id: ShortText
    offences: Annotated[tuple[Annotated[OffenceCode, one_of(OffenceCode)], ...], Lax] = ()
    types: Annotated[tuple[str, ...], Lax, AfterValidator(_known_types)] = ()
    nexus: Annotated[tuple[Country, ...], Lax] = ()
    modus_operandi: Annotated[tuple[ShortText, ...], Lax] = ()
    urgency: Annotated[tuple[Annotated[Urgency, one_of(Urgency)], ...], Lax] = ()

    @property
    def combinations(self) -> int:
        """How many combinations of values meet it, one of each list that is not empty."""
        lists = (self.offences, self.types, self.nexus, self.modus_operandi, self.urgency)
        return prod(len(values) for values in lists if values)


COMBINATIONS_MAX = 100_000
"""What the interests of one State may ask for together: everyone else's index holds an entry for each."""


def _findable(interests: tuple[Interest, ...]) -> tuple[Interest, ...]:
    asked = sum(interest.combinations for interest in interests)
    if asked > COMBINATIONS_MAX:
        raise ValueError(
            f"ask for {asked} combinations of values, more than {COMBINATIONS_MAX}; name fewer criteria or fewer values"
        )
    return interests


class PublicKey(IndicatorPart):
    """A public key with its validity; `use` is SEAL or SIGN."""

    id: ShortText
    use: Annotated[str, Field(pattern="^(SEAL|SIGN)$")]
    algorithm: ShortText
    public: Annotated[bytes, Lax]
    valid_from: Instant
    valid_until: Instant | None = None


class StandingAcceptance(IndicatorPart):
    """Kinds of conditions that a State accepts from another once and for all."""

    from_state: Country
    condition_kinds: Annotated[tuple[ShortText, ...], Lax] = ()
    valid_until: Instant | None = None


class EntrySignature(IndicatorPart):
    """Who vouches for it."""

    algorithm: ShortText = "NONE"
    key_id: ShortText | None = None
    value: Annotated[bytes, Lax] = b""


class DirectoryEntry(IndicatorPart):
    """What one State announces about itself. Times are UTC."""

    state: Country
    announced_at: Instant
    valid_until: Instant | None = None
    authority: CompetentAuthority
    contact_points: Annotated[tuple[ContactPoint, ...], Lax] = ()
    interests: Annotated[tuple[Interest, ...], Lax, AfterValidator(_findable)] = ()
    keys: Annotated[tuple[PublicKey, ...], Lax] = ()
    standing_acceptances: Annotated[tuple[StandingAcceptance, ...], Lax] = ()
    signature: EntrySignature = EntrySignature()

    @classmethod
    def read(cls, data: Mapping[str, Any], *, place: str = "") -> DirectoryEntry:
        """Build from plain data.

        Raises:
            InputError: All that is wrong, in one message.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise input_error(error, cls, place=place) from None

    def to_wire(self) -> dict[str, Any]:
        """Return the record that the Avro schema `DirectoryEntry` describes."""
        return self.model_dump(mode="python")


@dataclass(frozen=True, slots=True)
class Directory:
    """A snapshot of all entries. `version` says how far the topic had been read."""

    entries: Mapping[str, DirectoryEntry] = field(default_factory=dict)
    version: int = 0

    def valid_at(self, now_ms: int) -> Mapping[str, DirectoryEntry]:
        """Return the entries that have not expired at an instant in UTC milliseconds."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        return {
            state: entry
            for state, entry in self.entries.items()
            if entry.valid_until is None or entry.valid_until > now
        }

    def authorities(self, now_ms: int) -> dict[str, str]:
        """Return the kind of the receiving authority of each State with a valid entry."""
        return {state: str(entry.authority.kind) for state, entry in self.valid_at(now_ms).items()}

    def interests(self, now_ms: int) -> dict[str, tuple[Interest, ...]]:
        """Return the interests of each State with a valid entry."""
        return {state: entry.interests for state, entry in self.valid_at(now_ms).items()}
