"""STIX bundles: each constant of a pattern and each value of an observable becomes an indicator, or is listed.

So is every other object, as one entry. An indicator is meant for detection, an observable alone is context. The facts
that STIX states are taken as they are: the description as summary, `first_observed` of the observed data as the time of
observation, `valid_until` as the time at which to look again, and what markings and labels state. No clock is read, so
the same file always gives the same indicators.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sharing.errors import InputError
from sharing.interop.import_results import InputLocation, UnpublishedCause, make_unpublished
from sharing.interop.markings import names_marking, simplify
from sharing.interop.source_fields import read_text, read_time
from sharing.interop.stix.bundle import VERSIONS, StixObject, find_objects, is_id, iterate_keys
from sharing.interop.stix.containers import Containers
from sharing.interop.stix.markings import MarkingReader
from sharing.interop.stix.observables import find_values
from sharing.interop.stix.patterns import read_pattern
from sharing.interop.stix.type_mappings import CONTEXT_TYPES, OBSERVABLE_TYPES, find_mapping
from sharing.interop.stix.versions import REVOKED, find_version_faults, is_revoked
from sharing.interop.type_mapping import TypeMapping, UnmappedType
from sharing.interop.value_import import SourceValue, StatedFacts, import_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sharing.interop.import_context import ImportContext
    from sharing.interop.import_results import DuplicateFilter, ParsedEntry

_OBJECTS_PER_PROGRESS_REPORT: Final = 100
_HARMLESS_TYPES: Final = frozenset({"benign", "anonymization"})
"""Values of `indicator_types` for what is not malicious by itself (STIX 2.1 §10.7)."""

_PATTERN_TYPES: Final = frozenset({"pcre", "sigma", "snort", "suricata"})
"""The pattern types of STIX's vocabulary that no type of indicator covers."""

_PATTERN_REASON = "no type of indicator covers patterns of the type {type}"
_CONTEXT_REASON = "STIX's {type!r} says something about other objects, and is not a value"
_EMBEDDED_REASON = "its `objects` are not an object of observables by name"
_CUSTOM_REASON = "STIX does not define its type; publish a value in it as a JSON line"
_OBSERVED_REASON = (
    "it was observed, and no pattern of an indicator says that it indicates something; to publish observables too, set "
    "`to_ids: any` in the profile"
)
_HARMLESS_REASON = (
    "its indicator_types say that it is not malicious by itself; to publish such indicators too, set `to_ids: any` in "
    "the profile"
)
_NO_TEXT = UnmappedType(UnpublishedCause.INVALID, "the pattern compares it to something that is not text")


class _Value(NamedTuple):
    """A value of an object.

    Attributes:
        position: Where it is.
        part: What tells it from other values of the object when its id is made; None for its type and value.
        mapping: What it becomes, or why it becomes nothing.
        text: The value.
        siblings: The texts of properties of the same object, by name.
    """

    position: str
    part: str | None
    mapping: TypeMapping | UnmappedType
    text: str
    siblings: Mapping[str, str]


def read_stix(document: Any, file: str, context: ImportContext, duplicates: DuplicateFilter) -> Iterator[ParsedEntry]:
    """Yield an entry for each value in a parsed STIX file, and for each object that has none.

    Args:
        document: A bundle, what a TAXII server answers, or a list of bundles and objects.
        file: Name of the file.
        context: How the file is imported.
        duplicates: The indicators imported so far.

    Raises:
        ConflictingItemError: Two objects have the same id, and different contents.
        InputError: The file contains no object, has a version that is not read, or is nested too deeply.
    """
    try:
        yield from _read_objects(document, file, context, duplicates)
    except RecursionError:  # values that could just be parsed cannot be compared
        raise InputError(f"{file}: is nested too deeply to be read") from None


def _read_objects(
    document: Any, file: str, context: ImportContext, duplicates: DuplicateFilter
) -> Iterator[ParsedEntry]:
    objects, others = find_objects(document, file)
    reader = _ObjectReader(objects, file, context, duplicates)
    for pointer in others:
        yield make_unpublished(InputLocation(file, pointer), UnpublishedCause.MALFORMED, "is not a STIX object")
    for index, item in enumerate(objects):
        if index % _OBJECTS_PER_PROGRESS_REPORT == 0:
            context.report_progress(file, index / len(objects))
        yield from reader.read(item)


