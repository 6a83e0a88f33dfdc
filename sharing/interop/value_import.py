"""Makes an indicator of one value in a file of another system, such as MISP or STIX, or lists the value.

Whatever the format, the profile comes first, the stricter marking counts, and what the file states takes precedence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.interop.import_results import UnpublishedCause, make_unpublished
from sharing.interop.markings import read_marking_facts
from sharing.interop.publishing_profile import ToIds, merge_fields
from sharing.interop.registry_keys import COMMON_KEY_REASON, is_common_registry_key
from sharing.interop.type_mapping import UnmappedType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sharing.interop.import_context import ImportContext
    from sharing.interop.import_results import DuplicateFilter, InputLocation, ParsedEntry
    from sharing.interop.type_mapping import TypeMapping


class StatedFacts(NamedTuple):
    """What a file states about a value.

    Attributes:
        own_tags: Its tags.
        outer_tags: The tags of what contains it.
        facts: Other facts, by the names of the indicator's fields.
    """

    own_tags: tuple[str, ...]
    outer_tags: tuple[str, ...]
    facts: Mapping[str, Any]


class SourceValue(NamedTuple):
    """A value in a file.

    Attributes:
        location: Where it is.
        mapping: What it becomes, or why it becomes nothing.
        text: The value.
        siblings: Other values of the same object by name.
        context_reason: Why it is context, and not meant for detection; "" if it is.
        read_stated: Returns what the file states about it; raises an InputError if that cannot be read.
        make_id: Returns the id of the indicator from its type and value.
    """

    location: InputLocation
    mapping: TypeMapping | UnmappedType
    text: str
    siblings: Mapping[str, str]
    context_reason: str
    read_stated: Callable[[], StatedFacts]
    make_id: Callable[[str, str], str]


def import_value(value: SourceValue, context: ImportContext, duplicates: DuplicateFilter) -> ParsedEntry:
    """Return the indicator that a value becomes, or an entry with the reason why it becomes none.

    Args:
        value: The value.
        context: How the file is imported.
        duplicates: The indicators imported so far.

    Raises:
        ConflictingItemError: Another value has the same id, and different contents.
    """
    location, mapping = value.location, value.mapping
    if isinstance(mapping, UnmappedType):
        return make_unpublished(location, mapping.cause, mapping.reason)
    if value.context_reason and context.profile.to_ids is ToIds.ONLY:
        return make_unpublished(location, UnpublishedCause.NOT_FOR_DETECTION, value.context_reason)
    try:
        type_name, text = mapping.normalise(value.text, value.siblings)
        if type_name == "windows-registry-key" and is_common_registry_key(text):
            return make_unpublished(location, UnpublishedCause.NOT_FOR_DETECTION, COMMON_KEY_REASON)
        own_tags, outer_tags, facts = value.read_stated()
        fields = context.get_initial_fields(type_name, (*outer_tags, *own_tags))
        fields = merge_fields(fields, read_marking_facts(own_tags, outer_tags, fields))
        fields |= facts
        fields |= {"id": value.make_id(type_name, text), "type": type_name, "value": text}
        item = context.encoder.encode(fields)
    except InputError as error:
        return make_unpublished(location, UnpublishedCause.INVALID, str(error))
    return duplicates.check(location, item, by_value=True)
