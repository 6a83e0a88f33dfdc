"""Codes that several pages show, in words of the catalogue. A code that is not known is shown as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from babel import Locale

from sharing.console.code_words import describe_answer
from sharing.desk.web.catalogue import _, get_language, mark_message
from sharing.model.code_words import AUTHORITY_WORDS, describe_treaty
from sharing.model.countries import TEST_STATES

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

MESSAGE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ITEM": mark_message("item"),
        "CORRECTION": mark_message("correction"),
        "RECALL": mark_message("recall"),
        "OFFER": mark_message("offer"),
        "DRAFT": mark_message("own item"),
    }
)
"""Kinds of messages between States, and what a State keeps of an item of its own."""

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

ROLE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AGENCY_HEAD": mark_message("head of the agency"),
        "ATTORNEY_FOR_THE_GOVERNMENT": mark_message("attorney for the government"),
        "ATTORNEY_GENERAL": mark_message("Attorney-General"),
        "COMMISSIONERS": mark_message("commissioners of revenue and customs"),
        "COMPETENT_MINISTER": mark_message("competent minister"),
        "DEPUTY_HEAD": mark_message("deputy head"),
        "DISTRICT_COURT": mark_message("district court"),
        "FEDERAL_OFFICE_OF_JUSTICE": mark_message("Federal Office of Justice"),
        "FEDERAL_OFFICE_OF_POLICE": mark_message("Federal Office of Police"),
        "HEAD_OF_AGENCY": mark_message("head of the police agency"),
        "HEAD_OF_AUTHORITY": mark_message("head of the authority"),
        "HEAD_OF_INSTITUTION": mark_message("head of the institution"),
        "INVESTIGATING_COURT_OR_PROSECUTOR": mark_message("investigating court or prosecutor"),
        "LEGAL_ADVISER": mark_message("legal adviser"),
        "MAGISTRATE": mark_message("magistrate"),
        "MAYOR": mark_message("mayor"),
        "MINISTER": mark_message("minister"),
        "NATIONAL_PUBLIC_SAFETY_COMMISSION": mark_message("National Public Safety Commission"),
        "OFFICE_OF_INTERNATIONAL_AFFAIRS": mark_message("Office of International Affairs"),
        "PROVIDING_OFFICER": mark_message("officer responsible for the item"),
        "PUBLIC_PROSECUTOR": mark_message("public prosecutor"),
        "SECRETARY_OF_STATE": mark_message("Secretary of State"),
        "SENIOR_OFFICER": mark_message("senior officer"),
        "SENIOR_POLICE_OFFICER": mark_message("senior police officer"),
        "SENIOR_RESPONSIBLE_OFFICER": mark_message("senior responsible officer"),
        "SUPERVISOR": mark_message("supervisor"),
    }
)
"""The roles of the shipped law packs. A pack of a State's own may name others."""


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