class _ObjectReader:
    """Reads the objects of one file."""

    def __init__(
        self, objects: list[StixObject], file: str, context: ImportContext, duplicates: DuplicateFilter
    ) -> None:
        self._file = file
        self._context = context
        self._duplicates = duplicates
        self._markings = MarkingReader(objects, context.profile)
        self._containers = Containers(objects, self._markings)
        self._faults = find_version_faults(objects, file)
        self._stated: tuple[StixObject, StatedFacts | InputError] | None = None

    def read(self, item: StixObject, parents: tuple[StixObject, ...] = ()) -> Iterator[ParsedEntry]:
        """Yield the entries of an object.

        Args:
            item: The object.
            parents: Objects in whose content it is.
        """
        fault = self._faults.get(item.pointer)
        if fault is not None:
            yield self._list(item.pointer, *fault)
        elif item.data.get("spec_version", VERSIONS[0]) not in VERSIONS:
            reason = f"spec_version: must be {' or '.join(VERSIONS)}"
            yield self._list(item.pointer, UnpublishedCause.INVALID, reason)
        elif item.type == "indicator":
            yield from self._read_indicator(item)
        elif item.type in OBSERVABLE_TYPES:
            if any(is_revoked(holder.data) for holder in (item, *parents)):
                yield self._list(item.pointer, *REVOKED)
                return
            for value in find_values(item):
                yield self._read_value(item, _Value(*value), _OBSERVED_REASON, parents)
        elif item.type in CONTEXT_TYPES:
            reason = _CONTEXT_REASON.format(type=item.type)
            yield self._list(item.pointer, UnpublishedCause.CONTEXT, reason)
            if item.type == "observed-data":
                yield from self._read_embedded(item)
        else:
            yield self._list(item.pointer, UnpublishedCause.UNSUPPORTED_TYPE, _CUSTOM_REASON)

    def _list(self, pointer: str, cause: UnpublishedCause, reason: str) -> ParsedEntry:
        return make_unpublished(InputLocation(self._file, pointer), cause, reason)

    def _read_embedded(self, item: StixObject) -> Iterator[ParsedEntry]:
        """Yield the entries of the observables in observed data of STIX 2.0, which have no ids."""
        embedded, pointer = item.data.get("objects"), f"{item.pointer}/objects"
        if embedded is None:
            return
        if not isinstance(embedded, dict):
            yield self._list(pointer, UnpublishedCause.MALFORMED, _EMBEDDED_REASON)
            return
        for _, own_pointer, data in iterate_keys(embedded, pointer):
            if not isinstance(data, dict) or not isinstance(data.get("type"), str):
                yield self._list(own_pointer, UnpublishedCause.MALFORMED, "is not a STIX object")
            elif data["type"] in OBSERVABLE_TYPES:
                yield from self.read(StixObject(own_pointer, data, data["type"], item.bundles), (item,))
            else:
                yield self._list(own_pointer, UnpublishedCause.UNSUPPORTED_TYPE, _CUSTOM_REASON)

    def _read_indicator(self, item: StixObject) -> Iterator[ParsedEntry]:
        pointer, pattern = f"{item.pointer}/pattern", item.data.get("pattern")
        # STIX 2.0 has no pattern_type, since each of its patterns is one of STIX, and no indicator_types, but labels.
        is_old = item.data.get("spec_version", VERSIONS[0]) == VERSIONS[0]
        kind = item.data.get("pattern_type", "stix" if is_old else None)
        if not isinstance(pattern, str) or not isinstance(kind, str):
            reason = "has no pattern or no pattern_type, or one that is not text"
            yield self._list(item.pointer, UnpublishedCause.MALFORMED, reason)
            return
        match kind.strip().lower():
            case "stix":
                try:
                    values = _list_pattern_values(pattern, pointer)
                except InputError as error:
                    yield self._list(pointer, UnpublishedCause.INVALID, str(error))
                    return
            case "yara":
                values = [_Value(pointer, "", TypeMapping(("yara",)), pattern, {})]
            case known if known in _PATTERN_TYPES:
                yield self._list(pointer, UnpublishedCause.UNSUPPORTED_TYPE, _PATTERN_REASON.format(type=known))
                return
            case _:
                yield self._list(pointer, UnpublishedCause.UNSUPPORTED_TYPE, _PATTERN_REASON.format(type="it has"))
                return
        types = item.data.get("indicator_types", item.data.get("labels") if is_old else None)
        context_reason = _HARMLESS_REASON if _is_harmless(types) else ""
        for value in values:
            yield self._read_value(item, value, context_reason)

    def _read_value(
        self, item: StixObject, value: _Value, context_reason: str, parents: tuple[StixObject, ...] = ()
    ) -> ParsedEntry:
        source = SourceValue(
            InputLocation(self._file, value.position),
            value.mapping,
            value.text,
            value.siblings,
            context_reason,
            partial(self._read_stated, item, parents),
            partial(self._make_id, item, value),
        )
        return import_value(source, self._context, self._duplicates)

    def _read_stated(self, item: StixObject, parents: tuple[StixObject, ...]) -> StatedFacts:
        """Return what the file states about an object; it is kept for the next value of the object.

        Raises:
            InputError: A field is malformed, or a marking is not understood.
        """
        if self._stated is None or self._stated[0] is not item:
            try:
                self._stated = item, self._find_stated(item, parents)
            except InputError as error:
                self._stated = item, error
        stated = self._stated[1]
        if isinstance(stated, InputError):
            raise InputError(str(stated))
        return stated

    def _find_stated(self, item: StixObject, parents: tuple[StixObject, ...]) -> StatedFacts:
        own_tags = self._markings.read_tags(item.data)
        outer_tags = self._containers.read_outer_tags(item, parents)
        if not any(names_marking(simplify(tag), "tlp") for tag in (*own_tags, *outer_tags)):
            outer_tags += self._containers.read_connection_tags(item, parents)
        facts = {}
        if summary := read_text(item.data, "description"):
            facts["summary"] = summary
        if valid_until := read_time(item.data, "valid_until"):
            facts["review_at"] = valid_until
        holders = (*parents, *self._containers.find_direct(item))
        times = {read_time(holder.data, "first_observed") for holder in holders if holder.type == "observed-data"}
        if len(times) == 1 and (observed_at := times.pop()):
            facts["observed_at"] = observed_at
        return StatedFacts(own_tags, outer_tags, facts)

    def _make_id(self, item: StixObject, value: _Value, type_name: str, text: str) -> str:
        """Return the indicator's id, derived from the id of the object if that is valid, or from type and value."""
        if not is_id(item.key) or not item.key.startswith(f"{item.type}--"):
            return self._context.make_id(("value", type_name, text))
        part = f"{type_name}:{text}" if value.part is None else value.part
        return self._context.make_id(("stix", item.key, part))


def _list_pattern_values(pattern: str, pointer: str) -> list[_Value]:
    """Return the values in a pattern.

    Raises:
        InputError: It is not a STIX pattern.
    """
    constants = read_pattern(pattern)
    is_one = len(constants) == 1
    values = []
    for number, constant in enumerate(constants, 1):
        mapping = find_mapping(constant.object_type, constant.path, constant.siblings)
        if constant.condition:
            mapping = UnmappedType(UnpublishedCause.CONDITIONAL, constant.condition)
        elif isinstance(mapping, TypeMapping) and constant.text is None:
            mapping = _NO_TEXT
        position = pointer if is_one else f"{pointer}#{number}"
        # The number of a constant changes with the pattern, so it does not identify the item.
        values.append(_Value(position, "" if is_one else None, mapping, constant.text or "", constant.siblings))
    return values


def _is_harmless(types: Any) -> bool:
    names = [name.strip().lower() for name in types if isinstance(name, str)] if isinstance(types, list) else []
    return "benign" in names or (bool(names) and _HARMLESS_TYPES.issuperset(names))
