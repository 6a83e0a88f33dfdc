"""How a type of another format becomes a type of indicator, or why it becomes none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sharing.errors import InputError
from sharing.interop.import_results import UnpublishedCause
from sharing.model.values import VALUE_TYPES, normalise_value


@dataclass(frozen=True, slots=True)
class TypeMapping:
    """The indicator that a type of another format becomes.

    Attributes:
        indicator_types: Types of indicator, tried in order.
        template: Template of the value; `{sibling}` is another value of the same object.
        sibling: Name by which that value is found among the siblings, or "". If it is missing, the value is used alone.
    """

    indicator_types: tuple[str, ...]
    template: str = "{value}"
    sibling: str = ""

    def normalise(self, text: str, siblings: Mapping[str, str]) -> tuple[str, str]:
        """Return type and value of the indicator.

        Args:
            text: The value in the file.
            siblings: Other values of the same object by name.

        Raises:
            InputError: The value is not valid for any of the types.
        """
        sibling = siblings.get(self.sibling)
        value = text if self.sibling and sibling is None else self.template.format(value=text, sibling=sibling)
        problem = ""
        for type_name in self.indicator_types:
            try:
                return type_name, normalise_value(type_name, value)
            except InputError as error:
                problem = str(error)
        if len(self.indicator_types) > 1:
            expected = "; or ".join(VALUE_TYPES[type_name].expected_form for type_name in self.indicator_types)
            problem = f"is not a valid {' or '.join(self.indicator_types)}; expected {expected}"
        raise InputError(problem, field="value")


@dataclass(frozen=True, slots=True)
class UnmappedType:
    """Why a type of another format does not become an indicator."""

    cause: UnpublishedCause
    reason: str
