"""Persons and things: names with date of birth, documents, companies, vehicles."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import TYPE_CHECKING

from sharing.model.values.national import split_country
from sharing.model.values.text import NOT_IN_A_LINE, Refused, collapse, require, squeeze, upper
from sharing.model.values.value_type import ValueType, ValueTypeGroup

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_YEAR, _LAST_YEAR = 1850, 2100  # no clock here: a bound for slips of the pen, not for plausibility
# Apostrophes, hyphens, the Catalan dot; and the joiners that Persian and Indic spelling needs.
_NAME_MARKS = frozenset(" '.,-\u2019\u2010\u2011\u00b7\u200c\u200d")
_PERSON = re.compile(rf"[^|{NOT_IN_A_LINE}]{{2,300}}\|[12][0-9]{{3}}-[01][0-9]-[0-3][0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PASSPORT = re.compile(r"[A-Z]{2}:(?=[A-Z]*[0-9])[A-Z0-9]{4,20}")
_IDENTITY_CARD = re.compile(r"[A-Z]{2}:(?=[A-Z]*[0-9])[A-Z0-9]{4,24}")
_COMPANY = re.compile(r"[A-Z]{2}:(?=[A-Z]*[0-9])[A-Z0-9]{2,24}")
_VEHICLE = re.compile(rf"[A-Z]{{2}}:[^\s!-/:-@\[-`a-z{{-~{NOT_IN_A_LINE}]{{2,16}}")


def _number_of(shape: re.Pattern[str]) -> Callable[[str], str]:
    """Return the rule for `CC:NUMBER` with a number of ASCII letters and digits, separators removed."""

    def normalise(text: str) -> str:
        country, number = split_country(text)
        return require(shape, f"{country}:{squeeze(number).upper()}")

    return normalise


def _vehicle(text: str) -> str:
    country, number = split_country(text)
    number = upper(squeeze(number))
    if not any(character.isalnum() for character in number):
        raise Refused("it contains no letter or digit")
    # Plates are read in the letters of their country: umlauts, Cyrillic, Arabic, kana.
    if any(unicodedata.category(character)[0] not in "LM" and not character.isdecimal() for character in number):
        raise Refused("it contains something other than letters and digits")
    return require(_VEHICLE, f"{country}:{number}")


def _person(text: str) -> str:
    name, bar, born = text.rpartition("|")
    name = collapse(name)
    if not bar or "|" in name:
        raise Refused("it is not a name, one vertical bar and a date")
    foreign = (c for c in name if unicodedata.category(c)[0] not in "LM" and c not in _NAME_MARKS)
    if not any(c.isalpha() for c in name) or any(foreign):
        raise Refused("the name is not made of letters")
    day = date.fromisoformat(require(_DATE, born.strip()))
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise Refused(f"the year of birth is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return require(_PERSON, f"{name}|{day.isoformat()}")


PERSON_TYPES = (
    ValueType(
        "person",
        ValueTypeGroup.PERSON,
        "a full name, a vertical bar and the date of birth as YYYY-MM-DD",
        "Erika Mustermann|1964-08-12",
        _PERSON,
        _person,
        enumerable=True,
        unicode=True,
    ),
    ValueType(
        "passport-number",
        ValueTypeGroup.PERSON,
        "the issuing State's ISO 3166-1 alpha-2 code, a colon, and 4 to 20 letters and digits",
        "CH:X1234567",
        _PASSPORT,
        _number_of(_PASSPORT),
        enumerable=True,
    ),
    ValueType(
        "identity-card-number",
        ValueTypeGroup.PERSON,
        "the issuing State's ISO 3166-1 alpha-2 code, a colon, and 4 to 24 letters and digits",
        "DE:T220001293",
        _IDENTITY_CARD,
        _number_of(_IDENTITY_CARD),
        enumerable=True,
    ),
    ValueType(
        "company-number",
        ValueTypeGroup.PERSON,
        "the ISO 3166-1 alpha-2 code of the register's State, a colon, and 2 to 24 letters and digits",
        "GB:00000000",
        _COMPANY,
        _number_of(_COMPANY),
        enumerable=True,
    ),
    ValueType(
        "vehicle-registration",
        ValueTypeGroup.PERSON,
        "the registering State's ISO 3166-1 alpha-2 code, a colon, and 2 to 16 letters and digits",
        "CH:ZH000000",
        _VEHICLE,
        _vehicle,
        enumerable=True,
        unicode=True,
    ),
)
