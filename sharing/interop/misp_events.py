"""The structure of a MISP file: its events, and every place in them where an attribute may stand.

An attribute that is not to be published whatever its type (deleted, proposed, malformed) carries its cause.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.reading import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FLAG_OFF = (None, False, 0, "0", "false", "")
"""Ways in which MISP's versions write that a flag is not set."""

_DEPTH_MAX = 4  # containers around an event: response, list, Event


class Event(NamedTuple):
    """One event: JSON pointer (RFC 6901) and content."""

    pointer: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute, or something else that is accounted for.

    Attributes:
        pointer: JSON pointer (RFC 6901).
        event: Its event.
        data: Its content; empty where there is a cause.
        object_name: Name of the MISP object that holds it, or "".
        relation: Its relation in that object, or "".
        siblings: Values of the attributes of that object, by relation and by type, where there is just one.
        cause: Why it is not published whatever it holds, or None.
        reason: The same in words.
    """

    pointer: str
    event: Event
    data: Mapping[str, Any] = field(default_factory=dict)
    object_name: str = ""
    relation: str = ""
    siblings: Mapping[str, str] = field(default_factory=dict)
    cause: Cause | None = None
    reason: str = ""


def read_events(document: Any, file: str) -> tuple[list[Event], list[str]]:
    """Return the events of a parsed file, and the pointers of what stands in their place and is none.

    Raises:
        InputError: There is no event at all.
    """
    events: list[Event] = []
    others: list[str] = []
    _collect(document, "", events, others, _DEPTH_MAX)
    if not events:
        raise InputError(f"{file}: holds no MISP event; export events with their attributes")
    return events, others


def _collect(value: Any, pointer: str, events: list[Event], others: list[str], depth: int) -> None:
    if isinstance(value, list) and depth:
        for index, item in enumerate(value):
            _collect(item, f"{pointer}/{index}", events, others, depth - 1)
    elif not isinstance(value, dict) or not depth:
        others.append(pointer)
    elif isinstance(value.get("Event"), dict):
        events.append(Event(f"{pointer}/Event", value["Event"]))
    elif "Attribute" in value or "Object" in value:
        events.append(Event(pointer, value))
    elif "response" in value:
        _collect(value["response"], f"{pointer}/response", events, others, depth - 1)
    else:
        others.append(pointer)


def find_attributes(event: Event) -> Iterator[Attribute]:
    """Yield everything in an event that is, or could be taken for, an attribute."""
    yield from _attributes(event, event.data, event.pointer)
    for pointer, item in _items(event.data, event.pointer, "Object"):
        if isinstance(item, dict):
            yield from _attributes(event, item, pointer, in_object=True)
        else:
            yield _listed(event, pointer, Cause.MALFORMED, "is not a MISP object")
    yield from _proposals(event, event.data, event.pointer)
    for pointer, _ in _items(event.data, event.pointer, "EventReport"):
        yield _listed(event, pointer, Cause.REPORT, "is an event report, which is free text")
    yield from _related(event)


def _attributes(
    event: Event, holder: Mapping[str, Any], pointer: str, *, in_object: bool = False
) -> Iterator[Attribute]:
    """Yield the attributes that an event or an object holds, and the proposals to change them."""
    held = list(_items(holder, pointer, "Attribute"))
    siblings = _single_values(item for _, item in held) if in_object else {}
    for place, item in held:
        if not isinstance(item, dict):
            yield _listed(event, place, Cause.MALFORMED, "is not a MISP attribute")
            continue
        if holder.get("deleted") not in FLAG_OFF or item.get("deleted") not in FLAG_OFF:
            yield _listed(event, place, Cause.DELETED, "was deleted in MISP")
        elif not isinstance(item.get("type"), str) or not isinstance(item.get("value"), str):
            yield _listed(event, place, Cause.MALFORMED, "has no type or no value, or one that is not text")
        elif in_object:
            names = str(holder.get("name", "")), str(item.get("object_relation", ""))
            yield Attribute(place, event, item, *names, siblings)
        else:
            yield Attribute(place, event, item)
        yield from _proposals(event, item, place)


def _single_values(items: Iterable[Any]) -> dict[str, str]:
    """Return the values of an object's attributes by type and by relation, where there is just one."""
    found: dict[str, set[str]] = {}
    for item in items:
        if isinstance(item, dict) and item.get("deleted") in FLAG_OFF and isinstance(item.get("value"), str):
            for name in (item.get("type"), item.get("object_relation")):
                if isinstance(name, str):
                    found.setdefault(name, set()).add(item["value"])
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def _proposals(event: Event, holder: Mapping[str, Any], pointer: str) -> Iterator[Attribute]:
    for place, _ in _items(holder, pointer, "ShadowAttribute"):
        yield _listed(event, place, Cause.PROPOSAL, "is a proposal; accept it in MISP, and export the event again")


def _related(event: Event) -> Iterator[Attribute]:
    """Yield the attributes of related events; MISP exports such events without them."""
    reason = "belongs to a related event; publish that event's own file"
    for pointer, item in _items(event.data, event.pointer, "RelatedEvent"):
        inner = item.get("Event") if isinstance(item, dict) else None
        if not isinstance(inner, dict):
            continue
        holders = [(f"{pointer}/Event", inner), *_items(inner, f"{pointer}/Event", "Object")]
        for holder_pointer, holder in holders:
            for place, _ in _items(holder, holder_pointer, "Attribute") if isinstance(holder, dict) else ():
                yield _listed(event, place, Cause.OTHER_EVENT, reason)


def _items(holder: Mapping[str, Any], pointer: str, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the items of a list with their pointers; what should be a list and is none is one item."""
    value = holder.get(key)
    if isinstance(value, list):
        yield from ((f"{pointer}/{key}/{index}", item) for index, item in enumerate(value))
    elif value is not None and value != {}:
        yield f"{pointer}/{key}", None


def _listed(event: Event, pointer: str, cause: Cause, reason: str) -> Attribute:
    return Attribute(pointer, event, cause=cause, reason=reason)
