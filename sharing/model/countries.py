"""Countries as ISO 3166-1 alpha-2 codes, from pycountry's copy of the standard.

`UK` and `EL`, commonly used for the United Kingdom and Greece, are accepted as input for `GB` and `GR`; no other code
is converted. Codes that ISO 3166-1 does not assign to a country are refused: `EU` is reserved, and `XK` (for Kosovo)
is user-assigned. Country codes returned by libraries for telephone numbers or IBANs must be checked against
`COUNTRIES`, since those libraries know more codes than the standard.

Three user-assigned codes, `XA`, `XB` and `XC`, denote *test States*, used by the smoke test and as fictitious States in
guides and tests.
Test States may publish, receive and have a pack like any State. No value points to them, since no numbering plan
contains them, and the shipped treaty table does not list them. Everything is therefore withheld from them unless a
user's own treaty table lists them.
"""

from __future__ import annotations

import difflib

import pycountry

from sharing.errors import InputError
from sharing.sentences import say

TEST_STATES: dict[str, str] = {"XA": "Test State A", "XB": "Test State B", "XC": "Test State C"}
"""Test States: user-assigned codes (ISO 3166-1, 8.1.3) and their names."""

_COUNTRY_NAMES: dict[str, str] = {country.alpha_2: country.name for country in pycountry.countries}
_NAMES: dict[str, str] = {**_COUNTRY_NAMES, **TEST_STATES}
_BY_OTHER_NAME: dict[str, str] = {
    other.upper(): country.alpha_2
    for country in pycountry.countries
    for other in (country.alpha_3, country.name, getattr(country, "common_name", country.name))
}
_USER_ASSIGNED = {"XK"}

COUNTRIES: frozenset[str] = frozenset(_COUNTRY_NAMES)
"""Every code that ISO 3166-1 assigns, in upper case: the countries to which a value can point."""

STATES: frozenset[str] = COUNTRIES | TEST_STATES.keys()
"""Every code that a participating State may have, in upper case: countries and test States."""

COUNTRY_ALIASES: dict[str, str] = {"UK": "GB", "EL": "GR"}
"""Reserved codes that are accepted as input, and the code that is stored instead."""


def normalise_country(code: str) -> str:
    """Return the upper-case ISO 3166-1 alpha-2 code or test State code; `UK` becomes `GB` and `EL` becomes `GR`.

    Raises:
        InputError: The code is not known. The message suggests the nearest country, and never repeats the input.
    """
    text = code.strip()
    upper = COUNTRY_ALIASES.get(text.upper(), text.upper())
    if text.isascii() and upper in STATES:  # upper() turns some non-ASCII letters into ASCII
        return upper
    raise InputError(
        say("must be an ISO 3166-1 alpha-2 country code such as CH or GB%(hint)s", hint=_suggest_country(upper))
    )


def country_name(code: str) -> str:
    """Return the ISO short name in English of a country, or a test State's name.

    Raises:
        InputError: The code is not one that `normalise_country` accepts.
    """
    return _NAMES[normalise_country(code)]


def _suggest_country(upper: str) -> str:
    """Return a suggestion of the nearest country, or why the code is not valid; empty if there is neither."""
    if upper in _USER_ASSIGNED:
        return say("; that code is user-assigned and not part of the standard")
    # Longer input is likely to be an alpha-3 code or a name.
    candidates = _BY_OTHER_NAME if len(upper) > len("GB") else COUNTRIES
    matches = difflib.get_close_matches(upper[:80], candidates, n=1)
    if not matches:
        return ""
    nearest = _BY_OTHER_NAME.get(matches[0], matches[0])
    return say("; did you mean %(code)s (%(name)s)?", code=nearest, name=_NAMES[nearest])
