"""A notice in readable form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sharing.cli.shared.console import out, print_labelled, to_printable
from sharing.model.times import format_time
from sharing.model.vocabulary import NoticeKind

if TYPE_CHECKING:
    from sharing.model.notice import Notice


def print_notice(notice: Notice) -> None:
    """Print a notice: what it is, who sent it, by which law, and what binds the receiving State."""
    content = notice.content
    title = Text(f"{notice.from_state} → {notice.to_state}", style="bold")
    if notice.urgency not in {"ORDINARY", "UNKNOWN"}:
        title.append(f" {notice.urgency}", style="bold red")
    value = content["value"] or "(value withheld by the providing State)"
    title.append(to_printable(f" {notice.kind.lower()}: {content['type'] or 'item'} {value}"), style="not bold")
    out.print(title)
    print_labelled("sent", f"{format_time(notice.sent_at)}, version {notice.version}, {notice.form}")
    if notice.kind is NoticeKind.CORRECTION:
        print_labelled("corrects", f"every earlier version of item {notice.item_id}")
    _print_known("source", _join(content["source_agency"], content["source_authority"], content["source_case"]))
    _print_known("offence", _join(*content["offence_codes"]))
    _print_known("seen", format_time(content["observed_at"]) if content["observed_at"] is not None else "")
    _print_known("person", _join(content["subject_class"]))
    _print_known("grading", _join(content["assertion"], content["grading_source"], content["grading_information"]))
    _print_known("handling", _join(*content["handling"], content["handling_text"], _prefix("TLP", content["tlp"]),
                                   _prefix("PAP", content["pap"])))  # fmt: skip
    print_labelled("law", "; ".join(f"{rule.citation} [{rule.id}]" for rule in notice.rules))
    print_labelled("basis", notice.basis or "none")
    print_labelled("why here", "; ".join(detail for _, detail in notice.relevance))
    for condition in notice.conditions:
        print_labelled("condition", f"{condition.text} [{condition.code}]")
    _print_known("redacted", _join(*notice.redacted))
    _print_known("summary", content["summary"] or "")
    print_labelled("notice", f"{notice.id}, a lead: no adverse measure without a human decision", style="dim")


def _print_known(label: str, text: str) -> None:
    if text:
        print_labelled(label, text)


def _join(*parts: object) -> str:
    """Return what is known of some parts, separated by commas."""
    return ", ".join(str(part) for part in parts if part not in {None, "", "UNKNOWN"})


def _prefix(name: str, mark: object) -> str:
    return f"{name}:{mark}" if mark else ""
