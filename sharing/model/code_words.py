"""Codes of the model in words, each with its code: kinds of authorities, outcomes, treaties, messages and roles.

Codes of items, such as types and markings: `item_code_words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.model.vocabulary import Authority, Outcome
from sharing.sentences import Sentence, say

AUTHORITY_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        Authority.POLICE: say("police"),
        Authority.PROSECUTOR: say("public prosecutor"),
        Authority.COURT: say("court"),
        Authority.CUSTOMS: say("customs"),
        Authority.FIU: say("financial intelligence unit"),
        Authority.TAX: say("tax authority"),
        Authority.INTELLIGENCE: say("intelligence service"),
        Authority.OTHER: say("another authority"),
        Authority.UNKNOWN: say("not stated"),
    }
)
"""Kinds of authorities."""

OUTCOME_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        Outcome.DISCLOSE: say("it is sent"),
        Outcome.OFFER: say("it is offered: conditions must be accepted first"),
        Outcome.HOLD: say("it is held until it is approved"),
        Outcome.WITHHOLD: say("it is withheld"),
    }
)
"""What was decided for a State."""

TREATY_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "BUDAPEST": say("Budapest Convention on Cybercrime"),
        "BUDAPEST_P2": say("Second Additional Protocol to the Budapest Convention"),
        "UNCAC": say("UN Convention against Corruption"),
        "UNTOC": say("UN Convention against Transnational Organized Crime"),
        "UNCC": say("UN Convention against Cybercrime"),
        "EU_2023_977": say("Directive (EU) 2023/977 on the exchange of information between police authorities"),
        "NAPLES_II": say("Naples II Convention between customs administrations"),
        "TCA_PART_3": say("Trade and Cooperation Agreement between the EU and the United Kingdom, Part Three"),
        "EU_MLA_2000": say("EU Convention of 2000 on mutual assistance in criminal matters"),
        "ETS_182": say("Second Additional Protocol to the European Convention on Mutual Assistance"),
        "AMLD_FIU": say("Directive (EU) 2015/849, between financial intelligence units"),
        "NONE": say("no treaty"),
    }
)
"""Short titles of the instruments of the shipped treaty table. A table of a State's own may name others."""

MESSAGE_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "ITEM": say("item"),
        "CORRECTION": say("correction"),
        "RECALL": say("recall"),
        "OFFER": say("offer"),
        "DRAFT": say("own item"),
    }
)
"""Kinds of messages between States, and what a State keeps of an item of its own."""

ROLE_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "AGENCY_HEAD": say("head of the agency"),
        "ATTORNEY_FOR_THE_GOVERNMENT": say("attorney for the government"),
        "ATTORNEY_GENERAL": say("Attorney-General"),
        "COMMISSIONERS": say("commissioners of revenue and customs"),
        "COMPETENT_MINISTER": say("competent minister"),
        "DEPUTY_HEAD": say("deputy head"),
        "DISTRICT_COURT": say("district court"),
        "FEDERAL_OFFICE_OF_JUSTICE": say("Federal Office of Justice"),
        "FEDERAL_OFFICE_OF_POLICE": say("Federal Office of Police"),
        "HEAD_OF_AGENCY": say("head of the police agency"),
        "HEAD_OF_AUTHORITY": say("head of the authority"),
        "HEAD_OF_INSTITUTION": say("head of the institution"),
        "INVESTIGATING_COURT_OR_PROSECUTOR": say("investigating court or prosecutor"),
        "JUDICIAL_AUTHORITY": say("judicial authority"),
        "LEGAL_ADVISER": say("legal adviser"),
        "MAGISTRATE": say("magistrate"),
        "MAYOR": say("mayor"),
        "MINISTER": say("minister"),
        "NATIONAL_PUBLIC_SAFETY_COMMISSION": say("National Public Safety Commission"),
        "OFFICE_OF_INTERNATIONAL_AFFAIRS": say("Office of International Affairs"),
        "PROVIDING_OFFICER": say("officer responsible for the item"),
        "PUBLIC_PROSECUTOR": say("public prosecutor"),
        "SECRETARY_OF_STATE": say("Secretary of State"),
        "SENIOR_OFFICER": say("senior officer"),
        "SENIOR_POLICE_OFFICER": say("senior police officer"),
        "SENIOR_RESPONSIBLE_OFFICER": say("senior responsible officer"),
        "SUPERVISOR": say("supervisor"),
    }
)
"""The roles of the shipped law packs. A pack of a State's own may name others."""

_AGREEMENT: Final = "BILATERAL:"


def describe_authority(authority: str) -> str:
    """Return a kind of authority in words with its code; the code alone if it is not known."""
    return add_code(AUTHORITY_WORDS, authority)


def describe_outcome(outcome: str) -> str:
    """Return an outcome in words with its code; the code alone if it is not known."""
    return add_code(OUTCOME_WORDS, outcome)


def describe_treaty(basis: str) -> str:
    """Return the short title of an instrument with its code; the code alone if it is not known.

    Of an agreement with one State, a pack gives no title but the name in its code.
    """
    if basis.startswith(_AGREEMENT):
        return say("agreement with one State (%(code)s)", code=basis)
    return add_code(TREATY_WORDS, basis)


def describe_message(kind: str) -> str:
    """Return a kind of message in words with its code; the code alone if it is not known."""
    return add_code(MESSAGE_WORDS, kind)


def describe_role(role: str) -> str:
    """Return a role in words with its code; the code alone if no shipped law pack has it."""
    return add_code(ROLE_WORDS, role)


def add_code(words: Mapping[str, Sentence], code: str) -> str:
    """Return the words of a code with the code in parentheses; the code alone if it has none."""
    known = words.get(code)
    return str(code) if known is None else say("%(words)s (%(code)s)", words=known, code=str(code))
