"""The table of indicator types, and functions that look types up in it."""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING

from sharing.errors import InputError
from sharing.model.values.abuse_material import CONTENT_TYPES
from sharing.model.values.accounts import ACCOUNT_TYPES
from sharing.model.values.cryptocurrency import CRYPTOCURRENCY_TYPES
from sharing.model.values.finance import FINANCE_TYPES
from sharing.model.values.host_artifacts import FILE_TYPES
from sharing.model.values.network import NETWORK_TYPES
from sharing.model.values.persons import PERSON_TYPES
from sharing.model.values.telecom import TELECOM_TYPES
from sharing.model.values.tls import TLS_TYPES

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
            *CRYPTOCURRENCY_TYPES,
            *PERSON_TYPES,
            *CONTENT_TYPES,
        )
    }
)
"""Every indicator type, by name. The list is closed."""

_SHAPE_MATCHERS = {name: value_type.shape.fullmatch for name, value_type in VALUE_TYPES.items()}
_LONGEST_NAME = max(map(len, VALUE_TYPES))


def normalise_value(type_name: str, value: str) -> str:
    """Return the normal form of an indicator's value. Normalising a normal form does not change it.

    Raises:
        InputError: The type is not known (field "type"), or the value is not valid for the type (field "value"). The
            message has the nearest known type, or the form that the type expects; never the value.
    """
    value_type = VALUE_TYPES.get(type_name)
    if value_type is None:
        matches = difflib.get_close_matches(type_name[: 2 * _LONGEST_NAME].lower(), VALUE_TYPES, n=1, cutoff=0.5)
        hint = f"; did you mean {matches[0]!r}?" if matches else f"; the types are {', '.join(VALUE_TYPES)}"
        raise InputError(f"is not a known type of indicator{hint}", field="type")
    return value_type.normalise(value)


def is_normalised_value(type_name: str, value: str) -> bool:
    """Return whether the type is known and the value is valid and in normal form."""
    try:
        return normalise_value(type_name, value) == value
    except InputError:
        return False


def matches_shape(type_name: str, value: str) -> bool:
    """Return whether the type is known and the value has the shape of a normalised value.

    For the hot path, where the value has been normalised before: a wrong checksum is not detected.
    """
    matcher = _SHAPE_MATCHERS.get(type_name)
    return matcher is not None and matcher(value) is not None


def get_shape_matcher(type_name: str) -> Callable[[str], object] | None:
    """Return a function that matches normalised values of a type, for bulk use; None if the type is not known."""
    return _SHAPE_MATCHERS.get(type_name)
