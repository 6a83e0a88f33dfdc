"""Countries as ISO 3166-1 alpha-2 codes, from pycountry's copy of the standard.

`UK` and `EL`, in common use for the United Kingdom and Greece, are accepted as input for `GB` and `GR`;
nothing else is converted. Codes that ISO 3166-1 does not assign to a country are refused: `EU` is
reserved, and `XK` (in use for Kosovo) is user-assigned. What a library for telephone numbers or IBANs
answers has to be checked against `COUNTRIES`, since those know more codes than the standard.
"""

from __future__ import annotations

import difflib

import pycountry

from sharing.errors import InputError

_NAMES: dict[str, str] = {country.alpha_2: country.name for country in pycountry.countries}
_BY_OTHER_NAME: dict[str, str] = {
    other.upper(): country.alpha_2
    for country in pycountry.countries
    for other in (country.alpha_3, country.name, getattr(country, "common_name", country.name))
}
_USER_ASSIGNED = {"XK"}

COUNTRIES: frozenset[str] = frozenset(_NAMES)
"""Every code that ISO 3166-1 assigns, upper-case."""

COUNTRY_ALIASES: dict[str, str] = {"UK": "GB", "EL": "GR"}
"""Reserved codes that are accepted as input, with the code that is stored."""


def normalise_country(code: str) -> str:
    """Return the ISO 3166-1 alpha-2 code, upper-case; `UK` becomes `GB` and `EL` becomes `GR`.

    Raises:
        InputError: It is not such a code. The message names the nearest country, never the input.
    """
    text = code.strip()
    upper = COUNTRY_ALIASES.get(text.upper(), text.upper())
    if text.isascii() and upper in COUNTRIES:  # upper() makes ASCII letters of some others
        return upper
    raise InputError(f"must be an ISO 3166-1 alpha-2 country code such as CH or GB{_hint(upper)}")


def country_name(code: str) -> str:
    """Return the ISO short name in English of a country.

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
