"""The directory: what each State announces about its authority, contact points, interests, keys and acceptances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import prod
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError

from sharing.model.field_validators import CountryCode, enum_validator, pattern_validator
from sharing.model.indicator import Coerced, Instant, RecordModel, ShortText
from sharing.model.validation_errors import suggest_nearest, to_input_error
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Authority, OffenceCode, Urgency


class CompetentAuthority(RecordModel):
    """The authority that receives spontaneous information."""

    name: ShortText
    kind: Annotated[Authority, enum_validator(Authority)] = Authority.UNKNOWN


class ContactPoint(RecordModel):
    """A contact point and its hours."""

    name: ShortText
    hours: ShortText
    languages: Annotated[tuple[ShortText, ...], Coerced] = ()
    email: ShortText | None = None
    phone: ShortText | None = None


def _check_known_types(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in VALUE_TYPES:
            raise ValueError(f"unknown type {name!r}{suggest_nearest(name, VALUE_TYPES)}")
    return names


class Interest(RecordModel):
    """What a State wants to be notified of. An item matches if it shares a member with each list that is not empty."""

    id: ShortText
    offences: Annotated[tuple[Annotated[OffenceCode, enum_validator(OffenceCode)], ...], Coerced] = ()
    types: Annotated[tuple[str, ...], Coerced, AfterValidator(_check_known_types)] = ()
    nexus: Annotated[tuple[CountryCode, ...], Coerced] = ()
    modus_operandi: Annotated[tuple[ShortText, ...], Coerced] = ()
    urgency: Annotated[tuple[Annotated[Urgency, enum_validator(Urgency)], ...], Coerced] = ()

    @property
    def combinations(self) -> int:
        """Number of combinations of values that match: one value of each list that is not empty."""
        lists = (self.offences, self.types, self.nexus, self.modus_operandi, self.urgency)
        return prod(len(values) for values in lists if values)


COMBINATIONS_MAX = 100_000
"""Limit for all interests of a State: the index of every other State has an entry for each combination."""


def _limit_combinations(interests: tuple[Interest, ...]) -> tuple[Interest, ...]:
    combinations = sum(interest.combinations for interest in interests)
    if combinations > COMBINATIONS_MAX:
        raise ValueError(
            f"must not have more than {COMBINATIONS_MAX} combinations of values, but have {combinations}; "
            "use fewer criteria or fewer values"
        )
    return interests


class PublicKey(RecordModel):
    """A public key with its validity period; `use` is SEAL or SIGN."""

    id: ShortText
    use: Annotated[str, pattern_validator("SEAL|SIGN", "must be SEAL or SIGN")]
    algorithm: ShortText
    public: Annotated[bytes, Coerced]
    valid_from: Instant
    valid_until: Instant | None = None


class StandingAcceptance(RecordModel):
    """Kinds of conditions from another State that a State accepts in advance."""

    from_state: CountryCode
    condition_kinds: Annotated[tuple[ShortText, ...], Coerced] = ()
    valid_until: Instant | None = None


class EntrySignature(RecordModel):
    """Signature of a directory entry."""

    algorithm: ShortText = "NONE"
    key_id: ShortText | None = None
    value: Annotated[bytes, Coerced] = b""


class DirectoryEntry(RecordModel):
    """What one State announces about itself. Times are in UTC."""

    state: CountryCode
    announced_at: Instant
    valid_until: Instant | None = None
    authority: CompetentAuthority
    contact_points: Annotated[tuple[ContactPoint, ...], Coerced] = ()
    interests: Annotated[tuple[Interest, ...], Coerced, AfterValidator(_limit_combinations)] = ()
    keys: Annotated[tuple[PublicKey, ...], Coerced] = ()
    standing_acceptances: Annotated[tuple[StandingAcceptance, ...], Coerced] = ()
    signature: EntrySignature = EntrySignature()

    @classmethod
    def parse(cls, data: Mapping[str, Any], *, location: str = "") -> DirectoryEntry:
        """Build an entry from decoded data.

        Args:
            data: The fields.
            location: Location in the input file, for the error.

        Raises:
            InputError: The data is not valid. One message lists all problems.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise to_input_error(error, cls, location=location) from None

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema `DirectoryEntry` describes."""
        return self.model_dump(mode="python")


@dataclass(frozen=True, slots=True)
class Directory:
    """A snapshot of all entries. `version` is the topic position up to which the snapshot was read."""

    entries: Mapping[str, DirectoryEntry] = field(default_factory=dict)
    version: int = 0

    def get_valid_entries(self, now_ms: int) -> Mapping[str, DirectoryEntry]:
        """Return the entries that have not expired at an instant in UTC milliseconds."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        return {
            state: entry
            for state, entry in self.entries.items()
            if entry.valid_until is None or entry.valid_until > now
        }

    def get_authorities(self, now_ms: int) -> dict[str, str]:
        """Return the kind of receiving authority of each State with a valid entry."""
        return {state: str(entry.authority.kind) for state, entry in self.get_valid_entries(now_ms).items()}

    def get_interests(self, now_ms: int) -> dict[str, tuple[Interest, ...]]:
        """Return the interests of each State with a valid entry."""
        return {state: entry.interests for state, entry in self.get_valid_entries(now_ms).items()}
