"""What the pages of follow-ups call things, in the language of the request."""

from __future__ import annotations

from typing import Final

from sharing.desk.web.catalogue import _, mark_message
from sharing.desk.web.code_words import CLOSE_REASON_WORDS, DRAFT_KIND_WORDS
from sharing.followups.document import FollowUpKind, Severity
from sharing.followups.expiry import CloseReason

SENTENCES: Final = (
    mark_message("the date has passed; name the day until which the other State keeps the data"),
    mark_message("the date is more than a year ahead; name the day that the other State has confirmed"),
    mark_message("the new date must be later than the previous one"),
    mark_message("somebody has closed this preservation; draft a new request if the data are still needed"),
    mark_message("this preservation no longer exists; load the list again"),
)
"""What is said by `sharing.followups.expiry` and `preservations`, for the catalogue."""


def list_kinds() -> list[tuple[str, str, str]]:
    """Return what can be drafted: code, name, and what it is for."""
    return [
        (
            FollowUpKind.PRESERVATION.value,
            _(DRAFT_KIND_WORDS[FollowUpKind.PRESERVATION]),
            _("Another State keeps data that could be lost (Budapest Convention, article 29)."),
        ),
        (
            FollowUpKind.ASSISTANCE.value,
            _(DRAFT_KIND_WORDS[FollowUpKind.ASSISTANCE]),
            _("Another State is asked for evidence or a measure (UNCAC, article 46(15))."),
        ),
        (
            FollowUpKind.STOP_PAYMENT.value,
            _(DRAFT_KIND_WORDS[FollowUpKind.STOP_PAYMENT]),
            _("What a bank needs to stop or recall a payment. Only for accounts, cards and payments."),
        ),
    ]


def explain_unknown_preservations() -> str:
    """Return why no preservation can be drafted while it is not known what other States preserve."""
    return _(
        "It is not known now whether data are already preserved because of this item, so no request to preserve "
        "data can be drafted. Try again in a moment."
    )


def list_close_reasons() -> list[tuple[str, str]]:
    """Return why nobody watches a preservation any more: codes and words."""
    return [(reason.value, _(CLOSE_REASON_WORDS[reason])) for reason in CloseReason]


def list_severity_words() -> dict[str, str]:
    """Return what the cautions of a draft begin with, by their severity."""
    return {
        Severity.CONSENT.value: _("Consent first"),
        Severity.CHECK.value: _("Compare"),
        Severity.DUTY.value: _("Binds"),
    }
