"""Derives the States that a value points to.

The evidence is a numbering plan, an account prefix, the issuing State of a document, a country-code domain, or IP
geolocation. The numbering plans come from maintained libraries, and values must be in normal form. The country of an IP
address comes from a lookup that the caller provides, because this module does no I/O. A reason names the kind of
evidence, never the value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from stdnum import imsi

from sharing.errors import InputError
from sharing.model.countries import COUNTRIES, normalise_country

GeoLookup = Callable[[str], str | None]
"""Returns the country code of an IPv4 or IPv6 address, or None."""


class NexusEvidence(NamedTuple):
    """A State, and the kind of evidence that points to it, such as "IBAN country"."""

    state: str
    kind: str


NexusFunction = Callable[[str], tuple[NexusEvidence, ...]]
"""Returns the States that a value in normal form points to."""


def no_geo_lookup(_: str) -> None:
    """Return no country; used when no geolocation database is configured."""


def find_nexus_function(type_name: str, locate: GeoLookup = no_geo_lookup) -> NexusFunction | None:
    """Return the function that derives States from values of this type; None if no value of it points to a State."""
    derive = _NEXUS_FUNCTIONS.get(type_name)
    if derive is not None:
        return derive
    extract_host = _HOST_EXTRACTORS.get(type_name)
    if extract_host is None or (locate is no_geo_lookup and type_name in _IP_ADDRESS_TYPES):
        return None
    return lambda value: _derive_from_host(extract_host(value), locate)


@lru_cache(maxsize=4096)
def _make_evidence(state: str | None, kind: str) -> tuple[NexusEvidence, ...]:
    if state is None:
        return ()
    try:
        code = normalise_country(state)
    except InputError:
        return ()  # a code that is not a State, such as EU
    return (NexusEvidence(code, kind),) if code in COUNTRIES else ()


def _derive_from_phone(value: str) -> tuple[NexusEvidence, ...]:
    for end in range(2, 5):  # a calling code has one to three digits, and none is the prefix of another
        evidence = _derive_from_calling_code(value[1:end])
        if evidence is not None:
            return evidence
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return ()
    region = phonenumbers.region_code_for_number(number)
    if region is None or region == "001":  # a global network, not a State
        region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return _make_evidence(None if region in {"001", "ZZ"} else region, f"E.164 prefix +{number.country_code}")


@lru_cache(maxsize=1024)
def _derive_from_calling_code(code: str) -> tuple[NexusEvidence, ...] | None:
    """Return the State of a calling code that belongs to one region; None if no region or several regions have it."""
    regions = phonenumbers.region_codes_for_country_code(int(code)) if code.isdigit() else ()
    return _make_evidence(regions[0], f"E.164 prefix +{code}") if len(regions) == 1 and regions[0] != "001" else None


def _derive_from_imsi(value: str) -> tuple[NexusEvidence, ...]:
    try:
        country = imsi.info(value).get("cc")
    except ValueError:  # not in any numbering plan: only the shape of the value was checked
        return ()
    # One country code may serve several States ("gb,gg"): the first is the State of the numbering plan.
    return _make_evidence(country.split(",")[0].strip().upper() if country else None, "IMSI country code")


def _derive_from_letters_at(position: int, kind: str) -> NexusFunction:
    """Return a function for values that have a country code at a position."""
    return lambda value: _make_evidence(value[position : position + 2], kind)


def _derive_from_country_mark(kind: str) -> NexusFunction:
    """Return a function for values that begin with a country code and a colon."""
    return lambda value: _make_evidence(value.partition(":")[0], kind)


_NEXUS_FUNCTIONS: dict[str, NexusFunction] = {
    "phone-number": _derive_from_phone,
    "imsi": _derive_from_imsi,
    "iban": _derive_from_letters_at(0, "IBAN country"),
    "bic": _derive_from_letters_at(4, "BIC country"),
    "bank-account-nr": _derive_from_country_mark("country of the bank account"),
    "passport-number": _derive_from_country_mark("issuing State of the passport"),
    "identity-card-number": _derive_from_country_mark("issuing State of the identity card"),
    "company-number": _derive_from_country_mark("State of the company register"),
    "vehicle-registration": _derive_from_country_mark("State of the vehicle registration"),
}


def _derive_from_host(host: str, locate: GeoLookup) -> tuple[NexusEvidence, ...]:
    label = host.rpartition(".")[2]
    if label.isalpha():  # the most common case; an IP address does not end in letters
        return _derive_from_top_level_domain(label)
    if _is_address(host):
        return _make_evidence(locate(host), "IP geolocation")
    return _derive_from_top_level_domain(label)


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


@lru_cache(maxsize=2048)
def _derive_from_top_level_domain(label: str) -> tuple[NexusEvidence, ...]:
    # A country code as the last label is a ccTLD (RFC 1591); "uk" is the one that differs from ISO 3166.
    return _make_evidence(label, f"ccTLD .{label}") if len(label) == 2 else ()  # noqa: PLR2004 letters of a country code


def _extract_url_host(value: str) -> str:
    authority = value.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    host = authority.rpartition("@")[2]
    return host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.partition(":")[0]


_IP_ADDRESS_TYPES = frozenset({"ipv4-addr", "ipv6-addr"})

_HOST_EXTRACTORS: dict[str, Callable[[str], str]] = {
    "ipv4-addr": lambda value: value.partition("/")[0],
    "ipv6-addr": lambda value: value.partition("/")[0],
    "domain-name": lambda value: value,
    "url": _extract_url_host,
    "network-traffic": _extract_url_host,
    "email-addr": lambda value: value.rpartition("@")[2],
    "jabber-id": lambda value: value.partition("/")[0].rpartition("@")[2],
}
