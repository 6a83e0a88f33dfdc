"""Countries as ISO 3166-1 alpha-2 codes, from pycountry's copy of the standard.

`UK` and `EL`, in common use for the United Kingdom and Greece, are accepted as input for `GB` and `GR`;
nothing else is converted. Codes that ISO 3166-1 does not assign to a country are refused: `EU` is
reserved, and `XK` (in use for Kosovo) is user-assigned. What a library for telephone numbers or IBANs
answers has to be checked against `COUNTRIES`, since those know more codes than the standard.

Two codes that the standard leaves to its users, `XA` and `XB`, stand for *test States*: an operator's smoke test
and a State that a guide makes up. They may publish, receive and have a pack like any State; but no value points to
them, since no plan of numbers knows them, and no treaty table that is shipped does, so everything is withheld from
them until a table of a user's own says otherwise.
"""

from __future__ import annotations

import difflib

import pycountry

from sharing.errors import InputError

TEST_STATES: dict[str, str] = {"XA": "Test State A", "XB": "Test State B"}
"""User-assigned codes (ISO 3166-1, 8.1.3) of States that do not exist, with their names."""

_COUNTRY_NAMES: dict[str, str] = {country.alpha_2: country.name for country in pycountry.countries}
_NAMES: dict[str, str] = {**_COUNTRY_NAMES, **TEST_STATES}
_BY_OTHER_NAME: dict[str, str] = {
    other.upper(): country.alpha_2
    for country in pycountry.countries
    for other in (country.alpha_3, country.name, getattr(country, "common_name", country.name))
}
_USER_ASSIGNED = {"XK"}

COUNTRIES: frozenset[str] = frozenset(_COUNTRY_NAMES)
"""Every code that ISO 3166-1 assigns, upper-case: what a value can point to."""

STATES: frozenset[str] = COUNTRIES | TEST_STATES.keys()
"""Every code that an actor may have, upper-case."""

COUNTRY_ALIASES: dict[str, str] = {"UK": "GB", "EL": "GR"}
"""Reserved codes that are accepted as input, with the code that is stored."""


def normalise_country(code: str) -> str:
    """Return the ISO 3166-1 alpha-2 code, or a test State's, upper-case; `UK` becomes `GB` and `EL` becomes `GR`.

    Raises:
        InputError: It is not such a code. The message names the nearest country, never the input.
    """
    text = code.strip()
    upper = COUNTRY_ALIASES.get(text.upper(), text.upper())
    if text.isascii() and upper in STATES:  # upper() makes ASCII letters of some others
        return upper
    raise InputError(f"must be an ISO 3166-1 alpha-2 country code such as CH or GB{_hint(upper)}")


def country_name(code: str) -> str:
    """Return the ISO short name in English of a country, or a test State's name.

    Raises:
        InputError: The code is not one that `normalise_country` accepts.
    """
    return _NAMES[normalise_country(code)]


def _hint(upper: str) -> str:
    """Return the nearest known country as the end of a sentence, or why the code is not one."""
    if upper in _USER_ASSIGNED:
        return "; that code is user-assigned and not part of the standard"
    # The standard's alpha-3 codes and names first: they are what people write instead.
    known = _BY_OTHER_NAME if len(upper) > len("GB") else COUNTRIES
    found = difflib.get_close_matches(upper[:80], known, n=1)
    if not found:
        return ""
    nearest = _BY_OTHER_NAME.get(found[0], found[0])
    return f"; did you mean {nearest} ({_NAMES[nearest]})?"
