"""The catalogue: every message of code and templates has a translation that fits it."""

from __future__ import annotations

import re

import pytest
from babel.messages.catalog import Message

from sharing.desk.settings import LANGUAGES
from sharing.desk.web.catalogue import read_catalogues, set_language, translate, translate_plural
from sharing.tools.desk_messages import find_messages, find_untranslated

OTHERS = LANGUAGES[1:]
PLACEHOLDER = re.compile(r"%\(([a-z_]+)\)s")


def list_messages(language: str) -> list[Message]:
    """Return the messages that are translated; another test finds the others."""
    return [
        message
        for catalogue in read_catalogues(language)
        for message in catalogue
        if message.id and (all(message.string) if isinstance(message.string, tuple) else message.string)
    ]


def test_messages_are_found_in_code_and_in_templates() -> None:
    found = find_messages()
    assert "Sign in with a passkey" in found
    assert "You are not signed in." in found
    assert ("%(count)s emergency waits for an answer.", "%(count)s emergencies wait for an answer.") in found


def list_texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated(language: str) -> None:
    missing = {str(key): f"{places[0].file}:{places[0].line}" for key, places in find_untranslated(language).items()}
    assert missing == {}


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_placeholders_of_its_message(language: str) -> None:
    for message in list_messages(language):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        texts = list_texts(message)
        names = set().union(*(PLACEHOLDER.findall(text) for text in ids))
        for text in texts:
            found = set(PLACEHOLDER.findall(text))
            assert found <= names, message.id
            assert names - found <= {"count"}, message.id
            assert "%" not in PLACEHOLDER.sub("", text) or not names, message.id


@pytest.mark.parametrize("language", OTHERS)
def test_no_message_is_translated_in_two_ways(language: str) -> None:
    known: dict[str, object] = {}
    for message in list_messages(language):
        key = str(message.id)
        assert known.setdefault(key, message.string) == message.string, key


@pytest.mark.parametrize("language", OTHERS)
def test_translations_are_complete_texts(language: str) -> None:
    for message in list_messages(language):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        texts = list_texts(message)
        for text in texts:
            assert not message.fuzzy
            assert text.strip() == text
            assert "<" not in text
            assert ids[0].endswith(".") == text.endswith("."), ids[0]


def test_a_message_is_shown_in_the_language_of_the_request_and_otherwise_in_english(untranslated: set[str]) -> None:
    set_language("fr")
    try:
        assert translate("Sign out") == "Se déconnecter"
        assert translate_plural(
            "%(count)s emergency waits for an answer.", "%(count)s emergencies wait for an answer.", 0
        )
        emergencies = "%(count)s emergency waits for an answer.", "%(count)s emergencies wait for an answer."
        assert translate_plural(*emergencies, 1_234).startswith("1 234 ")
        assert translate("no such message") == "no such message"
        assert translate("") == ""
    finally:
        set_language("en")
    assert untranslated == {"no such message"}, "the tests of all pages would find it"
    untranslated.clear()
    assert translate("Sign out") == "Sign out"
    set_language("xx")
    assert translate("Sign out") == "Sign out"
