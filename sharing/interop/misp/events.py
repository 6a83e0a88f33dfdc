"""The structure of a MISP file: its events, and every location in them that can hold an attribute.

An attribute that is never published, whatever its type (deleted, proposed, malformed), has an `unpublished_cause`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.import_results import UnpublishedCause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FLAG_NOT_SET = (None, False, 0, "0", "false", "")
"""The values that MISP's versions use for a flag that is not set."""

_EVENT_CONTENT = ("Attribute", "Object", "ShadowAttribute", "EventReport", "RelatedEvent", "response")
_DEPTH_MAX = 4  # containers around an event: response, list, Event


class MispEvent(NamedTuple):
    """An event: JSON pointer (RFC 6901) and content."""

    pointer: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MispAttribute:
    """An attribute, or another part of an event that must be imported or reported.

    Attributes:
        pointer: JSON pointer (RFC 6901).
        event: The event that contains it.
        data: Its content; empty if it is not published.
        object_name: Name of the MISP object that contains it, or "".
        relation: Its relation in that object, or "".
        object: Content of that object; empty if there is none.
        siblings: Values of the attributes of that object, by relation and by type; only unambiguous ones.
        cause: Why it is not published, or None.
        reason: That cause in words.
    """

    pointer: str
    event: MispEvent
    data: Mapping[str, Any] = field(default_factory=dict)
    object_name: str = ""
    relation: str = ""
    object: Mapping[str, Any] = field(default_factory=dict)
    siblings: Mapping[str, str] = field(default_factory=dict)
    unpublished_cause: UnpublishedCause | None = None
    reason: str = ""


def find_events(document: Any, file: str) -> tuple[list[MispEvent], list[str]]:
    """Return the events of a parsed file, and the pointers of other values found among them.

    Raises:
        InputError: The file contains no event.
    """
    events: list[MispEvent] = []
    non_event_pointers: list[str] = []
    _collect_events(document, "", events, non_event_pointers, _DEPTH_MAX)
    if not events:
        raise InputError(f"{file}: contains no MISP event; export events with their attributes")
    return events, non_event_pointers


def _collect_events(value: Any, pointer: str, events: list[MispEvent], others: list[str], depth: int) -> None:
    if isinstance(value, list) and depth:
        for index, item in enumerate(value):
            _collect_events(item, f"{pointer}/{index}", events, others, depth - 1)
    elif not isinstance(value, dict) or not depth:
        others.append(pointer)
    elif isinstance(value.get("Event"), dict):
        events.append(MispEvent(f"{pointer}/Event", value["Event"]))
        # Content next to the event is not part of it, and lacks its tags.
        others.extend(f"{pointer}/{key}" for key in _EVENT_CONTENT if value.get(key))
    elif _has_lists(value):
        events.append(MispEvent(pointer, value))
    elif "response" in value:
        _collect_events(value["response"], f"{pointer}/response", events, others, depth - 1)
    else:
        others.append(pointer)


def may_lack_attributes(event: MispEvent) -> bool:
    """Return whether an event in which no attribute was found may have some in MISP.

    It has no list of them, or states another number of them than 0: MISP also exports what describes an event alone.
    """
    return not _has_lists(event.data) or event.data.get("attribute_count") not in FLAG_NOT_SET


def _has_lists(event: Mapping[str, Any]) -> bool:
    return "Attribute" in event or "Object" in event


def find_attributes(event: MispEvent) -> Iterator[MispAttribute]:
    """Yield everything in an event that is an attribute or could be mistaken for one."""
    yield from _find_own_attributes(event, event.data, event.pointer)
    for pointer, item in _iterate_list(event.data, event.pointer, "Object"):
        if isinstance(item, dict):
            yield from _find_own_attributes(event, item, pointer, in_object=True)
        else:
            yield _make_unpublished_attribute(event, pointer, UnpublishedCause.MALFORMED, "is not a MISP object")
    yield from _find_proposals(event, event.data, event.pointer)
    for pointer, _ in _iterate_list(event.data, event.pointer, "EventReport"):
        yield _make_unpublished_attribute(
            event, pointer, UnpublishedCause.REPORT, "is an event report, which is free text"
        )
    yield from _find_related(event)


