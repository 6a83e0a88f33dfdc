"""What people read when a value is wrong: never a sentence of pydantic, which names Python's types."""

from __future__ import annotations

import datetime as dt
import json
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from sharing.model.strict_model import StrictModel
from sharing.model.validation_errors import describe_error


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


class Cat(StrictModel):
    kind: Literal["cat"] = "cat"


class Dog(StrictModel):
    kind: Literal["dog"] = "dog"


class Everything(StrictModel):
    """A field of each kind; none is required."""

    format: Literal[1] = 1
    mode: Literal["both", "gate"] = "both"
    colour: Colour = Colour.RED
    name: Annotated[str, Field(pattern="[a-z]+", min_length=2, max_length=4)] = "ab"
    number: Annotated[int, Field(ge=1, lt=9)] = 1
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    is_on: bool = True
    day: dt.date = dt.date(2026, 1, 1)
    at: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    pair: list[str] = Field(default=["a", "b"], min_length=2, max_length=3)
    states: frozenset[str] = frozenset()
    facts: dict[str, bool] = Field(default={})
    animal: Annotated[Cat | Dog, Field(discriminator="kind")] = Cat()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("format", 2, "must be 1"),
        ("mode", "each", "must be 'both' or 'gate'"),
        ("colour", "GREEN", "is not one of the known values"),
        ("name", "A1", "must have the form [a-z]+"),
        ("name", "a", "must have at least 2 characters"),
        ("name", "abcde", "must not have more than 4 characters"),
        ("name", 5, "must be text"),
        ("number", 0, "must be at least 1"),
        ("number", 9, "must be less than 9"),
        ("number", "x", "must be a whole number"),
        ("number", 1.5, "must be a whole number"),
        ("share", 0, "must be more than 0"),
        ("share", "x", "must be a number"),
        ("is_on", "perhaps", "must be true or false"),
        ("day", "soon", "must be a day such as 2026-01-31"),
        ("day", dt.datetime(2026, 1, 1, 5, tzinfo=dt.UTC), "must be a day such as 2026-01-31"),
        ("at", [], "must be a valid RFC 3339 time, such as 2026-03-01T12:00:00Z"),
        ("pair", ["a"], "must have at least 2 entries"),
        ("pair", list("abcd"), "must not have more than 3 entries"),
        ("states", 5, "must be a list"),
        ("facts", 5, "must be a mapping"),
        ("animal", {"kind": "cow"}, "is of an unknown kind"),
        ("animal", {}, "does not say what kind it is"),
        ("other", 1, "unknown field"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["read", "signed"])
def test_a_wrong_value_is_said_plainly(field: str, value: Any, sentence: str, as_json: bool) -> None:
    """Both ways of reading: plain data of a YAML file, and the JSON of a signed document, which is strict."""
    document = json.dumps({field: value}, default=str)
    with pytest.raises(ValidationError) as caught:
        _ = Everything.model_validate_json(document) if as_json else Everything.model_validate({field: value})
    said = describe_error(caught.value.errors(include_url=False)[0], Everything)[1]
    assert "hould" not in said, said
    assert "nput" not in said, said
    assert as_json or said.startswith(sentence)
