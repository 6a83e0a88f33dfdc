"""Reusable pydantic validators: enum members by name, text patterns and country codes."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from sharing.errors import InputError
from sharing.model.countries import normalise_country
from sharing.model.validation_errors import suggest_nearest
from sharing.sentences import get_sentence, say


def make_enum_validator(kind: type[StrEnum], when_null: StrEnum | None = None) -> BeforeValidator:
    """Return a validator that converts a name to the enum member; an error suggests the nearest name.

    Args:
        kind: The enum.
        when_null: Member to use for null; without it, null is an error.
    """
    names = {str(member): member for member in kind}

    def convert(value: Any) -> Any:
        if value is None and when_null is not None:
            return when_null
        if isinstance(value, str) and value in names:
            return names[value]
        hint = ""
        if isinstance(value, str):
            hint = suggest_nearest(value.upper(), names) or suggest_nearest(value, names)
        raise ValueError(say("must be one of %(names)s%(hint)s", names=", ".join(names), hint=hint))

    return BeforeValidator(convert)


def make_pattern_validator(pattern: str, message: str) -> AfterValidator:
    """Return a validator of text against an ASCII pattern; `message` is the error if the text does not match."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(say(message))
        return value

    return AfterValidator(check)


def _read_country_code(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(say("must be a country code, as text"))  # noqa: TRY004 for pydantic
    try:
        return normalise_country(value)
    except InputError as error:
        raise ValueError(get_sentence(error)) from None


CountryCode = Annotated[str, BeforeValidator(_read_country_code)]
"""A country code, normalised by `normalise_country`."""
