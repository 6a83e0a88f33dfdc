"""The directory: what each State announces about its authorities, contact points, interests and acceptances."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from sharing.model.field_validators import CountryCode, make_enum_validator, make_pattern_validator
from sharing.model.indicator import Coerced, Instant, RecordModel, ShortText
from sharing.model.standing_acceptance import ACCEPTANCES_MAX, StandingAcceptance
from sharing.model.times import to_milliseconds
from sharing.model.validation_errors import suggest_nearest, to_input_error
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Authority, OffenceCode, Urgency


def _refuse_unknown_kind(kind: Authority) -> Authority:
    if kind is Authority.UNKNOWN:
        raise ValueError("must be a known kind; leave the list empty for every kind")
    return kind


class ContactPoint(RecordModel):
    """A contact point and its hours."""

    name: ShortText
    hours: ShortText
    languages: Annotated[tuple[ShortText, ...], Coerced] = ()
    email: ShortText | None = None
    phone: ShortText | None = None


class Competence(RecordModel):
    """What an authority is competent for: offences, and kinds of sending authority. An empty list means all."""

    offences: Annotated[tuple[Annotated[OffenceCode, make_enum_validator(OffenceCode)], ...], Coerced] = ()
    senders: Annotated[
        tuple[Annotated[Authority, make_enum_validator(Authority), AfterValidator(_refuse_unknown_kind)], ...], Coerced
    ] = Field(alias="from", default=())

    def includes(self, codes: Collection[str], sender: str) -> bool:
        """Return whether it includes one of some offences, from a sending authority of this kind."""
        return (not self.offences or any(code in self.offences for code in codes)) and (
            not self.senders or sender in self.senders
        )


class CompetentAuthority(RecordModel):
    """An authority that receives spontaneous information, what it is competent for, and how it is reached."""

    name: ShortText
    kind: Annotated[Authority, make_enum_validator(Authority)] = Authority.UNKNOWN
    competence: Competence = Competence()
    contact_points: Annotated[tuple[ContactPoint, ...], Coerced] = ()


def _check_known_types(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in VALUE_TYPES:
            raise ValueError(f"unknown type {name!r}{suggest_nearest(name, VALUE_TYPES)}")
    return names


InterestId = Annotated[
    str,
    make_pattern_validator(
        r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?",
        "must be a code of 1 to 64 lower-case letters, digits, dots and hyphens, such as nl-hosting: other States keep "
        "it permanently in their decisions, so choose one that says nothing about a person or a case",
    ),
]
"""Id of an interest. It is the only thing that another State writes which the decisions of a State contain."""


class Interest(RecordModel):
    """What a State wants to be notified of. An item matches if it shares a member with each list that is not empty."""

    id: InterestId
    offences: Annotated[tuple[Annotated[OffenceCode, make_enum_validator(OffenceCode)], ...], Coerced] = ()
    types: Annotated[tuple[str, ...], Coerced, AfterValidator(_check_known_types)] = ()
    nexus: Annotated[tuple[CountryCode, ...], Coerced] = ()
    modus_operandi: Annotated[tuple[ShortText, ...], Coerced] = ()
    urgency: Annotated[tuple[Annotated[Urgency, make_enum_validator(Urgency)], ...], Coerced] = ()

    @property
    def combinations(self) -> int:
        """Number of combinations of values that match: one value of each list that is not empty."""
        lists = (self.offences, self.types, self.nexus, self.modus_operandi, self.urgency)
        return prod(len(values) for values in lists if values)


VERSION_LENGTH = 32
"""Hexadecimal digits of a directory's version: 128 bits, so that nobody can find two contents with one version."""

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


