"""Drafts from a received notice: in one action, recorded as a use, and safe to show."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from docx import Document

from sharing.desk.contents.access import HiddenReason
from sharing.desk.contents.inbox_index import InboxIndex
from sharing.desk.store.desk_record import UnopenedRecord
from tests.desk.asgi import find_labels
from tests.desk.followups.followup_fixtures import PLACE, FollowUpDesk, open_followups
from tests.followups.samples import IBAN, ITEM_ID, make_domain_notice, make_notice


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[FollowUpDesk]:
    with open_followups(monkeypatch) as found:
        yield found


def test_choosing_opens_nothing(opened: FollowUpDesk) -> None:
    page = opened.desk.get(PLACE)
    assert page.status_code == 200
    assert "Request to preserve data" in page.text
    assert "1 condition binds" in page.text
    assert IBAN not in page.text
    assert opened.contents.views == []
    assert {"kind", "addressee", "extends"} <= set(find_labels(page.text))
    options = re.findall(r'<option value="([A-Z]{2})"', page.text)
    assert options[:2] == ["CH", "NL"]  # the directory has them
    assert "BR" in options  # a State without topics can be asked, too
    assert "DE: Germany" not in page.text  # our own State is no addressee


@pytest.mark.parametrize("kind", ["PRESERVATION", "ASSISTANCE", "STOP_PAYMENT"])
def test_one_action_shows_a_draft_and_is_a_use(opened: FollowUpDesk, kind: str) -> None:
    page = opened.draft(kind)
    assert page.status_code == 200
    assert IBAN in page.text
    assert "<mark>[LEGAL JUDGEMENT, TO BE COMPLETED" in page.text
    assert opened.contents.views == [("anna", "CH", ITEM_ID)]
    assert ("Watch the preservation" in page.text) is (kind == "PRESERVATION")


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("md", "text/markdown"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("html", "text/html"),
    ],
)
def test_one_action_sends_a_file_whose_name_has_no_value(opened: FollowUpDesk, form: str, media_type: str) -> None:
    file = opened.draft("STOP_PAYMENT", form)
    assert file.status_code == 200
    assert file.headers["content-type"].startswith(media_type)
    assert file.headers["content-disposition"] == f'attachment; filename="draft-stop-payment-018f3c1e.{form}"'
    assert "no-store" in file.headers["cache-control"]
    text = (
        "\n".join(paragraph.text for paragraph in Document(io.BytesIO(file.content)).paragraphs)
        if form == "docx"
        else file.text
    )
    assert IBAN in text
    assert opened.contents.views == [("anna", "CH", ITEM_ID)]


def test_the_chosen_state_and_its_contact_points_are_in_the_draft(opened: FollowUpDesk) -> None:
    text = opened.draft(form="md", addressee="NL", extends="NL-1").text
    assert r"desk\@nl\.example" in text
    assert "NL-1" in text
    # The shipped table has DE and NL.
    assert "both States as Parties to the Budapest Convention on Cybercrime (BUDAPEST)" in text


def test_without_a_directory_contact_points_are_marked(opened: FollowUpDesk) -> None:
    opened.decisions.away = True
    assert "example" not in opened.draft(form="md", addressee="NL").text
    page = opened.desk.get(PLACE)
    assert page.status_code == 200
    assert "The directory cannot be read now" in page.text


def test_consent_comes_first_on_the_page(opened: FollowUpDesk) -> None:
    opened.contents.notice = make_domain_notice()
    page = opened.draft(addressee="NL").text
    assert "Another authority must consent" in page
    assert page.index("Ask fedpol (police) of Switzerland (CH)") < page.index("References")


@pytest.mark.parametrize("reason", HiddenReason)
def test_what_is_hidden_gives_no_draft_and_one_sentence(opened: FollowUpDesk, reason: HiddenReason) -> None:
    opened.contents.reason = reason
    for form in ("show", "docx"):
        page = opened.draft(form=form)
        assert page.status_code == 409
        assert IBAN not in page.text
        assert "<h1>" in page.text
    assert opened.contents.views == []


def test_an_item_that_is_not_there_is_not_found(opened: FollowUpDesk) -> None:
    assert opened.desk.get("/followups/CH/018f3c1e-7b1a-7c3d-8e2f-00000000000b").status_code == 404
    assert opened.desk.get("/followups/%3Cscript%3E/x").status_code == 404
    opened.contents.notice = None
    assert opened.draft().status_code == 404


def test_an_inbox_that_was_not_read_yet_says_so(opened: FollowUpDesk) -> None:
    opened.contents.inbox = InboxIndex()
    page = opened.desk.get(PLACE)
    assert page.status_code == 503
    assert "has not read the inbox" in page.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "EXTRADITION"}, "Choose what to draft."),
        ({"kind": ""}, "Choose what to draft."),
        ({"form": "pdf"}, "Choose a format."),
        ({"addressee": "XX"}, "code of a State"),
        ({"addressee": "<script>"}, "code of a State"),
        ({"addressee": "de"}, "this is our own"),
        ({"extends": "x" * 101}, "Shorten this"),
        ({"extends": "a\u202eb"}, "cannot be seen"),
    ],
)
def test_a_wrong_choice_opens_nothing_and_keeps_what_was_typed(
    opened: FollowUpDesk, fields: dict[str, str], sentence: str
) -> None:
    page = opened.desk.post(f"{PLACE}/drafts", {"kind": "PRESERVATION", "form": "show", "extends": "NL-7", **fields})
    assert page.status_code == 400
    assert sentence in page.text
    assert "There is a problem" in page.text
    assert "<script>" not in page.text.replace('<script src="', "")
    if "extends" not in fields:
        assert "NL-7" in page.text
    assert opened.contents.views == []


def test_a_sheet_that_does_not_fit_says_so(opened: FollowUpDesk) -> None:
    opened.contents.notice = make_domain_notice()
    page = opened.draft("STOP_PAYMENT")
    assert page.status_code == 400
    assert "not about an account, card or payment" in page.text


def test_hostile_text_is_escaped_on_the_page(opened: FollowUpDesk) -> None:
    text = "<script>alert(1)</script>\u202e<img src=x>"
    opened.contents.notice = make_notice(
        {"type": "iban", "value": text, "summary": text, "source_agency": text}, "onward"
    )
    for kind in ("PRESERVATION", "ASSISTANCE", "STOP_PAYMENT"):
        page = opened.draft(kind).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_forged_request_makes_no_draft(opened: FollowUpDesk) -> None:
    fields = {"kind": "PRESERVATION", "form": "docx"}
    for wrong in ({"csrf": "forged"}, {"csrf": ""}):
        assert opened.desk.post(f"{PLACE}/drafts", {**fields, **wrong}).status_code == 403
    assert opened.desk.post(f"{PLACE}/drafts", fields, headers={"Origin": "https://evil.example"}).status_code == 403
    assert opened.desk.get(f"{PLACE}/drafts").status_code == 405
    assert opened.contents.views == []


def test_nobody_who_is_not_signed_in_sees_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_followups(monkeypatch, officer=None) as opened:
        for path in ("/followups", PLACE, "/followups/preservations/x"):
            assert opened.desk.get(path).status_code == 303
        answer: Any = opened.desk.post(f"{PLACE}/drafts", {"kind": "PRESERVATION", "form": "show"})
        assert answer.status_code in {401, 403}
        assert opened.contents.views == []


def test_while_earlier_preservations_are_not_known_none_is_drafted(opened: FollowUpDesk) -> None:
    opened.store.is_read = False
    page = opened.desk.get(PLACE)
    assert "It is not known now whether data are already preserved because of this item" in page.text
    assert 'value="PRESERVATION"' not in page.text
    assert 'value="ASSISTANCE"' in page.text
    refused = opened.draft("PRESERVATION", addressee="NL", extends="NL-1")
    assert (refused.status_code, opened.contents.views) == (503, [])
    assert "It is not known now whether data are already preserved because of this item" in refused.text
    assert 'value="NL-1"' in refused.text  # what was typed stays
    assert opened.draft("ASSISTANCE").status_code == 200
    opened.store.is_read = True
    assert 'value="PRESERVATION"' in opened.desk.get(PLACE).text


def test_preservations_that_cannot_be_read_may_be_earlier_ones(opened: FollowUpDesk) -> None:
    assert "cannot be read here" not in opened.desk.get(PLACE).text
    opened.store.unopened = (UnopenedRecord("", 7, "it cannot be opened"),)
    page = opened.desk.get(PLACE).text
    assert "1 preservation cannot be read here, and may be because of this item." in page
    assert 'value="PRESERVATION"' in page
