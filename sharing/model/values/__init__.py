"""Values of indicators: validated and brought into one normal form for each type, so that equal means equal.

`VALUE_TYPES` is the one table of types. What does not validate is an error, never a guess.
"""

from __future__ import annotations

from sharing.model.values.table import VALUE_TYPES, is_canonical, matches_shape, normalise, shape_of
from sharing.model.values.value_type import ValueType, ValueTypeGroup

__all__ = ["VALUE_TYPES", "ValueType", "ValueTypeGroup", "is_canonical", "matches_shape", "normalise", "shape_of"]
