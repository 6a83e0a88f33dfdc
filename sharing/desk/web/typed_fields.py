"""What an officer had filled in on a page whose form was not sent: the labels of its fields, and words for codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from sharing.desk.web.catalogue import _, mark_message
from sharing.desk.web.code_words import CLOSE_REASON_WORDS, DRAFT_KIND_WORDS, name_type
from sharing.desk.web.value_words import name_value
from sharing.law.fact_questions import QUESTIONS

FACT_PREFIX: Final = "fact:"
"""Before the name of a fact, in the name of its field."""

NO_MEMBER: Final = "-"
"""Stands on a page for an answer that a set is empty: without any box ticked, nothing is answered."""

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "type": mark_message("Type"),
        "value": mark_message("Value"),
        "summary": mark_message("What the receiving officer should know"),
        "nexus": mark_message("States that it concerns"),
        "nexus_reason": mark_message("Why it concerns them"),
        "urgency": mark_message("How urgent is it?"),
        "urgency_reason": mark_message("Reason of an emergency"),
        "handling": mark_message("Handling codes"),
        "handling_text": mark_message("The other restriction, with H3"),
        "tlp": mark_message("TLP"),
        "pap": mark_message("PAP"),
        "case": mark_message("Own case number"),
        "modus_operandi": mark_message("Tags for interests"),
        "observed_at": mark_message("Observed at"),
        "retain_until": mark_message("To be deleted after"),
        "profile_name": mark_message("Name of the profile"),
        "text": mark_message("Your text"),
        "q": mark_message("Find an item"),
        "kind": mark_message("What do you want to draft?"),
        "addressee": mark_message("State that is asked"),
        "extends": mark_message("Reference of an earlier preservation (optional)"),
        "requested": mark_message("Asked for on"),
        "expires": mark_message("Kept until"),
        "reference": mark_message("Reference"),
        "reason": mark_message("Reason"),
    }
)
"""What the forms of pages call each field that officers fill in. What else a form sends, pages have put there."""


def list_typed(sent: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what an officer had filled in: labels and values, in the language of the request.

    Args:
        sent: Names and values of the fields of a form. An empty value was not filled in.
    """
    named = ((_name_field(name), _name_value(name, value)) for name, value in sent if value)
    return [(label, value) for label, value in named if label]


def _name_field(name: str) -> str:
    label = QUESTIONS.get(name.removeprefix(FACT_PREFIX)) if name.startswith(FACT_PREFIX) else LABELS.get(name)
    return _(label) if label else ""


def _name_value(name: str, value: str) -> str:
    match name:
        case "type":
            return name_type(value)
        case "urgency" | "handling" | "tlp" | "pap":
            return name_value(value, name)
        case "kind" if value in DRAFT_KIND_WORDS:
            return _(DRAFT_KIND_WORDS[value])
        case "reason" if value in CLOSE_REASON_WORDS:
            return _(CLOSE_REASON_WORDS[value])
        case _ if name.startswith(FACT_PREFIX):
            return _("None of these") if value == NO_MEMBER else name_value(value, name.removeprefix(FACT_PREFIX))
        case _:
            return value
