"""Fields that several drafts have: references, authorities, offences and facts, conditions, and what is signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sharing.followups.context import FollowUpContext, describe_authorities, list_authorities
from sharing.followups.document import Blank, DraftField, DraftSection, fill, fill_or_blank, leave_blank
from sharing.followups.instants import describe_instant, describe_observed
from sharing.followups.names import describe_state, name_authority
from sharing.followups.notice_words import describe_markings, describe_reliability, name_urgency
from sharing.followups.offences import describe_offence
from sharing.followups.plain_text import make_plain
from sharing.model.code_words import describe_message, describe_treaty
from sharing.model.item_code_words import describe_form, describe_type
from sharing.model.notice import Notice


def format_marking(notice: Notice) -> str:
    """Return the marking on each page: TLP, PAP and handling codes, as far as they are stated."""
    content = notice.content
    parts = [f"TLP:{content['tlp']}" if content["tlp"] else "", f"PAP:{content['pap']}" if content["pap"] else ""]
    return make_plain(" ".join(filter(None, (*parts, *content["handling"]))))


def fill_content(
    notice: Notice, name: str, label: str, hint: str = "", *, element: str = "", exact: bool = False
) -> DraftField:
    """Return a field of the content of the notice; marked as not disclosed where the provider's law redacted it."""
    value: Any = notice.content[name]
    if name == "type" and value:
        value = describe_type(value)
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value)) or None
    if value == "UNKNOWN":
        value = None
    is_redacted = name in notice.redacted
    reason = (
        f"the law of {describe_state(notice.from_state)} withheld it; ask whether it is available"
        if is_redacted
        else hint
    )
    blank = Blank.NOT_DISCLOSED if is_redacted else Blank.UNKNOWN
    return fill_or_blank(label, value, reason, element=element, exact=exact, blank=blank)


def make_references(notice: Notice, context: FollowUpContext) -> DraftSection:
    """Return dates and references, and what the request follows up (templates T-CY(2018)10 and 11)."""
    revision = f"{notice.version}.{notice.amendment}" if notice.amendment else str(notice.version)
    is_further = bool(context.extends)
    provider = describe_state(notice.from_state)
    status = "further to an earlier preservation or request" if is_further else "first request"
    return DraftSection(
        "References",
        (
            fill("Drafted", describe_instant(context.now)),
            leave_blank("Date of sending", Blank.UNKNOWN, "when it is signed"),
            leave_blank("Our reference", Blank.UNKNOWN, "reference of our own case file"),
            fill("Status", status),
            fill_or_blank(
                "Earlier preservation or request", context.extends, "reference of the addressee, if there is one"
            ),
            fill(
                "Rests on",
                f"notice {notice.id} of {provider}, sent on {describe_instant(notice.sent_at)} (item "
                f"{notice.item_id}, version {revision})",
            ),
            fill("Kind of notice", describe_message(notice.kind)),
            fill("What it may be used as", describe_form(notice.form)),
            fill_content(notice, "source_case", f"Reference of the case in {provider}", "ask, if it is needed"),
            _describe_notice_law(notice),
            fill("Urgency of the notice", name_urgency(notice)),
        ),
        "Council of Europe template, sections 1 to 4",
    )


def _describe_notice_law(notice: Notice) -> DraftField:
    rules = "; ".join(f"{rule.citation} [{rule.id}]" for rule in notice.rules)
    basis = describe_treaty(notice.basis) if notice.basis else "no treaty named"
    return fill("Law under which we have it", f"{basis}; {rules or 'no rule named'}")


def make_requesting_fields(context: FollowUpContext, element: str) -> tuple[DraftField, ...]:
    """Return who asks: the officer's authority, its contact points, and what the bus does not know about it."""
    drafter = context.drafter
    points = list(describe_authorities(list_authorities(context.own, drafter.authority.value)))
    return (
        fill("Requesting authority", f"{drafter.agency} ({name_authority(drafter.authority)})", element=element),
        fill("Officer who deals with it", drafter.name, element=element),
        fill("Contact points that our State announces", *points, element=element)
        if points
        else leave_blank("Contact points", Blank.UNKNOWN, "telephone, e-mail, address", element=element),
        leave_blank("Hours and time zone", Blank.UNKNOWN, "when the officer is reached; offset from UTC"),
        leave_blank("Contact for authentication", Blank.UNKNOWN, "who confirms to the addressee that this is genuine"),
    )


def make_addressee_fields(context: FollowUpContext) -> tuple[DraftField, ...]:
    """Return who is asked, as far as the drafter has chosen a State and it announces its authorities."""
    state = None if context.addressee is None else describe_state(context.addressee)
    points = list(describe_authorities(list_authorities(context.requested)))
    return (
        fill_or_blank("Requested State", state, "the State where the data or the person are", blank=Blank.JUDGEMENT),
        fill("Authorities that it announces; choose one", *points)
        if points
        else leave_blank("Requested authority", Blank.UNKNOWN, "central authority or 24/7 contact point"),
        leave_blank("Language", Blank.JUDGEMENT, "one that the requested State accepts; add a translation"),
    )


def make_period_field(notice: Notice, label: str, element: str) -> DraftField:
    """Return the period that a drafter sets, with the one instant in the notice as a hint."""
    observed = notice.content["observed_at"]
    hint = "first and last instant in UTC"
    if observed is not None:
        hint += f"; the notice has one instant: {describe_observed(observed)}"
    return leave_blank(label, Blank.JUDGEMENT, hint, element=element)


