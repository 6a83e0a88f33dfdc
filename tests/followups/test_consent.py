"""Conditions, handling and markings are enforced: what must be asked, and from whom, comes first."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.followups.consent import describe_whom_to_ask
from sharing.followups.document import FollowUpKind, Severity
from sharing.followups.drafting import make_draft
from sharing.followups.html_page import write_html
from sharing.followups.markdown_file import write_markdown
from tests.followups.drafts import KINDS
from tests.followups.samples import CONDITIONS, NOTICE_ID, make_context, make_full_context, make_notice

PAYMENT = {"type": "iban", "value": "DE89370400440532013000", "source_agency": "fedpol", "source_authority": "POLICE"}


def find_severities(kind: FollowUpKind, *conditions: str, to: str | None = None, **content: Any) -> list[Severity]:
    notice = make_notice({**PAYMENT, "assertion": "FACT", **content}, *conditions)
    context = make_full_context(to) if to else make_context()
    return [caution.severity for caution in make_draft(kind, notice, context).cautions]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["onward", "evidence", "confidential", "handling", "other"])
def test_what_forbids_use_or_passing_on_needs_consent_first(kind: FollowUpKind, name: str) -> None:
    assert find_severities(kind, name) == [Severity.CONSENT, Severity.CONSENT]
    assert find_severities(kind, name, to="NL") == [Severity.CONSENT, Severity.CONSENT]


@pytest.mark.parametrize("name", ["onward", "evidence", "confidential", "handling", "other"])
def test_to_the_state_that_set_it_a_condition_is_compared(name: str) -> None:
    assert find_severities(FollowUpKind.PRESERVATION, name, to="CH") == [Severity.CHECK]
    assert find_severities(FollowUpKind.ASSISTANCE, name, to="CH") == [Severity.CHECK]
    # A bank is never the State that set it.
    assert find_severities(FollowUpKind.STOP_PAYMENT, name, to="CH") == [Severity.CONSENT, Severity.CONSENT]


@pytest.mark.parametrize("kind", KINDS)
def test_a_purpose_is_compared_by_a_person(kind: FollowUpKind) -> None:
    assert find_severities(kind, "purpose") == [Severity.CHECK]
    assert find_severities(kind, "h0") == [Severity.CHECK]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["retention", "correct", "report"])
def test_a_duty_binds_the_draft(kind: FollowUpKind, name: str) -> None:
    assert find_severities(kind, name) == [Severity.DUTY]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content",
    [
        {"handling": ["H1"]}, {"handling": ["H2"]}, {"handling": ["H9"]}, {"handling_text": "Ask us."}, {"tlp": "RED"},
        {"tlp": "AMBER"}, {"tlp": "AMBER+STRICT"}, {"tlp": "PURPLE"}, {"pap": "RED"}, {"pap": "AMBER"},
        {"origin_state": "FR"},
    ],
)  # fmt: skip
def test_handling_and_markings_need_consent_without_a_condition(kind: FollowUpKind, content: dict[str, Any]) -> None:
    assert find_severities(kind, **content) == [Severity.CONSENT, Severity.CONSENT]


@pytest.mark.parametrize(
    "content",
    [{}, {"handling": ["H0"]}, {"tlp": "GREEN"}, {"tlp": "CLEAR"}, {"pap": "GREEN"}, {"origin_state": "CH"}],
)
def test_what_binds_nobody_is_no_caution(content: dict[str, Any]) -> None:
    for kind in KINDS:
        assert find_severities(kind, **content) == []


def test_a_code_that_a_condition_says_already_is_said_once() -> None:
    assert find_severities(FollowUpKind.ASSISTANCE, "evidence", handling=["H1"]) == [Severity.CONSENT] * 2


def test_an_assessment_is_kept_as_one() -> None:
    for assertion in ("ASSESSMENT", "UNKNOWN", None):
        assert find_severities(FollowUpKind.PRESERVATION, assertion=assertion) == [Severity.DUTY]


def test_consent_is_the_first_thing_that_a_draft_says() -> None:
    notice = make_notice(PAYMENT, "retention", "purpose", "onward")
    for kind in KINDS:
        document = make_draft(kind, notice, make_full_context())
        assert document.needs_consent
        assert document.cautions[0].text.startswith("Consent is required before this is sent to anybody. Ask fedpol")
        order = [caution.severity for caution in document.cautions]
        assert order == sorted(order, key=list(Severity).index)
        for text in (write_markdown(document), write_html(document)):
            assert 0 < text.index("Consent is required") < text.index("References")


def test_whom_to_ask_is_named_as_far_as_it_is_known() -> None:
    known = describe_whom_to_ask(make_notice(PAYMENT), make_full_context())
    assert known == (
        f"Ask fedpol (police) of Switzerland (CH), and name notice {NOTICE_ID}. Switzerland (CH) announces: Police of "
        "CH (police): 24/7, always, desk@ch.example, languages: English (en)."
    )
    unknown = describe_whom_to_ask(
        make_notice({**PAYMENT, "source_agency": None, "source_authority": None}), make_context()
    )
    assert unknown == f"Ask the authority that sent it of Switzerland (CH), and name notice {NOTICE_ID}."
    third = describe_whom_to_ask(make_notice({**PAYMENT, "origin_state": "FR"}), make_context())
    assert third.endswith("The information belongs to France (FR): Switzerland (CH) asks for its consent too.")


def test_the_exculpatory_exception_is_said() -> None:
    excepted = {**CONDITIONS["confidential"], "exculpatory_exception": True}
    notice = make_notice(PAYMENT, conditions=[excepted])
    texts = [caution.text for caution in make_draft(FollowUpKind.ASSISTANCE, notice, make_context()).cautions]
    assert "UNCAC art. 46(5)" in texts[1]


def test_every_condition_stands_in_the_draft_with_its_text() -> None:
    notice = make_notice(PAYMENT, *CONDITIONS)
    for kind in KINDS:
        document = make_draft(kind, notice, make_context())
        lines = next(
            field.lines
            for section in document.sections
            for field in section.fields
            if field.label == "Conditions of Switzerland (CH)"
        )
        assert lines == tuple(f"{each['text']} [{each['code']}]" for each in CONDITIONS.values())
        assert {code for caution in document.cautions for code in caution.codes} >= {
            each["code"] for each in CONDITIONS.values()
        }
