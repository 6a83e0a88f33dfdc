"""MISP events: each attribute becomes an indicator, or is reported as unpublished.

A report has the JSON pointer and the reason. The attributes of an event and of its objects are read. Proposals, event
reports, deleted attributes and the attributes of related events are reported as unpublished. Each value of a composite
attribute is read separately (`…/Attribute/17#ip`). The facts that MISP states are taken as they are: the comment as
summary, `first_seen` as the time of observation (`timestamp` is the time of the last edit), the TLP, PAP and Admiralty
tags, and the facts that other tags state. The event's title and creator are not used.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.import_results import InputLocation, UnpublishedCause, make_unpublished
from sharing.interop.misp.events import find_attributes, find_events, may_lack_attributes
from sharing.interop.misp.tags import read_tag_names
from sharing.interop.misp.type_mappings import COMPOSITE_TYPES, find_mapping
from sharing.interop.source_fields import read_text, read_time
from sharing.interop.value_import import SourceValue, StatedFacts, import_value
from sharing.model.indicator_record import is_uuid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.interop.import_context import ImportContext
    from sharing.interop.import_results import DuplicateFilter, ParsedEntry
    from sharing.interop.misp.events import MispAttribute

_ATTRIBUTES_PER_PROGRESS_REPORT = 100
_TRUE_VALUES = (True, 1, "1", "true")
_NOT_MARKED_REASON = (
    "MISP marks it as context, not as an indicator (to_ids is not set); "
    "to publish such attributes too, set `to_ids: any` in the profile"
)
_DATA_REASON = "the file attached in `data` is not published"


class _AttributeValue(NamedTuple):
    """One value of an attribute; `suffix` is empty if the attribute has only one."""

    suffix: str
    misp_type: str
    value: str


def read_misp(document: Any, file: str, context: ImportContext, duplicates: DuplicateFilter) -> Iterator[ParsedEntry]:
    """Yield an entry for each value in a parsed MISP file.

    Args:
        document: `{"Event": …}`, `{"response": [{"Event": …}]}`, a list of these, or an event.
        file: Name of the file.
        context: How the file is imported.
        duplicates: The indicators imported so far.

    Raises:
        ConflictingItemError: Two attributes have the same UUID, and different contents.
        InputError: The file contains no event, or only events that were exported without their attributes. Nothing has
            been yielded in this case.
    """
    events, non_event_pointers = find_events(document, file)
    is_description_only = not non_event_pointers
    for pointer in non_event_pointers:
        yield make_unpublished(InputLocation(file, pointer), UnpublishedCause.MALFORMED, "is not a MISP event")
    for index, event in enumerate(events):
        attributes = list(find_attributes(event))
        is_description_only = is_description_only and not attributes and may_lack_attributes(event)
        for attribute_index, attribute in enumerate(attributes):
            if attribute_index % _ATTRIBUTES_PER_PROGRESS_REPORT == 0:
                context.report_progress(file, (index + attribute_index / len(attributes)) / len(events))
            yield from _import_attribute(attribute, file, context, duplicates)
    if is_description_only:
        raise InputError(f"{file}: contains no MISP attribute; export the events with their attributes")


def _import_attribute(
    attribute: MispAttribute, file: str, context: ImportContext, duplicates: DuplicateFilter
) -> Iterator[ParsedEntry]:
    location = InputLocation(file, attribute.pointer)
    if attribute.unpublished_cause is not None:
        yield make_unpublished(location, attribute.unpublished_cause, attribute.reason)
        return
    parts = _split_value(str(attribute.data["type"]), attribute.data["value"])
    if not parts:
        reason = "its value does not have the two parts that its type requires"
        yield make_unpublished(location, UnpublishedCause.MALFORMED, reason)
    for part in parts:
        position = f"{attribute.pointer}#{part.suffix}" if part.suffix else attribute.pointer
        yield _import_value(attribute, part, InputLocation(file, position), context, duplicates)
    if attribute.data.get("data") and attribute.data["type"] != "attachment":
        location = InputLocation(file, f"{attribute.pointer}#data")
        yield make_unpublished(location, UnpublishedCause.ATTACHMENT, _DATA_REASON)


def _split_value(misp_type: str, value: str) -> list[_AttributeValue]:
    """Return the values of an attribute; none if it should have two values and does not."""
    types = COMPOSITE_TYPES.get(misp_type)
    if types is None:
        return [_AttributeValue("", misp_type, value)]
    # A file name may contain a bar, a hash cannot; in other types a second bar would make the split ambiguous.
    left, bar, right = value.rpartition("|") if types[0] == "filename" else value.partition("|")
    if not bar or (types[0] != "filename" and "|" in right):
        return []
    names = misp_type.split("|") if "|" in misp_type else types
    return [_AttributeValue(names[0], types[0], left), _AttributeValue(names[1], types[1], right)]


def _import_value(
    attribute: MispAttribute,
    part: _AttributeValue,
    location: InputLocation,
    context: ImportContext,
    duplicates: DuplicateFilter,
) -> ParsedEntry:
    mapping = find_mapping(
        part.misp_type,
        part.value,
        object_name=attribute.object_name,
        relation=attribute.relation,
        category=str(attribute.data.get("category")),
    )
    is_meant = attribute.data.get("to_ids") in _TRUE_VALUES
    value = SourceValue(
        location,
        mapping,
        part.value,
        attribute.siblings,
        "" if is_meant else _NOT_MARKED_REASON,
        partial(_read_stated, attribute),
        partial(_make_id, attribute, part, context),
    )
    return import_value(value, context, duplicates)


def _read_outer_tags(attribute: MispAttribute) -> tuple[str, ...]:
    """Return the tags of an attribute's event and object. A search for attributes repeats the event in each of them.

    Raises:
        InputError: They cannot be read.
    """
    repeated = attribute.data.get("Event")
    holders = (attribute.event.data, repeated if isinstance(repeated, dict) else {}, attribute.object)
    return tuple(name for holder in holders for name in read_tag_names(holder))


def _read_stated(attribute: MispAttribute) -> StatedFacts:
    """Return what the file states about an attribute.

    Raises:
        InputError: Tags cannot be read, or a field is malformed.
    """
    own_tags, event_tags = read_tag_names(attribute.data), _read_outer_tags(attribute)
    facts = {"summary": read_text(attribute.data, "comment"), "observed_at": read_time(attribute.data, "first_seen")}
    return StatedFacts(own_tags, event_tags, {name: fact for name, fact in facts.items() if fact})


def _make_id(
    attribute: MispAttribute, part: _AttributeValue, context: ImportContext, type_name: str, value: str
) -> str:
    """Return the indicator's id, derived from MISP's UUID if that is valid, or from type and value.

    A file always gives the same ids. MISP's own UUIDs are public with the feed that they come from, so they are not
    used as ids.
    """
    misp_uuid = attribute.data.get("uuid")
    if isinstance(misp_uuid, str) and is_uuid(misp_uuid.lower()):
        return context.make_id(("misp", misp_uuid.lower(), part.suffix))
    return context.make_id(("value", type_name, value))
