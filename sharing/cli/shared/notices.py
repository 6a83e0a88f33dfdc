"""Notices and offers in readable form: what it is, who sent it, by which law, and what binds the receiving State."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from sharing.cli.shared.console import out, print_labelled
from sharing.console.printable import to_printable
from sharing.model.times import format_time
from sharing.model.vocabulary import NoticeKind, RelevanceKind

if TYPE_CHECKING:
    from sharing.model.notice import Notice
    from sharing.model.offer import Offer

_LABEL_WIDTH = 13
_RELEVANCE: Mapping[str, str] = {
    RelevanceKind.NEXUS_STATED: "its agency has stated that it concerns this State",
    RelevanceKind.NEXUS_DERIVED: "it points to this State",
    RelevanceKind.INTEREST: "it meets a declared interest",
    RelevanceKind.OBLIGATION: "the providing State is obliged to send it",
    RelevanceKind.MATCH: "it matches what this State looks for",
}
_NO_ACTION = "a lead: no adverse measure without a human decision"


class Shown(NamedTuple):
    """What is shown of a notice or offer.

    Attributes:
        states: From whom to whom.
        urgency: Its urgency, if that is not the ordinary one; otherwise "".
        subject: What it is.
        lines: Labels and texts, in the order in which they are shown; those without a text are left out.
        last: Label and text of the last line.
    """

    states: str
    urgency: str
    subject: str
    lines: tuple[tuple[str, str], ...]
    last: tuple[str, str]


def print_notice(notice: Notice) -> None:
    """Print a notice on the terminal."""
    print_shown(show_notice(notice))


def print_shown(shown: Shown) -> None:
    """Print a notice or offer on the terminal."""
    title = Text(shown.states, style="bold")
    if shown.urgency:
        title.append(f" {shown.urgency}", style="bold red")
    title.append(to_printable(f" {shown.subject}"), style="not bold")
    out.print(title)
    for label, text in shown.lines:
        if text:
            print_labelled(label, text)
    print_labelled(*shown.last, style="dim")


def format_shown(shown: Shown) -> str:
    """Return the same text for a pipe: no line is wrapped or padded. It takes a small part of the time."""
    title = " ".join(filter(None, (shown.states, shown.urgency, shown.subject)))
    lines = [(label, text) for label, text in (*shown.lines, shown.last) if text]
    return "\n".join((
        to_printable(title),
        *("  " + label.ljust(_LABEL_WIDTH - 2) + to_printable(text) for label, text in lines), "",
    ))  # fmt: skip


def show_notice(notice: Notice) -> Shown:
    """Return what is shown of a notice."""
    content = notice.content
    value = content["value"] or "(value withheld by the providing State)"
    subject = f"{notice.kind.lower()}: {content['type'] or 'item'} {value}"
    if notice.kind is NoticeKind.RECALL:
        subject = f"recall: item {notice.item_id}"
    return Shown(
        f"{notice.from_state} → {notice.to_state}",
        _name_urgency(notice.urgency),
        subject,
        tuple(_list_lines(notice)),
        ("notice", f"{notice.id}, {_NO_ACTION}"),
    )


def show_offer(offer: Offer) -> Shown:
    """Return what is shown of an offer."""
    return Shown(
        f"{offer.from_state} → {offer.to_state}",
        _name_urgency(offer.urgency),
        f"offer: {offer.category}, without its content",
        (
            ("sent", f"{format_time(offer.sent_at)}, version {offer.version}, {offer.form}"),
            ("waits", f"until {format_time(offer.expires_at)}; no answer by then is a refusal"),
            ("item", offer.item_id),
            ("offence", _join(*offer.offence_codes)),
            ("law", _list_rules(offer)),
            ("basis", offer.basis or "none"),
            ("why here", "; ".join(_RELEVANCE.get(kind, kind) for kind in offer.relevance)),
            *(("condition", f"{condition.text} [{condition.code}]") for condition in offer.conditions),
        ),
        ("offer", f"{offer.id}; with keys, accept or refuse it with `sharing asks answer`"),
    )


def _list_lines(notice: Notice) -> Iterator[tuple[str, str]]:
    content = notice.content
    yield "sent", f"{format_time(notice.sent_at)}, version {notice.version}, {notice.form}"
    yield "item", notice.item_id
    if notice.kind is NoticeKind.CORRECTION:
        yield "corrects", f"every earlier version of item {notice.item_id}"
    elif notice.kind is NoticeKind.RECALL:
        yield "recalls", f"every version of item {notice.item_id}: do not use it any more"
    yield "source", _join(content["source_agency"], content["source_authority"], content["source_case"])
    yield "offence", _join(*content["offence_codes"])
    yield "seen", format_time(content["observed_at"]) if content["observed_at"] is not None else ""
    yield "person", _join(content["subject_class"])
    yield "grading", _join(content["assertion"], content["grading_source"], content["grading_information"])
    handling = (*content["handling"], content["handling_text"], _prefix("TLP", content["tlp"]),
                _prefix("PAP", content["pap"]))  # fmt: skip
    yield "handling", _join(*handling)
    yield "law", _list_rules(notice)
    yield "basis", notice.basis or "none"
    yield "why here", "; ".join(detail for _, detail in notice.relevance)
    for condition in notice.conditions:
        yield "condition", f"{condition.text} [{condition.code}]"
    yield "redacted", _join(*notice.redacted)
    yield "summary", content["summary"] or ""


def _list_rules(source: Notice | Offer) -> str:
    return "; ".join(f"{rule.citation} [{rule.id}]" for rule in source.rules)


def _name_urgency(urgency: str) -> str:
    return "" if urgency in {"ORDINARY", "UNKNOWN"} else urgency


def _join(*parts: object) -> str:
    """Return what is known of some parts, separated by commas."""
    return ", ".join(str(part) for part in parts if part not in {None, "", "UNKNOWN"})


def _prefix(name: str, mark: object) -> str:
    return f"{name}:{mark}" if mark else ""
