"""The list of preservations: time left, warnings, renewal and closing, by any officer of the State."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sharing.desk.followups.preservations import IS_GONE
from sharing.desk.followups.words import SENTENCES
from sharing.desk.store.desk_record import DeskRecord, UnopenedRecord
from sharing.followups.expiry import IS_CLOSED, IS_OVER, NOT_LATER, TOO_FAR
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import DeskKind
from tests.desk.asgi import NOW, make_officer
from tests.desk.followups.followup_fixtures import FollowUpDesk, open_followups
from tests.followups.samples import ITEM_ID, NOTICE_ID

FIELDS = {
    "provider": "CH",
    "item": ITEM_ID,
    "notice": NOTICE_ID,
    "addressee": "NL",
    "requested": "2026-05-28",
    "expires": "2026-07-27",
    "reference": "NL-24/7-17",
}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[FollowUpDesk]:
    with open_followups(monkeypatch) as found:
        yield found


def begin(opened: FollowUpDesk, **changes: str) -> DeskRecord:
    answer = opened.desk.post("/followups/preservations", {**FIELDS, **changes})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/followups?done=watched"), answer.text
    return opened.store.list(DeskKind.PRESERVATION)[0]


def test_a_draft_proposes_sixty_days(opened: FollowUpDesk) -> None:
    page = opened.draft(addressee="NL").text
    assert 'value="2026-05-28"' in page
    assert 'value="2026-07-27"' in page
    assert NOTICE_ID in page


def test_a_preservation_is_kept_and_listed(opened: FollowUpDesk) -> None:
    record = begin(opened)
    assert record.officer == "anna"
    assert re.fullmatch("[0-9a-f]{32}", record.id)  # the key says nothing
    page = opened.desk.get("/followups?done=watched").text
    assert "Netherlands (NL), NL-24/7-17" in page
    assert "In time" in page
    assert "The preservation is watched." in page
    assert f"/items/CH/{ITEM_ID}" in page


@pytest.mark.parametrize(
    ("days_before", "word", "warning"),
    [
        (20, "In time", ""),
        (14, "14 days or less", "1 preservation ends within 14 days."),
        (3, "3 days or less", "1 preservation ends within 3 days."),
        (-1, "Overdue", "1 preservation is overdue: the data may be gone."),
    ],
)
def test_the_list_warns_in_time(opened: FollowUpDesk, days_before: int, word: str, warning: str) -> None:
    record = begin(opened)
    opened.clock.now = record.content["expires_at"] - days_before * DAY_MS
    now = opened.clock.now
    later = make_officer("bert", issued_at=now, valid_from=now, valid_until=now + DAY_MS)
    opened.desk.services.register.add(later)  # type: ignore[attr-defined]
    opened.desk.sign_in("bert")  # the session of anna has ended meanwhile
    page = opened.desk.get("/followups").text
    assert word in page
    assert warning in page
    if days_before < 0:
        assert "<title>1 preservation overdue" in page
    banner = "1 preservation ends within 3 days, or is overdue."
    assert (banner in opened.desk.get(f"/followups/CH/{ITEM_ID}").text) is (days_before <= 3)


def test_what_is_not_read_yet_is_not_shown_as_if_nothing_were_due(opened: FollowUpDesk) -> None:
    begin(opened)
    opened.store.is_read = False
    unknown = "It is not known yet whether a preservation ends within 3 days, or is overdue."
    for path in (f"/followups/CH/{ITEM_ID}", "/notices"):
        assert unknown in opened.desk.get(path).text
    opened.store.is_read = True
    assert "not known yet" not in opened.desk.get("/notices").text


def test_the_least_time_left_comes_first(opened: FollowUpDesk) -> None:
    begin(opened, reference="later", expires="2026-08-27")
    begin(opened, reference="sooner")
    page = opened.desk.get("/followups").text
    assert page.index("sooner") < page.index("later")


def test_another_officer_renews_it(opened: FollowUpDesk) -> None:
    record = begin(opened)
    opened.desk.sign_in("bert")
    path = f"/followups/preservations/{record.id}"
    assert 'name="version" value="1"' in opened.desk.get(path).text
    answer = opened.desk.post(f"{path}/renew", {"version": "1", "expires": "2026-09-27", "reference": "NL-18"})
    assert answer.headers["location"] == "/followups?done=renewed"
    renewed = opened.store.get(DeskKind.PRESERVATION, record.id)
    assert renewed is not None
    assert (renewed.officer, renewed.version, renewed.content["renewals"]) == ("bert", 2, 1)
    assert "renewed 1 time" in opened.desk.get("/followups").text


def test_it_is_closed_with_a_reason_and_stays_known(opened: FollowUpDesk) -> None:
    record = begin(opened)
    path = f"/followups/preservations/{record.id}"
    wrong = opened.desk.post(f"{path}/close", {"version": "1"})
    assert (wrong.status_code, "Choose a reason." in wrong.text) == (400, True)
    answer = opened.desk.post(f"{path}/close", {"version": "1", "reason": "REQUEST_RECEIVED"})
    assert answer.headers["location"] == "/followups?done=closed"
    page = opened.desk.get("/followups").text
    assert "No preservation is watched" in page
    assert "1 closed preservation" in page
    again = opened.desk.post(f"{path}/close", {"version": "2", "reason": "NOT_NEEDED"})
    assert again.status_code == 400
    assert "Why is it not watched" not in opened.desk.get(path).text


def test_two_officers_at_once_lose_nothing(opened: FollowUpDesk) -> None:
    record = begin(opened)
    path = f"/followups/preservations/{record.id}"
    opened.desk.post(f"{path}/renew", {"version": "1", "expires": "2026-09-27"})
    late = opened.desk.post(f"{path}/renew", {"version": "1", "expires": "2026-10-01", "reference": "typed"})
    assert late.status_code == 409
    assert "Somebody else has changed this" in late.text
    assert "typed" in late.text  # what was typed stays
    assert 'name="version" value="2"' in late.text
    kept = opened.store.get(DeskKind.PRESERVATION, record.id)
    assert kept is not None
    assert kept.version == 2
    stale = opened.desk.post(f"{path}/close", {"version": "1", "reason": "NOT_NEEDED"})
    assert stale.status_code == 409


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"addressee": ""}, "Type the State that was asked."),
        ({"addressee": "Atlantis"}, "code of a State"),
        ({"expires": ""}, "Type the day until which"),
        ({"expires": "soon"}, "Type a date as year, month and day"),
        ({"expires": "0001-01-01"}, "Type a date as year, month and day"),
        ({"expires": "2026-02-30"}, "Type a date as year, month and day"),
        ({"expires": "2026-05-20"}, "later than the day of the request"),
        ({"requested": "2026-01-01", "expires": "2026-05-01"}, "the date has passed"),
        ({"expires": "2028-07-27"}, "a year ahead"),
        ({"reference": "x" * 101}, "Shorten this"),
        ({"notice": "../etc"}, "This form is damaged."),
        ({"provider": "<b>"}, "This form is damaged."),
    ],
)
def test_what_is_wrong_is_said_and_kept(opened: FollowUpDesk, changes: dict[str, str], sentence: str) -> None:
    page = opened.desk.post("/followups/preservations", {**FIELDS, **changes})
    assert page.status_code == 400
    assert sentence in page.text
    assert 'value="NL-24/7-17"' in page.text or "reference" in changes
    assert opened.store.puts == 0


def test_a_broker_that_is_away_keeps_nothing_and_says_so(opened: FollowUpDesk) -> None:
    opened.store.away = True
    page = opened.desk.post("/followups/preservations", FIELDS)
    assert page.status_code == 503
    assert opened.store.list(DeskKind.PRESERVATION) == []


def test_a_record_of_a_later_release_is_counted_not_hidden(opened: FollowUpDesk) -> None:
    begin(opened)
    opened.store.put(DeskKind.PRESERVATION, "future", "anna", {"format": 2})
    page = opened.desk.get("/followups").text
    assert "1 preservation cannot be read here" in page
    assert "NL-24/7-17" in page


def test_records_that_cannot_be_opened_are_counted_not_hidden(opened: FollowUpDesk) -> None:
    begin(opened)
    opened.store.unopened = tuple(
        UnopenedRecord(key, 7, "it cannot be opened") for key in (f"{DeskKind.PRESERVATION}:x", "", "UNSENT:y")
    )
    assert "2 preservations cannot be read here" in opened.desk.get("/followups").text


@pytest.mark.parametrize("record", ["none", "%2e%2e", "a b", "x" * 200, "%3Cscript%3E"])
def test_an_unknown_preservation_is_not_found(opened: FollowUpDesk, record: str) -> None:
    assert opened.desk.get(f"/followups/preservations/{record}").status_code == 404
    answer = opened.desk.post(f"/followups/preservations/{record}/close", {"version": "1", "reason": "NOT_NEEDED"})
    assert answer.status_code == 404


def test_the_day_is_that_of_the_officers_zone(opened: FollowUpDesk) -> None:
    assert opened.desk.session is not None
    opened.desk.session.time_zone = "Asia/Tokyo"
    record = begin(opened, requested="2026-05-29", expires="2026-07-28")
    assert record.content["expires_at"] % DAY_MS == 15 * 3_600_000  # midnight in Tokyo
    assert record.content["expires_at"] > NOW


def test_earlier_preservations_are_shown_where_the_next_is_drafted(opened: FollowUpDesk) -> None:
    begin(opened)
    assert "Data are already preserved because of this item" in opened.desk.get(f"/followups/CH/{ITEM_ID}").text


def test_each_sentence_is_in_the_catalogue(opened: FollowUpDesk) -> None:
    assert set(SENTENCES) == {IS_OVER, TOO_FAR, NOT_LATER, IS_CLOSED, IS_GONE}
    assert opened.desk.session is not None
    opened.desk.session.language = "fr"
    page = opened.desk.post("/followups/preservations", {**FIELDS, "expires": "2028-07-27"})
    assert "la date est à plus d" in page.text


def test_what_a_damaged_batch_may_have_replaced_is_shown_and_does_not_change(opened: FollowUpDesk) -> None:
    begin(opened, reference="kept")
    (record,) = opened.store.list(DeskKind.PRESERVATION)
    path, warning = f"/followups/preservations/{record.id}", "This may not be the newest version"
    assert warning not in opened.desk.get(path).text
    opened.store.is_damaged = True
    assert warning in opened.desk.get(path).text
    for act, fields in (("renew", {"expires": "2026-08-01"}), ("close", {"reason": "NOT_NEEDED"})):
        refused = opened.desk.post(f"{path}/{act}", {"version": str(record.version), **fields})
        assert (refused.status_code, "SHARING_DESK_LOST_BEFORE=8" in refused.text) == (400, True)
    begin(opened, reference="new")
    assert opened.store.get(DeskKind.PRESERVATION, record.id) == record
    assert len(opened.store.list(DeskKind.PRESERVATION)) == 2
