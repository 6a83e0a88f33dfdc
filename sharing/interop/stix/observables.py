"""The values of an observable: each property that is neither a reference nor metadata, each hash, each user agent."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sharing.interop.import_results import UnpublishedCause
from sharing.interop.stix.bundle import iterate_keys
from sharing.interop.stix.type_mappings import find_mapping
from sharing.interop.type_mapping import TypeMapping, UnmappedType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.interop.stix.bundle import StixObject

METADATA: Final = frozenset(
    {
        "type", "id", "spec_version", "object_marking_refs", "granular_markings", "defanged", "created", "modified",
        "created_by_ref", "labels", "confidence", "lang", "external_references", "revoked",
    }
)  # fmt: skip
"""Properties of any object that are not values of an observable. So are those whose name begins with `x_`."""

_REQUEST = "http-request-ext"
_NO_TEXT = UnmappedType(UnpublishedCause.MALFORMED, "it is neither text nor a number")
_REFERENCES_ONLY = UnmappedType(
    UnpublishedCause.CONTEXT, "it has no value of its own; the objects to which it refers are read separately"
)
_NOTHING = UnmappedType(UnpublishedCause.MALFORMED, "it has no value of its own")


class ObservableValue(NamedTuple):
    """A value of an observable.

    Attributes:
        pointer: JSON pointer (RFC 6901).
        part: The same from the object on.
        mapping: What it becomes, or why it becomes nothing.
        text: The value; "" if it becomes nothing.
        siblings: The properties of the observable that are text.
    """

    pointer: str
    part: str
    mapping: TypeMapping | UnmappedType
    text: str = ""
    siblings: Mapping[str, str] = MappingProxyType({})


def find_values(item: StixObject) -> Iterator[ObservableValue]:
    """Yield each value of an observable; one that says so, if there is none."""
    is_empty = True
    siblings = {name: value for name, value in item.data.items() if isinstance(value, str)}
    for value in _find_values(item, siblings):
        is_empty = False
        yield value
    if is_empty:
        refers = any(map(_is_reference, item.data))
        yield ObservableValue(item.pointer, "", _REFERENCES_ONLY if refers else _NOTHING)


def _is_reference(name: str) -> bool:
    return name not in METADATA and not name.startswith("x_") and name.endswith(("_ref", "_refs"))


def _find_values(item: StixObject, siblings: Mapping[str, str]) -> Iterator[ObservableValue]:
    for name, pointer, value in iterate_keys(item.data, item.pointer):
        if name in METADATA or name.startswith("x_") or _is_reference(name) or value is None:
            continue
        if name == "hashes" and isinstance(value, dict):
            for algorithm, hash_pointer, digest in iterate_keys(value, pointer):
                yield _make_value(item, hash_pointer, (name, algorithm), digest, siblings)
        elif name == "extensions" and isinstance(value, dict):
            for extension, extension_pointer, content in iterate_keys(value, pointer):
                yield _make_value(item, extension_pointer, (name, extension), content, siblings)
                if extension == _REQUEST:
                    yield from _find_user_agents(item, extension_pointer, content)
        else:
            yield _make_value(item, pointer, (name,), value, siblings)


def _find_user_agents(item: StixObject, pointer: str, request: Any) -> Iterator[ObservableValue]:
    headers = request.get("request_header") if isinstance(request, dict) else None
    if not isinstance(headers, dict):
        return
    for header, header_pointer, value in iterate_keys(headers, f"{pointer}/request_header"):
        path = ("extensions", _REQUEST, "request_header", header)
        if not isinstance(find_mapping(item.type, path, {}, follows=False), TypeMapping):
            continue
        if isinstance(value, list):
            for index, entry in enumerate(value):
                yield _make_value(item, f"{header_pointer}/{index}", path, entry, {})
        else:
            yield _make_value(item, header_pointer, path, value, {})


def _make_value(
    item: StixObject, pointer: str, path: tuple[str, ...], value: Any, siblings: Mapping[str, str]
) -> ObservableValue:
    part = pointer.removeprefix(item.pointer)
    mapping = find_mapping(item.type, path, siblings, follows=False)
    if isinstance(mapping, UnmappedType):
        return ObservableValue(pointer, part, mapping)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ObservableValue(pointer, part, _NO_TEXT)
    return ObservableValue(pointer, part, mapping, str(value), siblings)