class DirectoryEntry(RecordModel):
    """What one State announces about itself. Times are in UTC.

    Attributes:
        authorities: Its competent authorities, in its own order; at least one.
    """

    state: CountryCode
    announced_at: Instant
    valid_until: Instant | None = None
    authorities: Annotated[tuple[CompetentAuthority, ...], Coerced, Field(min_length=1)]
    interests: Annotated[tuple[Interest, ...], Coerced, AfterValidator(_limit_combinations)] = ()
    standing_acceptances: Annotated[tuple[StandingAcceptance, ...], Coerced, Field(max_length=ACCEPTANCES_MAX)] = ()

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
        return self.model_dump(mode="python", by_alias=True)

    @cached_property
    def content_digest(self) -> str:
        """Digest of what the entry states. A renewal, which changes only dates, does not change it."""
        content = self.model_dump(mode="python", by_alias=True, exclude=set(_RENEWED_FIELDS))
        return _digest(json.dumps(content, sort_keys=True, default=str))

    def has_expired(self, now_ms: int) -> bool:
        """Return whether the entry has expired at an instant in UTC milliseconds."""
        return self.valid_until is not None and to_milliseconds(self.valid_until) <= now_ms


_RENEWED_FIELDS = ("announced_at", "valid_until")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:VERSION_LENGTH]


@dataclass(frozen=True)
class Directory:
    """A snapshot of all entries.

    Attributes:
        entries: The entry of each State, expired ones included.
        receiving_states: The States that have topics for notices and offers on the cluster; None if that was not
            looked up, as when a command only explains the law.
    """

    entries: Mapping[str, DirectoryEntry] = field(default_factory=dict)
    receiving_states: frozenset[str] | None = field(default=None, kw_only=True)
    _versions: dict[int, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def get_version(self, now_ms: int) -> str:
        """Return the digest of what the entries state that are valid at an instant in UTC milliseconds.

        Renewed entries with the same content have the same version. It changes when an entry expires, and when a
        standing acceptance begins or ends.
        """
        passed = bisect_right(self._changes, now_ms)
        version = self._versions.get(passed)
        if version is None:
            valid = self.get_valid_entries(now_ms)
            lines = (
                f"{state}:{valid[state].content_digest}{_list_accepted(valid[state], now_ms)}"
                for state in sorted(valid)
            )
            version = self._versions[passed] = _digest("".join(f"{line}\n" for line in lines))
        return version

    def get_valid_entries(self, now_ms: int) -> Mapping[str, DirectoryEntry]:
        """Return the entries that have not expired at an instant in UTC milliseconds."""
        return {state: entry for state, entry in self.entries.items() if not entry.has_expired(now_ms)}

    def get_authorities(self, now_ms: int) -> dict[str, tuple[CompetentAuthority, ...]]:
        """Return the authorities of each State with a valid entry, in the State's own order."""
        return {state: entry.authorities for state, entry in self.get_valid_entries(now_ms).items()}

    def get_interests(self, now_ms: int) -> dict[str, tuple[Interest, ...]]:
        """Return the interests of each State with a valid entry."""
        return {state: entry.interests for state, entry in self.get_valid_entries(now_ms).items()}

    def get_standing_acceptances(self, provider: str, now_ms: int) -> dict[str, tuple[StandingAcceptance, ...]]:
        """Return what each State with a valid entry has accepted beforehand from a providing State, and is in force."""
        found = {
            state: tuple(
                each for each in entry.standing_acceptances if each.from_state == provider and each.is_in_force(now_ms)
            )
            for state, entry in self.get_valid_entries(now_ms).items()
        }
        return {state: acceptances for state, acceptances in found.items() if acceptances}

    def get_unreachable_states(self, now_ms: int) -> frozenset[str]:
        """Return the States with a valid entry that have no topics on the cluster."""
        if self.receiving_states is None:
            return frozenset()
        return frozenset(self.get_valid_entries(now_ms)) - self.receiving_states

    @cached_property
    def _changes(self) -> list[int]:
        """When entries expire, and standing acceptances begin or end, in UTC milliseconds, sorted.

        Between two of them the version stays the same.
        """
        entries = self.entries.values()
        expiries = [to_milliseconds(entry.valid_until) for entry in entries if entry.valid_until]
        accepted = [each for entry in entries for each in entry.standing_acceptances]
        return sorted(
            [*expiries, *(to_milliseconds(at) for each in accepted for at in (each.valid_from, each.valid_until))]
        )


def _list_accepted(entry: DirectoryEntry, now_ms: int) -> str:
    return "".join(f":{each.id}" for each in entry.standing_acceptances if each.is_in_force(now_ms))
