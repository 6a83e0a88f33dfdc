"""What an officer had filled in is shown with the labels of its fields, and codes are shown in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest

from sharing.desk.web.catalogue import set_language
from sharing.desk.web.typed_fields import LABELS, list_typed

FIELD = re.compile(r'ui\.(?:text_field|textarea|radios|checkboxes|select)\(form, "(\w+)"')
NOT_KEPT = {
    "invitation",  # before anybody signs in
    "month", "state", "reader", "item",  # of forms that only read
    "context",  # goes with a file, which cannot be kept
}  # fmt: skip


def list_fields() -> Iterator[str]:
    for folder in (files("sharing.desk") / "templates").iterdir():
        for template in folder.iterdir():
            yield from FIELD.findall(template.read_text("utf-8"))


def test_every_field_that_officers_fill_in_has_a_label() -> None:
    found = set(list_fields())
    assert len(found) > 20
    assert found - NOT_KEPT <= set(LABELS)


def test_labels_and_words_are_shown_and_what_the_page_has_put_there_is_not() -> None:
    sent = [
        ("act", "answer"), ("nonce", "12ab"), ("version", "3"), ("type", "domain-name"), ("value", "shop.example"),
        ("urgency", "EMERGENCY"), ("handling", "H1"), ("tlp", "RED"), ("nexus_reason", ""),
        ("fact:offence.codes", "ICT_FORGERY"), ("fact:character", "-"), ("fact:no.such", "X"),
        ("kind", "STOP_PAYMENT"), ("reason", "NOT_NEEDED"),
    ]  # fmt: skip
    assert list_typed(sent) == [
        ("Type", "Domain name (domain-name)"),
        ("Value", "shop.example"),
        ("How urgent is it?", "Emergency: significant and imminent risk to life or safety"),
        ("Handling codes", "H1: not in court without permission"),
        ("TLP", "RED: for the named recipients only"),
        ("Which offences does it concern?", "ICT forgery"),
        ("Is it of a political, military, religious or racial character?", "None of these"),
        ("What do you want to draft?", "Stop-payment sheet"),
        ("Reason", "The data are not needed"),
    ]


@pytest.mark.parametrize("words", ["PURPLE", "not a code", "<b>"])
def test_what_is_no_code_is_shown_as_it_was_typed(words: str) -> None:
    assert list_typed([("reason", words), ("kind", words)]) == [
        ("Reason", words),
        ("What do you want to draft?", words),
    ]


def test_they_are_in_the_language_of_the_page() -> None:
    set_language("fr")
    try:
        assert list_typed([("type", "iban"), ("pap", "GREEN")]) == [
            ("Type", "IBAN (iban)"),
            ("PAP", "GREEN : les actions visibles sont permises, comme le blocage"),
        ]
    finally:
        set_language("en")
