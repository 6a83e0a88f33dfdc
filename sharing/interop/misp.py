"""MISP events: every attribute becomes an indicator, or is listed with its JSON pointer and the reason.

Read are the attributes of an event and of its objects. Proposals, event reports, deleted attributes and the
attributes of related events are listed. An attribute of two values is read value by value (`…/Attribute/17#ip`).
What MISP says about an attribute is taken as it is: its comment as summary, `first_seen` as time of observation (its
`timestamp` is that of the last edit), TLP, PAP and Admiralty tags. The event's title, and who made it, are not used.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.ids import part_id
from sharing.interop.markings import read_marks, stricter, tag_names
from sharing.interop.misp_events import find_attributes, read_events
from sharing.interop.misp_types import COMPOSITES, NoTarget, target_of
from sharing.interop.profile import ToIds, merge
from sharing.interop.reading import Cause, InputLocation, build, unpublished
from sharing.model.values import VALUE_TYPES, normalise
from sharing.model.vocabulary import Pap, Tlp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.interop.misp_events import Attribute
    from sharing.interop.misp_types import Target
    from sharing.interop.reading import IdRegister, ImportContext, ParsedEntry

_ATTRIBUTES_A_REPORT = 100
_FLAG_ON = (True, 1, "1", "true")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_CONTEXT = (
    "MISP marks it as context, not as an indicator (to_ids is not set); "
    "to publish such attributes too, write `to_ids: any` into the profile"
)
_ATTACHED = "the file in its data is not published"


class _Part(NamedTuple):
    """One value of an attribute; `suffix` is empty where it is the only one."""

    suffix: str
    misp_type: str
    value: str


def read_document(document: Any, file: str, intake: ImportContext, register: IdRegister) -> Iterator[ParsedEntry]:
    """Yield an entry for every value in a parsed MISP file.

    Args:
        document: `{"Event": …}`, `{"response": [{"Event": …}]}`, a list of these, or an event.
        file: Its name.
        intake: How it is read.
        register: What the run has read before.

    Raises:
        InputError: Before anything is yielded: it holds no event.
    """
    events, others = read_events(document, file)
    for pointer in others:
        yield unpublished(InputLocation(file, pointer), Cause.MALFORMED, "is not a MISP event")
    for index, event in enumerate(events):
        found = list(find_attributes(event))
        for count, attribute in enumerate(found):
            if count % _ATTRIBUTES_A_REPORT == 0:
                intake.report(file, (index + count / len(found)) / len(events))
            yield from _entries(attribute, file, intake, register)


def _entries(attribute: Attribute, file: str, intake: ImportContext, register: IdRegister) -> Iterator[ParsedEntry]:
    where = InputLocation(file, attribute.pointer)
    if attribute.cause is not None:
        yield unpublished(where, attribute.cause, attribute.reason)
        return
    parts = _split(str(attribute.data["type"]), attribute.data["value"])
    if not parts:
        yield unpublished(where, Cause.MALFORMED, "its value does not hold the two parts that its type says")
    for part in parts:
        place = InputLocation(file, f"{attribute.pointer}#{part.suffix}" if part.suffix else attribute.pointer)
        yield _entry(attribute, part, place, intake, register)
    if attribute.data.get("data") and attribute.data["type"] != "attachment":
        yield unpublished(InputLocation(file, f"{attribute.pointer}#data"), Cause.ATTACHMENT, _ATTACHED)


def _split(misp_type: str, value: str) -> list[_Part]:
    """Return the values of an attribute; none when it should hold two and does not."""
    types = COMPOSITES.get(misp_type)
    if types is None:
        return [_Part("", misp_type, value)]
    # A file name may contain a bar, a hash cannot; elsewhere a second bar would leave it open where to split.
    left, bar, right = value.rpartition("|") if types[0] == "filename" else value.partition("|")
    if not bar or (types[0] != "filename" and "|" in right):
        return []
    names = misp_type.split("|") if "|" in misp_type else types
    return [_Part(names[0], types[0], left), _Part(names[1], types[1], right)]


def _entry(
    attribute: Attribute, part: _Part, where: InputLocation, intake: ImportContext, register: IdRegister
) -> ParsedEntry:
    target = target_of(part.misp_type, object_name=attribute.object_name, relation=attribute.relation)
    if isinstance(target, NoTarget):
        return unpublished(where, target.cause, target.reason)
    if intake.profile.to_ids is ToIds.ONLY and attribute.data.get("to_ids") not in _FLAG_ON:
        return unpublished(where, Cause.NOT_FOR_DETECTION, _CONTEXT)
    try:
        type_name, value = _normal_value(target, part.value, attribute)
        own_tags, event_tags = tag_names(attribute.data), tag_names(attribute.event.data)
        fields = intake.facts(type_name, (*event_tags, *own_tags))
        fields = merge(fields, _facts(attribute, fields, own_tags, event_tags))
        fields |= {"id": _id(attribute, part, type_name, value, intake), "type": type_name, "value": value}
        indicator = build(fields)
    except InputError as error:
        return unpublished(where, Cause.INVALID, str(error))
    return register.admit(where, indicator, by_value=True)


def _normal_value(target: Target, text: str, attribute: Attribute) -> tuple[str, str]:
    """Return type and value of the indicator.

    Raises:
        InputError: It is valid as none of the types that MISP's type may hold.
    """
    sibling = attribute.siblings.get(target.sibling)
    written = text if target.sibling and sibling is None else target.written.format(value=text, sibling=sibling)
    problem = ""
    for type_name in target.types:
        try:
            return type_name, normalise(type_name, written)
        except InputError as error:
            problem = str(error)
    if len(target.types) > 1:
        forms = "; or ".join(VALUE_TYPES[type_name].form for type_name in target.types)
        problem = f"is not a valid {' or '.join(target.types)}; expected {forms}"
    raise InputError(problem, field="value")


def _facts(
    attribute: Attribute, profile: dict[str, Any], own_tags: tuple[str, ...], event_tags: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the file itself says; its TLP and PAP only where they are stricter than the profile's.

    Raises:
        InputError: A marking is not known, or a field has the wrong form.
    """
    marks = read_marks(own_tags, event_tags)
    facts: dict[str, Any] = {}
    if tlp := stricter(marks.tlp, Tlp(profile["tlp"]) if profile.get("tlp") else None):
        facts["tlp"] = str(tlp)
    if pap := stricter(marks.pap, Pap(profile["pap"]) if profile.get("pap") else None):
        facts["pap"] = str(pap)
    if marks.admiralty:
        facts["grading"] = {"admiralty": marks.admiralty}
    comment = attribute.data.get("comment")
    if comment is not None and not isinstance(comment, str):
        raise InputError("comment: must be text")
    if comment and comment.strip():
        facts["summary"] = comment.strip()
    first_seen = attribute.data.get("first_seen")
    if first_seen:
        if not isinstance(first_seen, str) or _RFC_3339.fullmatch(first_seen) is None:
            raise InputError("first_seen: must be a time as in RFC 3339, with a zone, such as 2026-03-01T12:00:00Z")
        facts["observed_at"] = first_seen
    return facts


def _id(attribute: Attribute, part: _Part, type_name: str, value: str, intake: ImportContext) -> str:
    """Return the id: MISP's own where it is one, so that a file published twice gives the same items."""
    own = attribute.data.get("uuid")
    if isinstance(own, str) and _UUID.fullmatch(own) and any(digit not in "0-" for digit in own):
        return str(uuid.uuid5(uuid.UUID(own), part.suffix)) if part.suffix else own.lower()
    return part_id(intake.source.state, intake.source.agency, type_name, value)
