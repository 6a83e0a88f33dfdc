"""What the drafts say: golden documents, every element of the treaties, and what is left blank."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from docx import Document

from sharing.errors import InputError
from sharing.followups.document import Blank, FollowUpDocument, FollowUpKind, fill
from sharing.followups.drafting import list_fitting, make_draft
from sharing.followups.html_page import write_html
from sharing.followups.instants import describe_instant, describe_observed
from sharing.followups.known import find_host
from sharing.followups.markdown_file import write_markdown
from sharing.followups.names import describe_language, describe_state
from sharing.followups.offences import OFFENCES, describe_offence
from sharing.followups.word_file import write_word_file
from sharing.model.vocabulary import ConditionKind, OffenceCode, OffenceModifier
from tests.followups.drafts import DRAFTS, FOLDER, KINDS, list_golden
from tests.followups.real_notices import list_real_notices
from tests.followups.samples import (
    DRAFTER,
    NOW,
    make_account_notice,
    make_context,
    make_domain_notice,
    make_full_context,
    make_notice,
)

FORBIDDING = {
    ConditionKind.ONWARD_CONSENT, ConditionKind.NO_EVIDENCE, ConditionKind.CONFIDENTIALITY, ConditionKind.HANDLING,
    ConditionKind.OTHER,
}  # fmt: skip
ELEMENTS = {
    FollowUpKind.PRESERVATION: {f"29(2)({letter})" for letter in "abcdef"},
    FollowUpKind.ASSISTANCE: {f"46(15)({letter})" for letter in "abcdef"},
}


@pytest.mark.parametrize(("path", "text"), list(list_golden()), ids=lambda value: getattr(value, "name", ""))
def test_a_draft_is_the_golden_document(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "if that is wanted: python -m tests.followups.drafts --write"


def test_no_golden_document_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path, _ in list_golden()}


@pytest.mark.parametrize("name", DRAFTS)
def test_every_element_of_the_treaty_is_filled_or_marked(name: str) -> None:
    document = DRAFTS[name]
    found: dict[str, list[str]] = {}
    for section in document.sections:
        assert section.fields
        for field in section.fields:
            found.setdefault(field.element, []).append(" ".join(field.lines) or field.mark)
    assert set(found) - {""} == ELEMENTS.get(document.kind, set())
    assert all(text.strip() for texts in found.values() for text in texts)


@pytest.mark.parametrize("name", DRAFTS)
def test_what_a_person_judges_is_never_filled(name: str) -> None:
    marks = {field.label: field.blank for section in DRAFTS[name].sections for field in section.fields}
    judged = {
        FollowUpKind.PRESERVATION: ("Why the preservation is necessary", "Dual criminality", "Treaty basis"),
        FollowUpKind.ASSISTANCE: ("Dual criminality", "Necessity and proportionality", "Assistance requested"),
        FollowUpKind.STOP_PAYMENT: ("Measure", "Legal basis"),
    }[DRAFTS[name].kind]
    assert {marks[label] for label in judged} == {Blank.JUDGEMENT}
    assert marks["Signature, seal"] is Blank.SIGNATURE


def read_fields(document: FollowUpDocument) -> dict[str, str]:
    return {
        field.label: " | ".join(field.lines) or field.mark for section in document.sections for field in section.fields
    }


def test_the_stop_payment_sheet_reads_bank_and_country_from_the_iban() -> None:
    fields = read_fields(DRAFTS["account-unknown-stop-payment"])
    assert fields["IBAN"] == "DE89370400440532013000"
    assert fields["BIC, read from the IBAN"] == "COBADEFFXXX"
    assert fields["Country of the account"] == "Germany (DE)"
    assert fields["Amount and currency"].startswith("[NOT KNOWN")


@pytest.mark.parametrize(
    ("value_type", "value", "label", "expected"),
    [
        ("bank-account-nr", "US:1234567890", "Number at the bank", "1234567890"),
        ("bank-account-nr", "US:1234567890", "Country of the account", "United States (US)"),
        ("bic", "EXAMGB2L", "BIC", "EXAMGB2L"),
        ("bic", "EXAMGB2L", "Country of the account", "United Kingdom (GB)"),
        ("btc-address", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "Bitcoin address", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        ("transaction-hash", "ETH:" + "a" * 64, "Reference of the payment", "ETH:" + "a" * 64),
        ("iban", "GB82WEST12345698765432", "BIC", "[NOT KNOWN, TO BE COMPLETED: of the bank that keeps the account]"),
        (
            "iban",
            "none",
            "Bank, or provider of services for crypto-assets",
            "[NOT KNOWN, TO BE COMPLETED: who can stop it]",
        ),
    ],
)
def test_the_stop_payment_sheet_knows_each_kind_of_account(
    value_type: str, value: str, label: str, expected: str
) -> None:
    notice = make_notice({"type": value_type, "value": value})
    assert read_fields(make_draft(FollowUpKind.STOP_PAYMENT, notice, make_context()))[label] == expected


def test_a_redacted_value_is_marked_as_not_disclosed() -> None:
    notice = make_notice({"type": "iban", "value": None}, redacted=["value", "summary"])
    for kind in KINDS:
        fields = read_fields(make_draft(kind, notice, make_context()))
        label = "IBAN" if kind is FollowUpKind.STOP_PAYMENT else "Identifier"
        assert fields[label].startswith("[NOT DISCLOSED TO US: the law of Switzerland (CH) withheld it")
        assert fields["Facts, in the words of the notice"].startswith("[NOT DISCLOSED TO US")


def test_a_notice_without_anything_gives_a_draft_with_everything_marked() -> None:
    notice = make_notice({"type": None, "value": None}, redacted=["type", "value"], rules=[], basis=None)
    for kind in KINDS:
        document = make_draft(kind, notice, make_context())
        assert document.blanks > 20
        assert read_fields(document)["Law under which we have it"] == "no treaty named; no rule named"


def test_a_person_is_named_where_the_notice_is_about_one() -> None:
    notice = make_notice({"type": "passport-number", "value": "CH:X1234567", "subject_class": "SUSPECT"})
    fields = read_fields(make_draft(FollowUpKind.ASSISTANCE, notice, make_context()))
    assert fields["Identity"] == "CH:X1234567"
    assert fields["Class of person that the notice is about"] == "a suspect"
    fields = read_fields(make_draft(FollowUpKind.ASSISTANCE, make_domain_notice(), make_context()))
    assert fields["Identity"].startswith("[NOT KNOWN")
    assert fields["Class of person that the notice is about"].startswith("[NOT KNOWN")


@pytest.mark.parametrize(
    ("instruments", "expected"),
    [
        (None, "it is not known whether both States are Parties"),
        (frozenset({"BUDAPEST", "UNCAC"}), "has both States as Parties to the "),
        (frozenset({"UNTOC"}), "does NOT have both States as Parties"),
    ],
)
def test_the_table_of_treaties_helps_and_decides_nothing(instruments: frozenset[str] | None, expected: str) -> None:
    context = make_context(addressee="NL", instruments=instruments)
    treaties = {
        FollowUpKind.PRESERVATION: "Budapest Convention on Cybercrime (BUDAPEST)",
        FollowUpKind.ASSISTANCE: "UN Convention against Corruption (UNCAC)",
    }
    for kind, treaty in treaties.items():
        text = read_fields(make_draft(kind, make_domain_notice(), context))["Treaty basis"]
        assert text.startswith("[LEGAL JUDGEMENT")
        assert expected in text
        assert (treaty in text) is (instruments is not None)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0, "1 January 1970, 00:00:00 UTC"),
        (NOW, "21 September 2026, 14:13:20 UTC"),
        (NOW + 7, "21 September 2026, 14:13:20.007 UTC"),
        (1_798_761_599_999, "31 December 2026, 23:59:59.999 UTC"),
        (-1, "31 December 1969, 23:59:59.999 UTC"),
    ],
)
def test_an_instant_is_written_for_people_and_of_what_was_observed_with_all_that_is_known(at: int, words: str) -> None:
    assert describe_observed(at) == words
    assert describe_instant(at) == re.sub(r"\.\d{3}", "", words)


def test_no_draft_has_an_instant_as_machines_write_it() -> None:
    notice = make_notice(
        {"assertion": "FACT", "observed_at": NOW + 7}, retain_until=NOW + 1_001, review_at=NOW + 2, sent_at=NOW + 3
    )
    context = replace(make_full_context(), now=NOW + 456)
    for kind in (FollowUpKind.PRESERVATION, FollowUpKind.ASSISTANCE):
        document = make_draft(kind, notice, context)
        assert read_fields(document)["Drafted"] == "21 September 2026, 14:13:20 UTC"
        assert read_fields(document)["Observed at"] == "21 September 2026, 14:13:20.007 UTC"
        word = Document(io.BytesIO(write_word_file(document)))
        for text in (
            write_markdown(document), write_html(document), "\n".join(each.text for each in word.paragraphs),
        ):  # fmt: skip
            assert re.search(r"\d{4}-\d\d-\d\dT", text) is None
            assert "Drafted on 21 September 2026, 14:13:20 UTC, from notice" in text
            assert "deleted by 21 September 2026, 14:13:21 UTC" in text
            assert "reviewed on 21 September 2026, 14:13:20 UTC" in text
            exact = set(re.findall(r"\d\d:\d\d:\d\d\.\d+", text.replace("\\", "")))
            assert exact == {"14:13:20.007"}, "only of what was observed"


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        ("BUDAPEST", "Budapest Convention on Cybercrime (BUDAPEST)"),
        ("NONE", "no treaty (NONE)"),
        ("BILATERAL:CH-DE-2020", "agreement with one State (BILATERAL:CH-DE-2020)"),
        ("OF_A_STATES_OWN", "OF_A_STATES_OWN"),
        (None, "no treaty named"),
    ],
)
def test_the_treaty_is_named_with_its_code(basis: str | None, words: str) -> None:
    draft = make_draft(FollowUpKind.PRESERVATION, make_notice(basis=basis, rules=[]), make_context())
    assert read_fields(draft)["Law under which we have it"] == f"{words}; no rule named"


def test_codes_of_the_notice_are_said_in_words() -> None:
    content = {
        "type": "iban", "assertion": "FACT", "grading_source": "B", "grading_information": 2, "grading_admiralty": "F6",
        "purpose": "EXECUTION", "subject_class": "OTHER", "tlp": "RED", "pap": "GREEN", "handling": ["H2", "H9"],
    }  # fmt: skip
    notice = make_notice(content, form="EXISTENCE", kind="CORRECTION", urgency="EMERGENCY")
    fields = read_fields(make_draft(FollowUpKind.ASSISTANCE, notice, make_full_context()))
    assert fields["Kind of identifier"] == "IBAN (iban)"
    assert fields["Kind of notice"] == "correction (CORRECTION)"
    assert fields["What it may be used as"] == "only that something is held: a lead, not evidence (EXISTENCE)"
    assert fields["Urgency of the notice"] == "emergency"
    assert fields["Purpose for which Switzerland (CH) sent the notice"] == "execution of sentences"
    assert fields["Class of person that the notice is about"] == "another person, such as a witness"
    assert fields["Reliability"] == (
        "stated as a fact | Europol 4x4: a source that was mostly reliable (B); known to the source personally, not to "
        "the officer (2) | Admiralty system: reliability of the source cannot be judged (F); truth cannot be judged (6)"
    )
    assert fields["Marking to keep"] == (
        "TLP:RED: for the named recipients only | PAP:GREEN: active steps are permitted, such as blocking | "
        "H2: not passed on without permission | H9"
    )
    assert fields["Requested State"] == "Netherlands (NL)"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grading_source": "A"}, "Europol 4x4: no doubt that the source is trustworthy (A)"),
        ({"grading_admiralty": "Z9"}, "Admiralty system: Z; 9"),
        ({}, "[NOT KNOWN, TO BE COMPLETED: the notice does not grade it]"),
        ({"assertion": "UNKNOWN"}, "[NOT KNOWN, TO BE COMPLETED: the notice does not grade it]"),
    ],
)
def test_reliability_says_what_is_graded_and_no_more(changes: dict[str, str], words: str) -> None:
    fields = read_fields(make_draft(FollowUpKind.PRESERVATION, make_notice(changes), make_context()))
    assert fields["Reliability"] == words


@pytest.mark.parametrize(
    ("code", "name"),
    [("CH", "Switzerland (CH)"), ("XA", "Test State A (XA)"), ("001", "001"), ("<b>\u202e", "<b>\ufffd")],
)
def test_a_state_is_named_and_what_is_none_is_shown_as_it_is(code: str, name: str) -> None:
    assert describe_state(code) == name


def test_a_language_is_named_with_its_tag() -> None:
    assert [describe_language(tag) for tag in ("de", "EN", "qqq")] == ["German (de)", "English (EN)", "qqq"]


def test_a_recall_gives_no_draft() -> None:
    notice = make_notice(kind="RECALL")
    assert list_fitting(notice) == ()
    for kind in KINDS:
        with pytest.raises(InputError, match="must no longer be used"):
            make_draft(kind, notice, make_context())


def test_a_notice_that_was_to_be_deleted_gives_no_draft() -> None:
    with pytest.raises(InputError, match="should have been deleted by now"):
        make_draft(FollowUpKind.PRESERVATION, make_notice(retain_until=NOW), make_context())
    assert make_draft(FollowUpKind.PRESERVATION, make_notice(retain_until=NOW + 1), make_context()).sections


def test_a_stop_payment_sheet_is_about_a_payment() -> None:
    assert FollowUpKind.STOP_PAYMENT not in list_fitting(make_domain_notice())
    assert FollowUpKind.STOP_PAYMENT in list_fitting(make_account_notice())
    assert FollowUpKind.STOP_PAYMENT in list_fitting(make_notice({"type": None}, redacted=["type"]))
    with pytest.raises(InputError, match="not about an account, card or payment"):
        make_draft(FollowUpKind.STOP_PAYMENT, make_domain_notice(), make_context())


def test_an_earlier_reference_makes_it_a_further_request() -> None:
    first = read_fields(make_draft(FollowUpKind.ASSISTANCE, make_domain_notice(), make_context()))
    assert first["Status"] == "first request"
    further = read_fields(make_draft(FollowUpKind.ASSISTANCE, make_domain_notice(), make_full_context()))
    assert further["Status"] == "further to an earlier preservation or request"
    assert further["Earlier preservation or request"] == "NL-24/7-17"


def test_who_asks_is_the_officer_and_what_the_state_announces() -> None:
    fields = read_fields(make_draft(FollowUpKind.PRESERVATION, make_domain_notice(), make_full_context()))
    assert fields["Requesting authority"] == f"{DRAFTER.agency} (police)"
    assert "desk@de.example" in fields["Contact points that our State announces"]
    assert "desk@nl.example" in fields["Authorities that it announces; choose one"]


@pytest.mark.parametrize(
    ("value_type", "value", "host"),
    [
        ("url", "https://user@shop.example:8443/a?b", "shop.example"),
        ("url", "https://[::1/", None),
        ("email-addr", "a@mail.example", "mail.example"),
        ("ipv4-addr", "192.0.2.1", "192.0.2.1"),
        ("file-sha256", "a" * 64, None),
        ("url", None, None),
    ],
)
def test_the_system_is_read_from_the_identifier(value_type: str, value: str | None, host: str | None) -> None:
    assert find_host(value_type, value) == host


def test_every_offence_has_words() -> None:
    assert set(OFFENCES) == {*OffenceCode, *OffenceModifier}
    assert describe_offence("ILLEGAL_ACCESS").startswith("illegal access (Budapest Convention art. 2; UN Convention")
    assert describe_offence("OF_A_LATER_VERSION") == "OF_A_LATER_VERSION"


def test_a_field_without_text_must_be_marked() -> None:
    with pytest.raises(ValueError, match="must be marked"):
        fill("label", "  \n ")


def test_every_notice_of_the_demo_gives_drafts_with_all_elements() -> None:
    notices = list_real_notices()
    assert len(notices) >= 7
    for notice in notices.values():
        for kind in list_fitting(notice):
            document = make_draft(kind, notice, make_context())
            found = {field.element for section in document.sections for field in section.fields}
            assert found - {""} == ELEMENTS.get(kind, set())
            assert document.needs_consent is any(each.kind in FORBIDDING for each in notice.conditions)


def test_reprs_show_no_content() -> None:
    document = DRAFTS["account-unknown-stop-payment"]
    assert "DE89" not in repr(document)
    assert "DE89" not in repr(document.sections[0].fields[0])
