"""Who may see what: each line of the tables fails if the check that it is about is removed."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.asks import Publisher
from sharing.desk.contents.access import HiddenReason, ReceivedStatus, find_own_bar, find_received_bar
from sharing.model.times import DAY_MS
from tests.desk.asgi import NOW, STATE, make_officer

AUTHOR = Publisher("bka", "anna")


@pytest.mark.parametrize(
    ("officer", "publisher", "is_addressed", "at", "expected"),
    [
        pytest.param({}, Publisher("bka", "bert"), True, NOW, None, id="whom an open Ask addresses"),
        pytest.param({}, AUTHOR, False, NOW, None, id="who has published it"),
        pytest.param({}, Publisher("bka", "bert"), False, NOW, HiddenReason.NOT_ADDRESSED, id="a colleague"),
        pytest.param({}, Publisher("bka", None), False, NOW, HiddenReason.NOT_ADDRESSED, id="of an automated feed"),
        pytest.param({}, Publisher("zoll", "anna"), False, NOW, HiddenReason.NOT_ADDRESSED, id="another agency's anna"),
        pytest.param({"state": "FR"}, AUTHOR, True, NOW, HiddenReason.NOT_AN_OFFICER, id="another State's officer"),
        pytest.param({}, AUTHOR, True, NOW + 31 * DAY_MS, HiddenReason.NOT_AN_OFFICER, id="expired"),
        pytest.param({}, AUTHOR, True, NOW - 31 * DAY_MS, HiddenReason.NOT_AN_OFFICER, id="not valid yet"),
        pytest.param({"revoked_at": NOW - 1}, AUTHOR, True, NOW, HiddenReason.NOT_AN_OFFICER, id="revoked"),
    ],
)
def test_who_may_see_an_own_item(
    officer: dict[str, Any], publisher: Publisher, is_addressed: bool, at: int, expected: HiddenReason | None
) -> None:
    assert find_own_bar(make_officer(**officer), STATE, publisher, at, is_addressed=is_addressed) is expected


DELIVERED = {
    "is_indexed": True, "is_in_inbox": True, "is_newest": True, "was_in_inbox": True, "is_recalled": False,
    "retain_until": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("officer", "status", "expected"),
    [
        pytest.param({}, {}, None, id="delivered"),
        pytest.param({"roles": ()}, {}, None, id="delivered, to an officer without a role"),
        pytest.param({"state": "FR"}, {}, HiddenReason.NOT_AN_OFFICER, id="another State's officer"),
        pytest.param({"revoked_at": NOW}, {}, HiddenReason.NOT_AN_OFFICER, id="revoked officer"),
        pytest.param({}, {"is_indexed": False}, HiddenReason.NOT_READ_YET, id="a recall may not be read yet"),
        pytest.param(
            {}, {"is_in_inbox": False, "was_in_inbox": False}, HiddenReason.NOT_DELIVERED, id="offered, not delivered"
        ),
        pytest.param({}, {"is_in_inbox": False}, HiddenReason.SHREDDED, id="shredded"),
        pytest.param({}, {"is_recalled": True}, HiddenReason.RECALLED, id="recalled, and still in the inbox"),
        pytest.param({}, {"retain_until": NOW}, HiddenReason.EXPIRED, id="its time is over"),
        pytest.param({}, {"retain_until": NOW + 1}, None, id="its time is not over"),
        pytest.param({}, {"is_newest": False}, HiddenReason.NOT_OPENED, id="the newest revision cannot be read"),
    ],
)
def test_who_may_see_a_received_item(
    officer: dict[str, Any], status: dict[str, Any], expected: HiddenReason | None
) -> None:  # fmt: skip
    assert find_received_bar(make_officer(**officer), STATE, ReceivedStatus(**{**DELIVERED, **status}), NOW) is expected
