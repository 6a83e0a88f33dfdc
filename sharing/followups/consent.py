"""What the conditions of a notice, its handling and its markings demand of a follow-up.

A follow-up passes information on: to another State, or to a bank. A request for assistance also puts it into
proceedings. So a condition that forbids either makes the draft say first that consent must be asked, and from whom. A
condition whose kind does neither is shown for a person to compare. An unknown kind or code counts as forbidding.

Where the addressee is the State that sent the notice, that State learns nothing new. Its conditions are still shown for
comparison: that State decides how its information may be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sharing.followups.context import FollowUpContext, describe_authorities, list_authorities
from sharing.followups.document import Caution, FollowUpKind, Severity
from sharing.followups.instants import describe_instant
from sharing.followups.names import describe_state, name_authority
from sharing.followups.plain_text import make_plain
from sharing.model.notice import Notice
from sharing.model.recipient_terms import Condition
from sharing.model.vocabulary import ConditionKind, ConditionModel, Handling, Pap, Tlp

_DUTIES: Final = frozenset({ConditionKind.RETENTION, ConditionKind.DELETE_OR_CORRECT, ConditionKind.REPORT_USE})
_USE_ONLY_CODES: Final = frozenset({"common.h0", Handling.H0.value})
_OPEN_TLP: Final = frozenset({Tlp.CLEAR.value, Tlp.GREEN.value})
_OPEN_PAP: Final = frozenset({Pap.CLEAR.value, Pap.GREEN.value})
_ORDER: Final = (Severity.CONSENT, Severity.CHECK, Severity.DUTY)

_FORBIDS: Final = {
    ConditionKind.ONWARD_CONSENT: "forbids passing the information on without consent",
    ConditionKind.CONFIDENTIALITY: "requires that the information be kept confidential",
    ConditionKind.NO_EVIDENCE: "forbids using the information in proceedings or as evidence",
    ConditionKind.HANDLING: "limits how the information is handled",
    ConditionKind.OTHER: "binds the use of the information",
}
_DUTY_WORDS: Final = {
    ConditionKind.RETENTION: "This draft contains the information: the limit of storage holds for each copy of it.",
    ConditionKind.DELETE_OR_CORRECT: (
        "If the information is corrected or must be deleted, so must this draft, and its recipients must be told."
    ),
    ConditionKind.REPORT_USE: "The use of the information must be reported, and this draft is a use of it.",
}


def list_cautions(kind: FollowUpKind, notice: Notice, context: FollowUpContext) -> tuple[Caution, ...]:
    """Return what must be read before a draft is used, the most severe first.

    Args:
        kind: What is drafted.
        notice: The notice.
        context: What is known beyond it.
    """
    found = [
        *_judge_conditions(kind, notice, context),
        *_judge_handling(kind, notice, context),
        *_judge_origin(kind, notice, context),
        *_judge_content(notice),
    ]
    if any(caution.severity is Severity.CONSENT for caution in found):
        first = "Consent is required before this is sent to anybody. " + describe_whom_to_ask(notice, context)
        found.insert(0, Caution(Severity.CONSENT, first))
    return tuple(sorted(found, key=lambda caution: _ORDER.index(caution.severity)))


def describe_whom_to_ask(notice: Notice, context: FollowUpContext) -> str:
    """Return from whom consent must be asked, in one or two sentences."""
    content = notice.content
    agency = make_plain(content["source_agency"] or "")
    kind = content["source_authority"]
    known_kind = kind if kind and kind != "UNKNOWN" else None
    role = f" ({name_authority(known_kind)})" if known_kind else ""
    provider = describe_state(notice.from_state)
    authority = f"{agency}{role}" if agency else f"the authority{role} that sent it"
    text = f"Ask {authority} of {provider}, and name notice {notice.id}."
    points = list(describe_authorities(list_authorities(context.provider, known_kind)))
    if points:
        text += f" {provider} announces: {make_plain(' | '.join(points))}."
    origin = content["origin_state"]
    if origin and origin != notice.from_state:
        text += f" The information belongs to {describe_state(origin)}: {provider} asks for its consent too."
    return text


def _is_back_to_provider(kind: FollowUpKind, notice: Notice, context: FollowUpContext) -> bool:
    """Return whether only the State that sent the notice learns of it."""
    return kind is not FollowUpKind.STOP_PAYMENT and context.addressee == notice.from_state


def _judge_conditions(kind: FollowUpKind, notice: Notice, context: FollowUpContext) -> Iterator[Caution]:
    for condition in notice.conditions:
        quoted = f"Condition {make_plain(condition.code)}: “{make_plain(condition.text)}”"
        codes = (make_plain(condition.code),)
        if condition.kind in _DUTIES:
            yield Caution(Severity.DUTY, f"{quoted} {_DUTY_WORDS[condition.kind]}", codes)
        elif condition.kind is ConditionKind.PURPOSE or condition.code in _USE_ONLY_CODES:
            text = f"{quoted} Compare it with what this draft is for. If that is another use, ask for consent first."
            yield Caution(Severity.CHECK, text, codes)
        elif _is_back_to_provider(kind, notice, context):
            text = f"{quoted} The addressee has set it, so nothing is passed on; compare the request with it."
            yield Caution(Severity.CHECK, text, codes)
        else:
            yield Caution(
                Severity.CONSENT, f"{quoted} It {_FORBIDS[condition.kind]}.{_describe_exception(condition)}", codes
            )


def _describe_exception(condition: Condition) -> str:
    if not condition.exculpatory_exception:
        return ""
    return (
        " Information that clears an accused person may be disclosed despite it, after notice to the providing State "
        "(UNCAC art. 46(5))."
    )


def _judge_handling(kind: FollowUpKind, notice: Notice, context: FollowUpContext) -> Iterator[Caution]:
    """Yield what codes and markings require beyond the conditions."""
    content, is_back = notice.content, _is_back_to_provider(kind, notice, context)
    severity = Severity.CHECK if is_back else Severity.CONSENT
    imposed = {condition.code for condition in notice.conditions}
    for code in content["handling"]:
        if code == Handling.H0 or f"common.{code.lower()}" in imposed or code in imposed:
            continue
        yield Caution(severity, f"Handling {make_plain(code)} {_describe_code(code)}.", (make_plain(code),))
    if content["handling_text"]:
        text = f"Handling in words: “{make_plain(content['handling_text'])}” Compare it with what this draft is for."
        yield Caution(severity, text, (Handling.H3.value,))
    tlp, pap = content["tlp"], content["pap"]
    if tlp and tlp not in _OPEN_TLP:
        yield Caution(
            severity,
            f"TLP:{make_plain(tlp)} limits who may receive the information. {_name_addressee(is_back=is_back)}",
            (f"TLP:{make_plain(tlp)}",),
        )
    if pap and pap not in _OPEN_PAP:
        yield Caution(
            severity,
            f"PAP:{make_plain(pap)} limits what may be done with the information, and this step may be noticed by the "
            "person concerned or by a provider of services.",
            (f"PAP:{make_plain(pap)}",),
        )


def _name_addressee(*, is_back: bool) -> str:
    return "The addressee is the State that set it." if is_back else "The addressee is somebody else."


def _describe_code(code: str) -> str:
    known = {
        Handling.H1.value: "forbids use in judicial proceedings without the provider's permission",
        Handling.H2.value: "forbids passing the information on without the provider's permission",
        Handling.H3.value: "is a restriction in words, which the provider states",
    }
    return known.get(code, "is unknown to this version, so it counts as forbidding")


def _judge_origin(kind: FollowUpKind, notice: Notice, context: FollowUpContext) -> Iterator[Caution]:
    origin = notice.content["origin_state"]
    if origin and origin != notice.from_state and not _is_back_to_provider(kind, notice, context):
        text = f"The information belongs to {describe_state(origin)}, whose consent is needed before it is passed on."
        yield Caution(Severity.CONSENT, text)


def _judge_content(notice: Notice) -> Iterator[Caution]:
    """Yield what applies because of the nature of the information."""
    content = notice.content
    if notice.condition_model is ConditionModel.PRE_ACCEPT and notice.conditions:
        yield Caution(Severity.DUTY, "Our State has accepted the conditions, and is bound by them.")
    if content["assertion"] != "FACT":
        nature = "an assessment" if content["assertion"] == "ASSESSMENT" else "not said to be a fact"
        text = f"The information is {nature}. Keep that, and the grading, with it wherever it is used."
        yield Caution(Severity.DUTY, text)
    if content["special_category"] == "YES":
        yield Caution(Severity.CHECK, "It contains special categories of data: pass on what is strictly necessary.")
    if notice.retain_until is not None:
        until = describe_instant(notice.retain_until)
        yield Caution(Severity.DUTY, f"The information, and each draft with it, is deleted by {until}.")
    if notice.review_at is not None:
        review = describe_instant(notice.review_at)
        yield Caution(Severity.DUTY, f"Whether it is still needed is reviewed on {review}.")
