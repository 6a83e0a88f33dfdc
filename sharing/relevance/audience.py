"""The audience of an item: the States that it may help, with reasons (named by the agency, derived nexus, interests).

A State is considered only for a reason: an item that points to no State and matches no interest has an empty audience.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from sharing.model.bounded_cache import BoundedCache
from sharing.model.indicator_record import WireRecord
from sharing.model.relevance_reason import Reason, is_named_by_agency
from sharing.model.urgency import get_effective_urgency
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import RelevanceKind
from sharing.relevance.interests import IndicatorTraits, InterestIndex
from sharing.relevance.nexus import (
    GeoLookup,
    NexusEvidence,
    NexusFunction,
    find_nexus_function,
    no_geo_lookup,
)

AUDIENCES_MAX = 20_000
"""Maximum number of cached audiences. Reached only if hardly any two items have equal reasons."""

AUDIENCE_STATES_MAX = 60_000
"""Maximum number of States in all cached audiences together, so that audiences of all States need no more memory."""


class Audience:
    """The considered States, ordered by code. An empty audience means that no State is considered.

    The hash is computed once, because an audience is part of the key of every cached decision.

    Attributes:
        reasons_by_state: Each State with its reasons.
        named_by_agency: The States that the agency named as concerned.
    """

    __slots__ = ("_hash", "named_by_agency", "reasons_by_state")

    reasons_by_state: tuple[tuple[str, tuple[Reason, ...]], ...]
    named_by_agency: frozenset[str]

    def __init__(self, states: Iterable[tuple[str, tuple[Reason, ...]]] = ()) -> None:
        self.reasons_by_state = tuple(sorted(states, key=lambda entry: entry[0]))
        self.named_by_agency = frozenset(
            state for state, reasons in self.reasons_by_state if is_named_by_agency(reasons)
        )
        self._hash = hash(self.reasons_by_state)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Audience) and self.reasons_by_state == other.reasons_by_state)

    def __repr__(self) -> str:
        return f"Audience({', '.join(state for state, _ in self.reasons_by_state)})"


EMPTY_AUDIENCE = Audience()


class AudienceFinder:
    """Finds the audience of items; items with equal nexus, type, offence and urgency share one audience.

    Args:
        interests: The interests that States declared.
        locate: Returns the country of an IP address.

    Attributes:
        find_nexus_function: Returns the function that derives States from values of a type; None if no value of the
            type points to a State.
    """

    find_nexus_function: Callable[[str], NexusFunction | None]

    def __init__(self, interests: InterestIndex, locate: GeoLookup = no_geo_lookup) -> None:
        self._interests = interests
        self.find_nexus_function = {name: find_nexus_function(name, locate) for name in VALUE_TYPES}.get
        self._audiences: BoundedCache[Hashable, Audience] = BoundedCache(
            AUDIENCES_MAX, AUDIENCE_STATES_MAX, lambda _, audience: len(audience.reasons_by_state)
        )

    def find_audience(self, record: WireRecord) -> Audience:
        """Return the States to consider for an indicator's record, each with its reasons."""
        derive = self.find_nexus_function(record["type"])
        return self.find_audience_with(record, () if derive is None else derive(record["value"]))

    def find_audience_with(self, record: WireRecord, derived: tuple[NexusEvidence, ...]) -> Audience:
        """Return the audience of an item whose value points to these States, without reading the value."""
        offence = record["offence"]
        named = tuple([(nexus["state"], nexus["reason"]) for nexus in record["nexus"]])
        key = (
            record["type"], derived, named, get_effective_urgency(record),
            tuple(offence["codes"]), tuple(offence["modus_operandi"]),
        )  # fmt: skip
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences.put(key, self._build_audience(*key))
        return audience

    def _build_audience(
        self,
        type_name: str,
        derived: tuple[NexusEvidence, ...],
        named: tuple[tuple[str, str], ...],
        urgency: str,
        codes: tuple[str, ...],
        modus_operandi: tuple[str, ...],
    ) -> Audience:
        reasons: dict[str, list[Reason]] = {}
        for state, reason in named:
            reasons.setdefault(state, []).append(Reason(RelevanceKind.NEXUS_STATED, reason))
        for state, evidence_kind in derived:
            reasons.setdefault(state, []).append(Reason(RelevanceKind.NEXUS_DERIVED, evidence_kind))
        traits = IndicatorTraits(
            offences=tuple(dict.fromkeys(codes)),
            types=(type_name,),
            nexus=tuple(reasons),
            modus_operandi=tuple(dict.fromkeys(modus_operandi)),
            urgency=(urgency,),
        )
        for state, interest_id in self._interests.find_matches(traits).items():
            reasons.setdefault(state, []).append(Reason(RelevanceKind.INTEREST, f"declared interest {interest_id}"))
        if not reasons:
            return EMPTY_AUDIENCE
        return Audience((state, tuple(state_reasons)) for state, state_reasons in reasons.items())
