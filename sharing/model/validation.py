"""Turns pydantic's findings into one sentence for a person: which field, what is wrong, the nearest known name.

No sentence repeats an input: it may be content, and sentences end up in logs and quarantine records.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from sharing.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import ValidationError


_KINDS = {
    "model_type": "must be a mapping of fields",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "date_type": "must be a day such as 2026-01-31, without quotes",
}
"""Sentences in place of pydantic's, which speak of Python's types and this project's classes."""


_LONGEST_NAME = 100


class FieldError(ValueError):
    """What several fields say together is wrong; `field` is the one to change, dotted as in the JSON form."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" for the nearest of the known names, or an empty string."""
    if len(name) > _LONGEST_NAME:  # no misspelling, and the search costs time in proportion
        return ""
    listed = list(known)
    # A name in the wrong case has hardly a letter in common with the right one.
    found = [other for other in listed if other.upper() == name.upper()] or difflib.get_close_matches(name, listed, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def dotted(loc: Sequence[int | str]) -> str:
    """Return a field's place as in the JSON form: ("nexus", 0, "state") is "nexus[0].state"."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def field_names(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """Return the names known at a place of a model, for a suggestion."""
    current: type[BaseModel] = model
    for part in loc:
        field = current.model_fields.get(str(part))
        # A part that is no field is an index, or a key of a mapping of models: the model stays.
        inner = _inner_model(field.annotation) if field else current
        if inner is None:
            return []
        current = inner
    return [field.alias or name for name, field in current.model_fields.items()]


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _inner_model(arg)) is not None), None)


def first_finding(error: ValidationError) -> Any:
    """Return the finding to tell of first: a misspelt name explains why the right one is missing."""
    findings = error.errors(include_url=False)
    return min(findings, key=lambda finding: finding["type"] != "extra_forbidden")


def describe(finding: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    """Return (field, sentence) for one finding of `ValidationError.errors()`."""
    loc = finding["loc"]
    field = dotted(loc)
    match finding["type"]:
        case "extra_forbidden":
            return field, f"unknown field{nearest(str(loc[-1]), field_names(model, loc[:-1]))}"
        case "missing":
            return field, "is missing, and is required"
        case "value_error":
            error = finding["ctx"]["error"]
            return getattr(error, "field", field), str(error)
        case "string_too_short" | "too_short" if finding["ctx"]["min_length"] == 1:
            return field, "must not be empty"
        case kind if kind in _KINDS:
            return field, _KINDS[kind]
        case _:
            return field, str(finding["msg"])


def input_error(error: ValidationError, model: type[BaseModel], *, place: str = "") -> InputError:
    """Return one InputError for all findings; its `field` is the first one's."""
    described = [
        describe(finding, model)
        for finding in error.errors(include_url=False)  # the inputs stay in here
    ]
    text = "; ".join(f"{field}: {sentence}" if field else sentence for field, sentence in described)
    return InputError(text, field=described[0][0], place=place)
