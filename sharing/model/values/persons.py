"""Persons, identity documents, companies and vehicles."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import TYPE_CHECKING

from sharing.model.values.text import (
    FORBIDDEN_IN_LINE,
    InvalidValueError,
    collapse_whitespace,
    require_match,
    split_country_code,
    strip_separators,
    upper_nfc,
)
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_YEAR, _LAST_YEAR = 1850, 2100  # catches typing errors; the model reads no clock, so it cannot be tighter
# Apostrophes, hyphens, the Catalan middle dot, and the joiners that Persian and Indic spelling requires.
_NAME_MARKS = frozenset(" '.,-\u2019\u2010\u2011\u00b7\u200c\u200d")
_PERSON = re.compile(rf"[^|{FORBIDDEN_IN_LINE}]{{2,300}}\|[12][0-9]{{3}}-[01][0-9]-[0-3][0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PASSPORT = re.compile(r"[A-Z]{2}:(?=[A-Z]*[0-9])[A-Z0-9]{4,20}")
_IDENTITY_CARD = re.compile(r"[A-Z]{2}:(?=[A-Z]*[0-9])[A-Z0-9]{4,24}")
_COMPANY = re.compile(r"[A-Z]{2}:(?=[A-Z]*[0-9])[A-Z0-9]{2,24}")
_VEHICLE = re.compile(rf"[A-Z]{{2}}:[^\s!-/:-@\[-`a-z{{-~{FORBIDDEN_IN_LINE}]{{2,16}}")


def _make_document_number_normaliser(shape: re.Pattern[str]) -> Callable[[str], str]:
    """Return a normaliser for `CC:NUMBER` with ASCII letters and digits; it removes separators."""

    def normalise(text: str) -> str:
        country, number = split_country_code(text)
        return require_match(shape, f"{country}:{strip_separators(number).upper()}")

    return normalise


def _normalise_vehicle_registration(text: str) -> str:
    country, number = split_country_code(text)
    number = upper_nfc(strip_separators(number))
    if not any(character.isalnum() for character in number):
        raise InvalidValueError(say("must contain a letter or digit"))
    # Plates use the letters of their country: umlauts, Cyrillic, Arabic, kana.
    if any(unicodedata.category(character)[0] not in "LM" and not character.isdecimal() for character in number):
        raise InvalidValueError(say("must contain letters and digits only"))
    return require_match(_VEHICLE, f"{country}:{number}")


def _normalise_person(text: str) -> str:
    name, bar, birth_date = text.rpartition("|")
    name = collapse_whitespace(name)
    if not bar or "|" in name:
        raise InvalidValueError(say("must be a name, one vertical bar and a date"))
    other_characters = (c for c in name if unicodedata.category(c)[0] not in "LM" and c not in _NAME_MARKS)
    if not any(c.isalpha() for c in name) or any(other_characters):
        raise InvalidValueError(say("the name must consist of letters"))
    day = date.fromisoformat(require_match(_DATE, birth_date.strip()))
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise InvalidValueError(
            say("the year of birth must be between %(first)s and %(last)s", first=_FIRST_YEAR, last=_LAST_YEAR)
        )
    return require_match(_PERSON, f"{name}|{day.isoformat()}")


PERSON_TYPES = (
    ValueType(
        "person",
        ValueTypeGroup.PERSON,
        "a full name, a vertical bar and the date of birth as YYYY-MM-DD",
        "Erika Mustermann|1964-08-12",
        _PERSON,
        _normalise_person,
        enumerable=True,
        unicode=True,
    ),
    ValueType(
        "passport-number",
        ValueTypeGroup.PERSON,
        "the issuing State's ISO 3166-1 alpha-2 code, a colon, and 4 to 20 letters and digits",
        "CH:X1234567",
        _PASSPORT,
        _make_document_number_normaliser(_PASSPORT),
        enumerable=True,
    ),
    ValueType(
        "identity-card-number",
        ValueTypeGroup.PERSON,
        "the issuing State's ISO 3166-1 alpha-2 code, a colon, and 4 to 24 letters and digits",
        "DE:T220001293",
        _IDENTITY_CARD,
        _make_document_number_normaliser(_IDENTITY_CARD),
        enumerable=True,
    ),
    ValueType(
        "company-number",
        ValueTypeGroup.PERSON,
        "the ISO 3166-1 alpha-2 code of the register's State, a colon, and 2 to 24 letters and digits",
        "GB:00000000",
        _COMPANY,
        _make_document_number_normaliser(_COMPANY),
        enumerable=True,
    ),
    ValueType(
        "vehicle-registration",
        ValueTypeGroup.PERSON,
        "the registering State's ISO 3166-1 alpha-2 code, a colon, and 2 to 16 letters and digits",
        "CH:ZH000000",
        _VEHICLE,
        _normalise_vehicle_registration,
        enumerable=True,
        unicode=True,
    ),
)
