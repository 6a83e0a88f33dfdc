"""A request for the expedited preservation of stored computer data: Budapest Convention art. 29."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.followups.assembly import assemble_draft
from sharing.followups.context import FollowUpContext
from sharing.followups.document import (
    Blank,
    DraftField,
    DraftSection,
    FollowUpDocument,
    FollowUpKind,
    fill,
    leave_blank,
)
from sharing.followups.known import (
    list_fact_fields,
    list_identifier_fields,
    list_location_fields,
    list_offence_fields,
    make_addressee_fields,
    make_basis_field,
    make_handling,
    make_period_field,
    make_references,
    make_requesting_fields,
    make_signature,
)
from sharing.followups.notice_words import name_urgency
from sharing.model.notice import Notice


def draft_preservation(notice: Notice, context: FollowUpContext) -> FollowUpDocument:
    """Return a draft with every element of art. 29(2)(a) to (f), filled or marked.

    Args:
        notice: The notice.
        context: What is known beyond it.
    """
    sections = (
        make_references(notice, context),
        DraftSection("Requesting authority", make_requesting_fields(context, "29(2)(a)"), "art. 29(2)(a)"),
        DraftSection(
            "Requested authority",
            (*make_addressee_fields(context), make_basis_field(context, "BUDAPEST", "Budapest Convention art. 29")),
        ),
        DraftSection(
            "Offence and facts",
            (*list_offence_fields(notice, "29(2)(b)"), *list_fact_fields(notice, "29(2)(b)")),
            "art. 29(2)(b)",
        ),
        DraftSection(
            "Data to be preserved, and how they are related to the offence",
            tuple(_list_data(notice)),
            "art. 29(2)(c)",
        ),
        DraftSection(
            "Custodian of the data, or place of the system",
            tuple(list_location_fields(notice, "29(2)(d)")),
            "art. 29(2)(d)",
        ),
        DraftSection("Necessity", tuple(_list_necessity(notice)), "art. 29(2)(e)"),
        DraftSection("What follows", _list_intent(), "art. 29(2)(f)"),
        DraftSection("Duration and admissibility", _list_duration(), "art. 29(3) to (7)"),
        make_handling(notice),
        make_signature(),
    )
    return assemble_draft(
        FollowUpKind.PRESERVATION,
        "Request for the expedited preservation of stored computer data",
        notice,
        context,
        sections,
    )


def _list_data(notice: Notice) -> Iterator[DraftField]:
    element = "29(2)(c)"
    yield from list_identifier_fields(notice, element)
    yield leave_blank(
        "Data requested",
        Blank.JUDGEMENT,
        "subscriber data, traffic data, content: which of the account or system",
        element=element,
    )
    yield make_period_field(notice, "Period", element)
    yield leave_blank(
        "Relation of the data to the offence",
        Blank.JUDGEMENT,
        "the notice names the identifier with the offences above; say what the data would show",
        element=element,
    )


def _list_necessity(notice: Notice) -> Iterator[DraftField]:
    element = "29(2)(e)"
    yield leave_blank(
        "Why the preservation is necessary", Blank.JUDGEMENT, "why the data may be lost or changed", element=element
    )
    yield fill("Urgency that the notice states", name_urgency(notice), element=element)


def _list_intent() -> tuple[DraftField, ...]:
    element = "29(2)(f)"
    return (
        fill(
            "Request that follows",
            "The requesting authority intends to ask for mutual assistance for the search, seizure, securing or "
            "disclosure of these data.",
            element=element,
        ),
        leave_blank(
            "Measure, and when the request is to follow",
            Blank.JUDGEMENT,
            "which of these; by when. Delete the sentence if it does not apply",
            element=element,
        ),
    )


def _list_duration() -> tuple[DraftField, ...]:
    return (
        fill(
            "Duration",
            "At least 60 days, so that the request can follow; after its receipt, until it is decided (art. 29(7)).",
        ),
        leave_blank("Longer period requested", Blank.JUDGEMENT, "if our or their law allows one"),
        leave_blank(
            "Dual criminality",
            Blank.JUDGEMENT,
            "no ground of refusal for offences of arts 2 to 11; otherwise a reservation may exist (art. 29(3), (4))",
        ),
        leave_blank(
            "Risk from the custodian",
            Blank.JUDGEMENT,
            "whether the custodian may warn the person concerned (art. 29(6))",
        ),
        leave_blank("Partial disclosure of traffic data", Blank.JUDGEMENT, "whether it is also requested (art. 30)"),
    )
