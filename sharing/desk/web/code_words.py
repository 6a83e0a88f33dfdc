"""Codes that several pages show, in words of the catalogue. A code that is not known is shown as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from babel import Locale

from sharing.console.code_words import describe_answer
from sharing.desk.web.catalogue import _, get_language, mark_message
from sharing.desk.web.wording import capitalise
from sharing.followups.document import FollowUpKind
from sharing.followups.expiry import CloseReason
from sharing.model.code_words import AUTHORITY_WORDS, MESSAGE_WORDS, ROLE_WORDS, describe_treaty
from sharing.model.countries import TEST_STATES
from sharing.model.item_code_words import describe_type

CATEGORY_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NETWORK": mark_message("internet address or connection"),
        "TLS": mark_message("certificate or cryptographic key"),
        "FILE": mark_message("file or software"),
        "ACCOUNT": mark_message("e-mail or online account"),
        "TELECOM": mark_message("telephone or SIM card"),
        "FINANCE": mark_message("account or payment"),
        "PERSON": mark_message("person, document or vehicle"),
        "CONTENT": mark_message("image or video"),
    }
)
"""The groups of types of items."""

FIELD_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "type": mark_message("Type"),
        "value": mark_message("Value"),
        "summary": mark_message("Summary"),
        "source_agency": mark_message("Source agency"),
        "source_authority": mark_message("Kind of agency"),
        "source_case": mark_message("Case of the source"),
        "offence_codes": mark_message("Offences"),
        "offence_modifiers": mark_message("Details of the offence"),
        "modus_operandi": mark_message("Modus operandi"),
        "max_penalty_years": mark_message("Maximum penalty, in years"),
        "collection": mark_message("How it was obtained"),
        "subject_class": mark_message("Whom it is about"),
        "assertion": mark_message("Fact or assessment"),
        "grading_source": mark_message("Source (Europol 4x4)"),
        "grading_information": mark_message("Information (Europol 4x4)"),
        "grading_admiralty": mark_message("Admiralty system"),
        "origin_state": mark_message("State to which it belongs"),
        "handling": mark_message("Handling"),
        "handling_text": mark_message("Handling instructions"),
        "tlp": mark_message("TLP"),
        "pap": mark_message("PAP"),
        "purpose": mark_message("Purpose"),
        "personal_data": mark_message("Personal data"),
        "special_category": mark_message("Special category of personal data"),
        "observed_at": mark_message("Observed"),
    }
)
"""The fields of an item that a law can leave out (`sharing.law.redaction`), as the page of an item calls them."""


MARKING_QUESTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "handling": mark_message("Which handling codes apply?"),
        "pap": mark_message("Which PAP marking applies?"),
        "tlp": mark_message("Which TLP marking applies?"),
    }
)
"""What is asked of a marking that an officer corrects. No interview asks it, because no law does."""

DRAFT_KIND_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        FollowUpKind.PRESERVATION: mark_message("Request to preserve data"),
        FollowUpKind.ASSISTANCE: mark_message("Request for mutual legal assistance"),
        FollowUpKind.STOP_PAYMENT: mark_message("Stop-payment sheet"),
    }
)
"""What can be drafted from a received item."""

CLOSE_REASON_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        CloseReason.REQUEST_RECEIVED: mark_message(
            "The other State has our request for assistance, and keeps the data until it decides"
        ),
        CloseReason.NOT_NEEDED: mark_message("The data are not needed"),
        CloseReason.REFUSED: mark_message("The other State has refused, or has no data"),
    }
)
"""Why nobody watches a preservation any more."""


def name_category(code: str) -> str:
    """Return what a category of items is called."""
    return _(CATEGORY_WORDS.get(code, code))


def name_authority(code: str) -> str:
    """Return what a kind of authority is called."""
    return _(AUTHORITY_WORDS.get(code, code))


def name_fields(names: Iterable[str]) -> str:
    """Return what fields of an item are called, separated by commas."""
    return ", ".join(_(FIELD_WORDS.get(name, name)) for name in names)


def name_message(code: str) -> str:
    """Return what a kind of message is called."""
    return _(MESSAGE_WORDS.get(code, code))


def name_treaty(code: str) -> str:
    """Return the short title of a treaty, and its code."""
    return _(describe_treaty(code))


def name_given(code: str) -> str:
    """Return an answer that was given, in words, and its code."""
    return _(describe_answer(code))


def name_type(code: str) -> str:
    """Return a type of items in words, and its code."""
    return capitalise(_(describe_type(code)))


def name_role(code: str) -> str:
    """Return what a role is called."""
    return _(ROLE_WORDS.get(code, code))


def name_roles(codes: Iterable[str]) -> str:
    """Return what roles are called, separated by commas."""
    return ", ".join(map(name_role, codes))


def name_country(code: str) -> str:
    """Return the name of a State in the language of the page; its code if it is not listed."""
    if code in TEST_STATES:
        return _("Test State %(letter)s", letter=code[-1])
    return str(Locale(get_language()).territories.get(code, code))


def show_state(code: str) -> str:
    """Return the name of a State, and its code."""
    name = name_country(code)
    return name if name == code else f"{name} ({code})"


def show_states(codes: Iterable[str]) -> str:
    """Return the names and codes of States, in the order of the codes."""
    return ", ".join(map(show_state, sorted(codes)))
