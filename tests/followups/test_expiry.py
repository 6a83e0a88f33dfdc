"""When a preservation ends, and when people are warned."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from sharing.errors import InputError
from sharing.followups.expiry import (
    CloseReason,
    ExpiryLevel,
    Preservation,
    require_expiry,
)
from sharing.model.times import DAY_MS
from tests.followups.samples import ITEM_ID, NOTICE_ID, NOW

END = NOW + 60 * DAY_MS


def make_preservation(**changes: Any) -> Preservation:
    fields = {
        "notice": NOTICE_ID, "from_state": "CH", "item": ITEM_ID, "addressee": "NL", "reference": "NL-1",
        "requested_at": NOW, "expires_at": END, **changes,
    }  # fmt: skip
    return Preservation.model_validate(fields)


@pytest.mark.parametrize(
    ("left_ms", "level"),
    [
        (60 * DAY_MS, ExpiryLevel.LATER),
        (14 * DAY_MS + 1, ExpiryLevel.LATER),
        (14 * DAY_MS, ExpiryLevel.SOON),
        (3 * DAY_MS + 1, ExpiryLevel.SOON),
        (3 * DAY_MS, ExpiryLevel.URGENT),
        (1, ExpiryLevel.URGENT),
        (0, ExpiryLevel.OVERDUE),
        (-DAY_MS, ExpiryLevel.OVERDUE),
    ],
)
def test_people_are_warned_14_and_3_days_before(left_ms: int, level: ExpiryLevel) -> None:
    assert make_preservation().judge(END - left_ms) is level


def test_a_renewal_has_a_later_date_and_keeps_the_rest() -> None:
    renewed = make_preservation().renew(END + DAY_MS, NOW, "NL-2")
    assert (renewed.expires_at, renewed.renewals, renewed.reference) == (END + DAY_MS, 1, "NL-2")
    assert renewed.renew(END + 2 * DAY_MS, NOW).reference == "NL-2"
    for wrong, at in ((END, NOW), (END - 1, NOW), (END + DAY_MS, END + DAY_MS), (NOW + 400 * DAY_MS, NOW)):
        with pytest.raises(InputError) as caught:
            make_preservation().renew(wrong, at)
        assert caught.value.field == "expires"


def test_what_is_overdue_can_be_renewed() -> None:
    renewed = make_preservation().renew(END + 30 * DAY_MS, END + DAY_MS)
    assert renewed.judge(END + DAY_MS) is ExpiryLevel.LATER


@pytest.mark.parametrize("reason", CloseReason)
def test_what_is_closed_warns_nobody_and_stays(reason: CloseReason) -> None:
    closed = make_preservation().close(reason, NOW + 1)
    assert closed.judge(END + DAY_MS) is ExpiryLevel.CLOSED
    with pytest.raises(InputError, match="closed"):
        closed.close(reason, NOW + 2)
    with pytest.raises(InputError, match="closed"):
        closed.renew(END + DAY_MS, NOW)


def test_its_json_is_read_again() -> None:
    closed = make_preservation().close(CloseReason.NOT_NEEDED, NOW + 1)
    assert Preservation.model_validate_json(json.dumps(closed.model_dump(mode="json"))) == closed


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": NOW}, {"reference": "a\u202eb"}, {"reference": " a"}, {"reference": "x" * 101},
        {"notice": "no id"},
        {"addressee": "XX"}, {"closed_at": NOW}, {"closed_because": "NOT_NEEDED"}, {"format": 2}, {"other": 1},
    ],
)  # fmt: skip
def test_what_is_no_preservation_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_preservation(**changes)


def test_a_date_that_nobody_can_have_been_told_is_refused() -> None:
    require_expiry(NOW + 366 * DAY_MS, NOW)
    for wrong in (NOW, NOW - 1, NOW + 366 * DAY_MS + 1):
        with pytest.raises(InputError):
            require_expiry(wrong, NOW)
