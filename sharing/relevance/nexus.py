"""Which States a value itself points to: numbering plans, account and document prefixes, country domains, places.

Derived by well-kept libraries from values in their normal form; the country of an address comes from a lookup
that the caller provides, because that database is a file. A reason names the kind of evidence, never the value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import phonenumbers
from stdnum import imsi

from sharing.errors import InputError
from sharing.model.countries import COUNTRIES, normalise_country

GeoLookup = Callable[[str], str | None]
"""From an IPv4 or IPv6 address to a country code, or None."""

Evidence = tuple[str, str]
"""A State, and what points to it."""

Deriver = Callable[[str], tuple[Evidence, ...]]
"""From a value in its normal form to the States that it points to."""


def no_lookup(_: str) -> None:
    """Stand in where no geolocation database is configured."""


def derive_nexus(type_name: str, value: str, locate: GeoLookup = no_lookup) -> tuple[Evidence, ...]:
    """Return the States that a value points to, each with the kind of evidence.

    Args:
        type_name: Type of the indicator.
        value: In the normal form of its type.
        locate: Country of an IP address.
    """
    derive = deriver(type_name, locate)
    return derive(value) if derive is not None else ()


def deriver(type_name: str, locate: GeoLookup = no_lookup) -> Deriver | None:
    """Return what derives the States that a value of this type points to; None where no value of it can."""
    derive = _DERIVE.get(type_name)
    if derive is not None:
        return derive
    host = _HOST.get(type_name)
    if host is None or (locate is no_lookup and type_name in _ADDRESSES):
        return None
    return lambda value: _from_host(host(value), locate)


def _evidence(state: str | None, detail: str) -> tuple[Evidence, ...]:
    if state is None:
        return ()
    try:
        code = normalise_country(state)
    except InputError:
        return ()  # a region that is no State, such as the EU's own prefix
    return ((code, detail),) if code in COUNTRIES else ()


def _from_phone(value: str) -> tuple[Evidence, ...]:
    for digits in range(2, 5):  # calling codes have one to three digits, and none begins another
        known = _from_calling_code(value[1:digits])
        if known is not None:
            return known
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return ()
    region = phonenumbers.region_code_for_number(number)
    if region is None or region == "001":  # a global network, no State
        region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return _evidence(None if region in {"001", "ZZ"} else region, f"E.164 prefix +{number.country_code}")


@lru_cache(maxsize=1024)
def _from_calling_code(code: str) -> tuple[Evidence, ...] | None:
    """Return what a calling code that one region has points to; None where there is none such, or several have it."""
    regions = phonenumbers.region_codes_for_country_code(int(code)) if code.isdigit() else ()
    return _evidence(regions[0], f"E.164 prefix +{code}") if len(regions) == 1 and regions[0] != "001" else None


def _from_imsi(value: str) -> tuple[Evidence, ...]:
    try:
        country = imsi.info(value).get("cc")
    except ValueError:  # digits of no numbering plan: the shape was looked at, and nothing more
        return ()
    # One country code may serve several States ("gb,gg"): the first is the numbering plan's own.
    return _evidence(country.split(",")[0].strip().upper() if country else None, "IMSI country code")


def _from_prefix(detail: str, position: int = 0) -> Deriver:
    return lambda value: _evidence(value[position : position + 2], detail)


def _from_marked(detail: str) -> Deriver:
    return lambda value: _evidence(value.partition(":")[0], detail)


_DERIVE: dict[str, Deriver] = {
    "phone-number": _from_phone,
    "imsi": _from_imsi,
    "iban": _from_prefix("IBAN country"),
    "bic": _from_prefix("BIC country", 4),
    "bank-account-nr": _from_marked("country of the bank account"),
    "passport-number": _from_marked("issuing State of the passport"),
    "identity-card-number": _from_marked("issuing State of the identity card"),
    "company-number": _from_marked("State of the company register"),
    "vehicle-registration": _from_marked("State of the vehicle registration"),
}


def _from_host(host: str, locate: GeoLookup) -> tuple[Evidence, ...]:
    label = host.rpartition(".")[2]
    if label.isalpha():  # most of them; no address ends so
        return _from_suffix(label)
    if _is_address(host):
        return _evidence(locate(host), "IP geolocation")
    return _from_suffix(label)


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


@lru_cache(maxsize=2048)
def _from_suffix(label: str) -> tuple[Evidence, ...]:
    # A country code as the last label is a ccTLD (RFC 1591); "uk" is the one that differs from ISO 3166.
    return _evidence(label, f"ccTLD .{label}") if len(label) == 2 else ()  # noqa: PLR2004 letters of a country code


def _host_of_url(value: str) -> str:
    authority = value.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    host = authority.rpartition("@")[2]
    return host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.partition(":")[0]


_ADDRESSES = frozenset({"ipv4-addr", "ipv6-addr"})

_HOST: dict[str, Callable[[str], str]] = {
    "ipv4-addr": lambda value: value.partition("/")[0],
    "ipv6-addr": lambda value: value.partition("/")[0],
    "domain-name": lambda value: value,
    "url": _host_of_url,
    "network-traffic": _host_of_url,
    "email-addr": lambda value: value.rpartition("@")[2],
    "jabber-id": lambda value: value.partition("/")[0].rpartition("@")[2],
}
