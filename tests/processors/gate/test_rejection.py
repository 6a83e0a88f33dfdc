"""A rejection names the stage and the cause of an error, and holds none of the record's content."""

from __future__ import annotations

import pytest

from processors.gate.rejection import Rejection, describe_rejection
from sharing.errors import DecodeError, InputError
from tests.processors.gate.gate_fixtures import MARKER


@pytest.mark.parametrize(
    ("error", "rejection"),
    [
        (
            DecodeError("the record is empty", cause="EMPTY"),
            Rejection("DECODE", "EMPTY", "the record is empty"),
        ),
        (
            InputError("source.state: is another State", field="source.state"),
            Rejection("CHECK", "FIELD_SOURCE_STATE", "source.state: is another State"),
        ),
        (
            InputError("id: must equal the record key", field="id"),
            Rejection("CHECK", "FIELD_ID", "id: must equal the record key"),
        ),
    ],
)
def test_an_error_of_the_library_gives_stage_cause_and_message(error: Exception, rejection: Rejection) -> None:
    assert describe_rejection(error) == rejection


@pytest.mark.parametrize(
    "error", [KeyError(MARKER), ValueError(MARKER), UnicodeDecodeError("utf-8", MARKER.encode(), 0, 1, MARKER)]
)
def test_an_unexpected_error_gives_its_type_only(error: Exception) -> None:
    rejection = describe_rejection(error)
    name = type(error).__name__
    assert rejection == Rejection("DECIDE", "UNEXPECTED", f"the gate failed on this record ({name})")
    assert MARKER not in repr(rejection)
