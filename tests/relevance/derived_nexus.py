"""Derives the States that a single value points to."""

from __future__ import annotations

from sharing.relevance.nexus import GeoLookup, NexusEvidence, find_nexus_function, no_geo_lookup


def derive_nexus(type_name: str, value: str, locate: GeoLookup = no_geo_lookup) -> tuple[NexusEvidence, ...]:
    """Return the States that a value in normal form points to."""
    derive = find_nexus_function(type_name, locate)
    return () if derive is None else derive(value)
