"""A request for mutual legal assistance: UNCAC art. 46(15), with the fields of the Council of Europe's templates."""

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
    fill_or_blank,
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
from sharing.followups.names import describe_state
from sharing.followups.notice_words import find_words
from sharing.model.item_code_words import PURPOSE_WORDS, SUBJECT_WORDS
from sharing.model.notice import Notice

_PERSON_TYPES = frozenset({"person", "passport-number", "identity-card-number"})


def draft_assistance(notice: Notice, context: FollowUpContext) -> FollowUpDocument:
    """Return a draft with every element of art. 46(15)(a) to (f), filled or marked.

    Args:
        notice: The notice.
        context: What is known beyond it.
    """
    sections = (
        make_references(notice, context),
        DraftSection("Requesting authority", make_requesting_fields(context, "46(15)(a)"), "art. 46(15)(a)"),
        DraftSection("Requested authority", (*make_addressee_fields(context), *_list_basis(context))),
        DraftSection("Proceedings", tuple(_list_proceedings(notice)), "art. 46(15)(b)"),
        DraftSection("Facts", tuple(list_fact_fields(notice, "46(15)(c)")), "art. 46(15)(c)"),
        DraftSection("Assistance, and procedure", tuple(_list_assistance(notice)), "art. 46(15)(d)"),
        DraftSection("Person concerned", tuple(_list_person(notice)), "art. 46(15)(e)"),
        DraftSection("Purpose", tuple(_list_purpose(notice)), "art. 46(15)(f)"),
        DraftSection("Admissibility", _list_admissibility(), "art. 46(9), (15), (21); Council of Europe template"),
        make_handling(notice),
        make_signature(),
    )
    return assemble_draft(FollowUpKind.ASSISTANCE, "Request for mutual legal assistance", notice, context, sections)


def _list_basis(context: FollowUpContext) -> Iterator[DraftField]:
    yield make_basis_field(context, "UNCAC", "UNCAC art. 46 for corruption; Budapest Convention arts 25, 27 and 31")
    yield leave_blank("Basis in our law", Blank.JUDGEMENT, "provision that lets us ask for this measure")
    yield leave_blank("Channel", Blank.JUDGEMENT, "central authorities; in urgent cases another one, if it is accepted")


def _list_proceedings(notice: Notice) -> Iterator[DraftField]:
    element = "46(15)(b)"
    yield leave_blank(
        "Subject and nature of the proceedings",
        Blank.JUDGEMENT,
        "investigation, prosecution or court proceedings; against whom",
        element=element,
    )
    yield leave_blank(
        "Authority that conducts them",
        Blank.UNKNOWN,
        "name and functions: prosecutor, court, police unit",
        element=element,
    )
    yield leave_blank("Decisions in the case", Blank.UNKNOWN, "court orders and authorisations, with dates")
    yield from list_offence_fields(notice, element)


def _list_assistance(notice: Notice) -> Iterator[DraftField]:
    element = "46(15)(d)"
    yield leave_blank(
        "Assistance requested",
        Blank.JUDGEMENT,
        "measure, such as subscriber data, traffic data, search, bank records, interview",
        element=element,
    )
    yield from list_identifier_fields(notice, element)
    yield make_period_field(notice, "Period of the data", element)
    yield from list_location_fields(notice, element)
    yield leave_blank(
        "Relation of the data to the offence", Blank.JUDGEMENT, "what the data would show", element=element
    )
    yield leave_blank(
        "Procedure to be followed",
        Blank.JUDGEMENT,
        "formalities, presence of officers, certificates",
        element=element,
    )
    yield leave_blank("Urgency, and deadline", Blank.JUDGEMENT, "with the reason", element=element)


def _list_person(notice: Notice) -> Iterator[DraftField]:
    element, content = "46(15)(e)", notice.content
    subject = find_words(SUBJECT_WORDS, content["subject_class"])
    yield fill_or_blank("Class of person that the notice is about", subject, "the notice does not say", element=element)
    names_person = content["type"] in _PERSON_TYPES and content["value"]
    yield fill_or_blank(
        "Identity",
        content["value"] if names_person else None,
        "name, date of birth, company number: where it is possible",
        element=element,
        exact=True,
    )
    yield leave_blank("Place", Blank.UNKNOWN, "where the person is, where it is possible", element=element)
    yield leave_blank("Nationality", Blank.UNKNOWN, "where it is possible", element=element)


def _list_purpose(notice: Notice) -> Iterator[DraftField]:
    element = "46(15)(f)"
    yield leave_blank(
        "Purpose of the request",
        Blank.JUDGEMENT,
        "what the evidence or information will be used for",
        element=element,
    )
    yield fill_or_blank(
        f"Purpose for which {describe_state(notice.from_state)} sent the notice",
        find_words(PURPOSE_WORDS, notice.content["purpose"]),
        "the notice does not say",
        element=element,
    )


def _list_admissibility() -> tuple[DraftField, ...]:
    return (
        leave_blank("Dual criminality", Blank.JUDGEMENT, "how the facts are punishable in the requested State"),
        leave_blank("Necessity and proportionality", Blank.JUDGEMENT, "why milder means do not suffice"),
        leave_blank("Limits on the use of what is received", Blank.JUDGEMENT, "speciality; what we undertake"),
        fill(
            "Before a refusal",
            "We ask to be consulted, and to be told what is missing, before the request is refused or postponed.",
        ),
        leave_blank("Costs, and return of objects", Blank.JUDGEMENT, "if they matter"),
        leave_blank("Annexes", Blank.UNKNOWN, "text of the provisions, court orders, translation"),
    )