def make_basis_field(context: FollowUpContext, needed: str, article: str) -> DraftField:
    """Return which treaty the request rests on. A drafter decides; the table of treaties is an unchecked hint."""
    treaty = describe_treaty(needed)
    if context.instruments is None or context.addressee is None:
        help_text = "it is not known whether both States are Parties"
    elif needed in context.instruments:
        help_text = f"the table of treaties has both States as Parties to the {treaty}; it was not checked"
    else:
        help_text = (
            f"the table of treaties does NOT have both States as Parties to the {treaty}; another basis is needed"
        )
    return leave_blank("Treaty basis", Blank.JUDGEMENT, f"{article}, or another; {help_text}")


def list_offence_fields(notice: Notice, element: str) -> Iterator[DraftField]:
    """Yield the offences, and what a drafter must judge about them."""
    content = notice.content
    codes = [*content["offence_codes"], *content["offence_modifiers"]]
    if codes:
        yield fill("Offences that the notice names", *map(describe_offence, codes), element=element)
    else:
        yield fill_content(notice, "offence_codes", "Offences", "which offence is investigated", element=element)
    yield leave_blank("Offence under our law, with its text", Blank.JUDGEMENT, "provision and wording", element=element)
    yield leave_blank("Maximum penalty under our law", Blank.JUDGEMENT, "in years", element=element)
    provider = describe_state(notice.from_state)
    penalty = content["max_penalty_years"]
    stated = None if penalty is None else f"{penalty:g} years"
    yield fill_or_blank(f"Maximum penalty in {provider}", stated, "the notice does not say", element=element)


def list_fact_fields(notice: Notice, element: str) -> Iterator[DraftField]:
    """Yield the facts, in the words of the notice."""
    yield fill_content(notice, "summary", "Facts, in the words of the notice", "a short account", element=element)
    yield fill_content(notice, "modus_operandi", "Way of committing it", "if it matters", element=element)
    observed = notice.content["observed_at"]
    yield fill_or_blank(
        "Observed at",
        None if observed is None else describe_observed(observed),
        "time of the event, with its time zone",
        element=element,
        blank=Blank.NOT_DISCLOSED if "observed_at" in notice.redacted else Blank.UNKNOWN,
    )
    reliability = describe_reliability(notice)
    if reliability:
        yield fill("Reliability", *reliability, element=element)
    else:
        yield leave_blank("Reliability", Blank.UNKNOWN, "the notice does not grade it", element=element)
    yield leave_blank(
        "Facts from our own inquiries",
        Blank.UNKNOWN,
        "what we have found; keep it apart from the notice",
        element=element,
    )


def list_identifier_fields(notice: Notice, element: str) -> Iterator[DraftField]:
    """Yield the indicator: its type, its value, and where it points to."""
    yield fill_content(notice, "type", "Kind of identifier", "what the notice is about", element=element)
    yield fill_content(notice, "value", "Identifier", "the exact value", element=element, exact=True)


def list_location_fields(notice: Notice, element: str) -> Iterator[DraftField]:
    """Yield what indicates who keeps the data, and where."""
    host = find_host(notice.content["type"], notice.content["value"])
    if host is not None:
        yield fill("Name of the system, read from the identifier", host, element=element, exact=True)
    reasons = [detail for _, detail in notice.relevance if make_plain(detail)]
    if reasons:
        yield fill("What the notice says of the place", *reasons, element=element)
    yield leave_blank("Custodian of the data", Blank.UNKNOWN, "provider of services: name, address", element=element)
    yield leave_blank("Place of the computer system", Blank.UNKNOWN, "if it is known", element=element)


def find_host(value_type: str | None, value: str | None) -> str | None:
    """Return the name of the system that an identifier names: the host of an address, the domain of an e-mail."""
    if not value:
        return None
    match value_type:
        case "url":
            try:
                return urlsplit(value).hostname
            except ValueError:
                return None
        case "email-addr" | "jabber-id":
            return value.rpartition("@")[2] or None
        case "domain-name" | "onion-address" | "ipv4-addr" | "ipv6-addr":
            return value
        case _:
            return None


def make_handling(notice: Notice) -> DraftSection:
    """Return what binds the information wherever it goes: conditions, handling, markings, times."""
    provider = describe_state(notice.from_state)
    conditions = [f"{each.text} [{each.code}]" for each in notice.conditions]
    retain, review = notice.retain_until, notice.review_at
    return DraftSection(
        "What binds the information",
        (
            fill(f"Conditions of {provider}", *conditions)
            if conditions
            else fill(f"Conditions of {provider}", "none were set"),
            fill("Marking to keep", *(describe_markings(notice) or ["none was stated"])),
            _describe_handling_text(notice),
            _describe_instant("Delete at the latest", retain),
            _describe_instant("Review at", review),
            leave_blank(
                "Confidentiality requested of the addressee",
                Blank.JUDGEMENT,
                "whether, and until when it is secret",
            ),
        ),
        "Budapest Convention arts 26(2), 27(8), 28; UNCAC art. 46(5), (19) and (20)",
    )


def _describe_handling_text(notice: Notice) -> DraftField:
    label = "Handling in words"
    if "handling_text" in notice.redacted:
        return fill_content(notice, "handling_text", label)
    return fill(label, notice.content["handling_text"] or "none was stated")


def _describe_instant(label: str, instant: int | None) -> DraftField:
    known = None if instant is None else describe_instant(instant)
    return fill_or_blank(label, known, "the notice sets no date; our own law does", blank=Blank.JUDGEMENT)


def make_signature() -> DraftSection:
    """Return what somebody signs."""
    return DraftSection(
        "Signature",
        (
            leave_blank("Name and function", Blank.SIGNATURE, "who is competent to send it"),
            leave_blank("Place and date", Blank.SIGNATURE),
            leave_blank("Signature, seal", Blank.SIGNATURE),
        ),
    )
