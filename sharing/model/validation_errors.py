"""Turns pydantic's validation errors into readable messages: the field, the problem, and the nearest known name.

A message never repeats the input, which may be content: messages end up in logs and quarantine records.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from sharing.errors import InputError
from sharing.sentences import get_sentence, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import ValidationError


_MESSAGES = {
    "model_type": say("must be a mapping of fields"),
    "dict_type": say("must be a mapping"),
    "tuple_type": say("must be a list"),
    "list_type": say("must be a list"),
    "set_type": say("must be a list"),
    "frozen_set_type": say("must be a list"),
    "bool_type": say("must be true or false"),
    "bool_parsing": say("must be true or false"),
    "string_type": say("must be text"),
    "string_too_short": say("must have at least %(min_length)s characters"),
    "too_short": say("must have at least %(min_length)s entries"),
    "string_too_long": say("must not have more than %(max_length)s characters"),
    "too_long": say("must not have more than %(max_length)s entries"),
    "int_type": say("must be a whole number"),
    "int_parsing": say("must be a whole number"),
    "int_parsing_size": say("must be a whole number"),
    "int_from_float": say("must be a whole number"),
    "float_type": say("must be a number"),
    "float_parsing": say("must be a number"),
    "finite_number": say("must be a finite number"),
    "greater_than_equal": say("must be at least %(ge)s"),
    "less_than_equal": say("must be at most %(le)s"),
    "greater_than": say("must be more than %(gt)s"),
    "less_than": say("must be less than %(lt)s"),
    "literal_error": say("must be %(expected)s"),
    "enum": say("must be %(expected)s"),
    "is_instance_of": say("is not one of the known values"),
    "union_tag_invalid": say("is of an unknown kind"),
    "union_tag_not_found": say("does not say what kind it is"),
    "string_pattern_mismatch": say("must have the form %(pattern)s"),
    "date_type": say("must be a day such as 2026-01-31, without quotes"),
    "date_parsing": say("must be a day such as 2026-01-31"),
    "date_from_datetime_parsing": say("must be a day such as 2026-01-31"),
    "date_from_datetime_inexact": say("must be a day such as 2026-01-31"),
    "datetime_type": say("must be a valid RFC 3339 time, such as 2026-03-01T12:00:00Z"),
    "datetime_from_date_parsing": say("must be a valid RFC 3339 time, such as 2026-03-01T12:00:00Z"),
    "datetime_parsing": say("must be a valid RFC 3339 time, such as 2026-03-01T12:00:00Z"),
    "timezone_aware": say("must have a time zone, such as 2026-03-01T12:00:00Z"),
}
"""Messages by type of error. Those of pydantic mention Python types and classes of this project."""

_NAME_LENGTH_MAX = 100


class FieldError(ValueError):
    """Fields are inconsistent with each other; `field` is the one to change, dotted as in the JSON form."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def suggest_nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the nearest of the known names, or an empty string."""
    if len(name) > _NAME_LENGTH_MAX:  # not a misspelling, and the cost of the search grows with the length
        return ""
    names = list(known)
    # difflib compares letters by case, so a name in the wrong case would not match.
    matches = [other for other in names if other.upper() == name.upper()] or difflib.get_close_matches(name, names, n=1)
    return say("; did you mean %(name)s?", name=repr(matches[0])) if matches else ""


def format_field_path(loc: Sequence[int | str]) -> str:
    """Return the path of a field as in the JSON form: ("nexus", 0, "state") becomes "nexus[0].state"."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def find_field_names(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """Return the field names at a path in a model, for suggestions."""
    current: type[BaseModel] = model
    for part in loc:
        field = current.model_fields.get(str(part))
        # A part that is not a field is a list index, or a key in a mapping of models: the model stays the same.
        inner = _find_inner_model(field.annotation) if field else current
        if inner is None:
            return []
        current = inner
    return [field.alias or name for name, field in current.model_fields.items()]


def _find_inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for arg in get_args(annotation) if (model := _find_inner_model(arg)) is not None), None)


def select_first_error(error: ValidationError) -> Any:
    """Return the error to report first: an unknown field, as its misspelling explains why another field is missing."""
    errors = error.errors(include_url=False)
    return min(errors, key=lambda details: details["type"] != "extra_forbidden")


def describe_error(details: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    """Return (field, message) for one entry of `ValidationError.errors()`."""
    loc = details["loc"]
    field = format_field_path(loc)
    match details["type"]:
        case "extra_forbidden":
            hint = suggest_nearest(str(loc[-1]), find_field_names(model, loc[:-1]))
            return field, say("unknown field%(hint)s", hint=hint)
        case "missing":
            return field, say("is missing, and is required")
        case "value_error":
            error = details["ctx"]["error"]
            return getattr(error, "field", field), get_sentence(error)
        case "string_too_short" | "too_short" if details["ctx"]["min_length"] == 1:
            return field, say("must not be empty")
        case kind if kind in _MESSAGES:
            return field, say(_MESSAGES[kind], **details.get("ctx", {}))
        case _:
            return field, str(details["msg"])


def to_input_error(error: ValidationError, model: type[BaseModel], *, location: str = "") -> InputError:
    """Return one InputError for all errors; its `field` is that of the first one."""
    described = [
        describe_error(details, model)
        for details in error.errors(include_url=False)  # they contain the inputs, which must not leave this function
    ]
    text = ""
    for field, message in described:
        part = say("%(field)s: %(what)s", field=field, what=message) if field else message
        text = say("%(first)s; %(second)s", first=text, second=part) if text else part
    return InputError(text, field=described[0][0], location=location)
