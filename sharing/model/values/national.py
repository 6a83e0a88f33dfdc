"""Values that only have a meaning together with a State, written `CC:value`."""

from __future__ import annotations

from sharing.model.countries import COUNTRIES, COUNTRY_ALIASES
from sharing.model.values.text import Refused


def split_country(text: str) -> tuple[str, str]:
    """Split `CC:rest`, the country being ISO 3166-1 alpha-2 (UK is read as GB, EL as GR).

    Raises:
        Refused: There is no such country before a colon.
    """
    code, colon, rest = text.partition(":")
    code = code.strip()
    if not colon or not code.isascii():
        raise Refused("it has no country and colon first")
    country = COUNTRY_ALIASES.get(code.upper(), code.upper())
    if country not in COUNTRIES:
        raise Refused("what stands before the colon is not an ISO 3166-1 country")
    return country, rest
