"""The one table of indicator types, and the functions that look a type up in it."""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING

from sharing.errors import InputError
from sharing.model.values.accounts import ACCOUNT_TYPES
from sharing.model.values.coins import COIN_TYPES
from sharing.model.values.content import CONTENT_TYPES
from sharing.model.values.files import FILE_TYPES
from sharing.model.values.finance import FINANCE_TYPES
from sharing.model.values.keys import TLS_TYPES
from sharing.model.values.network import NETWORK_TYPES
from sharing.model.values.persons import PERSON_TYPES
from sharing.model.values.telecom import TELECOM_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sharing.model.values.value_type import ValueType

VALUE_TYPES: Mapping[str, ValueType] = MappingProxyType(
    {
        value_type.name: value_type
        for value_type in (
            *NETWORK_TYPES,
            *TLS_TYPES,
            *FILE_TYPES,
            *ACCOUNT_TYPES,
            *TELECOM_TYPES,
            *FINANCE_TYPES,
            *COIN_TYPES,
            *PERSON_TYPES,
            *CONTENT_TYPES,
        )
    }
)
"""Every type of indicator, by name. The list is closed."""

_SHAPES = {name: value_type.shape.fullmatch for name, value_type in VALUE_TYPES.items()}
_LONGEST_NAME = max(map(len, VALUE_TYPES))


def normalise(type_name: str, value: str) -> str:
    """Return the normal form of an indicator's value. Normalising it again changes nothing.

    Raises:
        InputError: The type is not known (field "type"), or the value is not of the type (field "value"). The
            message tells the nearest known type, or the form that the type expects; never the value.
    """
    value_type = VALUE_TYPES.get(type_name)
    if value_type is None:
        found = difflib.get_close_matches(type_name[: 2 * _LONGEST_NAME].lower(), VALUE_TYPES, n=1, cutoff=0.5)
        hint = f"; did you mean {found[0]!r}?" if found else f"; the types are {', '.join(VALUE_TYPES)}"
        raise InputError(f"is not a known type of indicator{hint}", field="type")
    return value_type.normalise(value)


def is_canonical(type_name: str, value: str) -> bool:
    """Return whether the type is known and the value valid and in its normal form."""
    try:
        return normalise(type_name, value) == value
    except InputError:
        return False


def matches_shape(type_name: str, value: str) -> bool:
    """Return whether the type is known and the value has the shape of a normalised one.

    For the hot path, where a value was normalised before: a form that was tampered with is seen, a wrong
    checksum is not.
    """
    matching = _SHAPES.get(type_name)
    return matching is not None and matching(value) is not None


def shape_of(type_name: str) -> Callable[[str], object] | None:
    """Return what matches a type's normalised values, for many of one type; None where the type is not known."""
    return _SHAPES.get(type_name)
