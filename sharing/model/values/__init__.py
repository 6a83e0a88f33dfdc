"""Indicator values: validated, and normalised to one form per type, so that equal values compare equal.

`VALUE_TYPES` is the table of types. An invalid value is an error and is never guessed at.
"""

from __future__ import annotations

from sharing.model.values.type_table import (
    VALUE_TYPES,
    get_shape_matcher,
    is_normalised_value,
    matches_shape,
    normalise_value,
)
from sharing.model.values.value_type import ValueType, ValueTypeGroup

__all__ = [
    "VALUE_TYPES",
    "ValueType",
    "ValueTypeGroup",
    "get_shape_matcher",
    "is_normalised_value",
    "matches_shape",
    "normalise_value",
]