def _find_own_attributes(
    event: MispEvent, holder: Mapping[str, Any], pointer: str, *, in_object: bool = False
) -> Iterator[MispAttribute]:
    """Yield the attributes of an event or object, and the proposals to change them."""
    items = list(_iterate_list(holder, pointer, "Attribute"))
    siblings = _find_unambiguous_values(item for _, item in items) if in_object else {}
    for item_pointer, item in items:
        if not isinstance(item, dict):
            yield _make_unpublished_attribute(
                event, item_pointer, UnpublishedCause.MALFORMED, "is not a MISP attribute"
            )
            continue
        if holder.get("deleted") not in FLAG_NOT_SET or item.get("deleted") not in FLAG_NOT_SET:
            yield _make_unpublished_attribute(event, item_pointer, UnpublishedCause.DELETED, "was deleted in MISP")
        elif not isinstance(item.get("type"), str) or not isinstance(item.get("value"), str):
            yield _make_unpublished_attribute(
                event, item_pointer, UnpublishedCause.MALFORMED, "has no type or no value, or one that is not text"
            )
        elif in_object:
            names = str(holder.get("name", "")), str(item.get("object_relation", ""))
            yield MispAttribute(item_pointer, event, item, *names, holder, siblings)
        else:
            yield MispAttribute(item_pointer, event, item)
        yield from _find_proposals(event, item, item_pointer)


def _find_unambiguous_values(items: Iterable[Any]) -> dict[str, str]:
    """Return the values of an object's attributes by type and by relation, for each name that has only one value."""
    values_by_name: dict[str, set[str]] = {}
    for item in items:
        if isinstance(item, dict) and item.get("deleted") in FLAG_NOT_SET and isinstance(item.get("value"), str):
            for name in (item.get("type"), item.get("object_relation")):
                if isinstance(name, str):
                    values_by_name.setdefault(name, set()).add(item["value"])
    return {name: values.pop() for name, values in values_by_name.items() if len(values) == 1}


def _find_proposals(event: MispEvent, holder: Mapping[str, Any], pointer: str) -> Iterator[MispAttribute]:
    reason = "is a proposal; accept it in MISP, and export the event again"
    for item_pointer, _ in _iterate_list(holder, pointer, "ShadowAttribute"):
        yield _make_unpublished_attribute(event, item_pointer, UnpublishedCause.PROPOSAL, reason)


def _find_related(event: MispEvent) -> Iterator[MispAttribute]:
    """Yield the attributes of related events; MISP exports such events without attributes."""
    reason = "belongs to a related event; publish the file of that event"
    for pointer, item in _iterate_list(event.data, event.pointer, "RelatedEvent"):
        related = item.get("Event") if isinstance(item, dict) else None
        if not isinstance(related, dict):
            continue
        holders = [(f"{pointer}/Event", related), *_iterate_list(related, f"{pointer}/Event", "Object")]
        for holder_pointer, holder in holders:
            for item_pointer, _ in (
                _iterate_list(holder, holder_pointer, "Attribute") if isinstance(holder, dict) else ()
            ):
                yield _make_unpublished_attribute(event, item_pointer, UnpublishedCause.OTHER_EVENT, reason)


def _iterate_list(holder: Mapping[str, Any], pointer: str, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the items of a list with their pointers. A value that should be a list but is not counts as one item."""
    value = holder.get(key)
    if isinstance(value, list):
        yield from ((f"{pointer}/{key}/{index}", item) for index, item in enumerate(value))
    elif value is not None and value != {}:
        yield f"{pointer}/{key}", None


def _make_unpublished_attribute(event: MispEvent, pointer: str, cause: UnpublishedCause, reason: str) -> MispAttribute:
    return MispAttribute(pointer, event, unpublished_cause=cause, reason=reason)
