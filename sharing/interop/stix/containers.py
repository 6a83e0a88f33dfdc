"""Which objects of a file contain which: reports, observed data. Their markings count for what they contain.

A relationship or a sighting contains nothing. Its markings count for the objects that it names if these have no TLP,
of their own or of what contains them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sharing.errors import InputError
from sharing.interop.stix.bundle import to_key
from sharing.interop.stix.markings import TAGS_MAX, is_restriction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sharing.interop.stix.bundle import StixObject
    from sharing.interop.stix.markings import MarkingReader

_CONTENTS = ("object_refs", "sample_refs", "analysis_sco_refs")
"""The properties by which an object says what it contains."""

_NAMED = {
    "relationship": ("source_ref", "target_ref"),
    "sighting": ("sighting_of_ref", "observed_data_refs", "where_sighted_refs"),
}
"""The properties by which an object that connects others names them, by its type."""

_STEPS_MAX: Final = 2_000_000
"""How many references are followed in a file: real ones need a few for each object."""


class Containers:
    """Finds what contains an object, at any depth.

    Args:
        objects: All objects of the file.
        reader: Reads their markings.
    """

    def __init__(self, objects: Sequence[StixObject], reader: MarkingReader) -> None:
        self._reader = reader
        self._by_content: dict[str, list[StixObject]] = {}
        self._of_everything: list[StixObject] = []
        self._by_named: dict[str, list[StixObject]] = {}
        self._connecting_everything: list[StixObject] = []
        self._tags: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._own_tags: dict[str, tuple[str, ...]] = {}
        self._bundle_tags: dict[int, tuple[str, ...]] = {}
        self._found: dict[tuple[str, ...], list[StixObject]] = {}
        self._steps = 0
        for item in objects:
            for name in _CONTENTS:
                _index(item, item.data.get(name), self._by_content, self._of_everything)
            for name in _NAMED.get(item.type, ()):
                named = item.data.get(name)
                references = [named] if isinstance(named, str) else named
                _index(item, references, self._by_named, self._connecting_everything)

    def find_direct(self, item: StixObject) -> list[StixObject]:
        """Return the objects that name an object as their content."""
        return self._by_content.get(item.key, [])

    def read_outer_tags(self, item: StixObject, parents: Sequence[StixObject] = ()) -> tuple[str, ...]:
        """Return the tags of everything that contains an object: its bundles, and other objects at any depth.

        Args:
            item: The object.
            parents: Objects in whose content it is.

        Raises:
            InputError: The markings of one of them cannot be read, or forbid publication.
        """
        tags = dict.fromkeys(tag for bundle in item.bundles for tag in self._read_bundle(bundle))
        for direct in self._group_direct(item, parents):
            tags |= dict.fromkeys(self._read_containers(direct))
        if len(tags) > TAGS_MAX:
            raise InputError(f"what contains it has more than {TAGS_MAX} labels and markings; split the file")
        return tuple(tags)

    def _group_direct(self, item: StixObject, parents: Sequence[StixObject]) -> tuple[list[StixObject], ...]:
        """Return what contains an object directly, in the groups in which it is searched for all that contains it."""
        return self._of_everything, [*self.find_direct(item), *parents]

    def read_connection_tags(self, item: StixObject, parents: Sequence[StixObject] = ()) -> tuple[str, ...]:
        """Return the markings of the relationships and sightings that name an object, or something that contains it.

        Args:
            item: The object.
            parents: Objects in whose content it is.

        Raises:
            InputError: The markings of one of them cannot be read, or forbid publication.
        """
        holders = [item]
        for direct in self._group_direct(item, parents):
            holders += self._find_all(direct)
        connections = {
            connection.pointer: connection
            for holder in holders
            for connection in (*self._connecting_everything, *self._by_named.get(holder.key, ()))
        }
        tags = tuple(tag for tag in self._read_containers(list(connections.values())) if is_restriction(tag))
        if len(tags) > TAGS_MAX:
            raise InputError(f"what names it has more than {TAGS_MAX} markings; split the file")
        return tags

    def _read_bundle(self, bundle: Mapping[str, Any]) -> tuple[str, ...]:
        if id(bundle) not in self._bundle_tags:  # it lives as long as its objects
            self._bundle_tags[id(bundle)] = self._reader.read_tags(bundle)
        return self._bundle_tags[id(bundle)]

    def _read_containers(self, direct: list[StixObject]) -> tuple[str, ...]:
        """Return the tags of some containers, and of all that contain them."""
        key = tuple(container.pointer for container in direct)
        if key not in self._tags:
            found = map(self._read_container, self._find_all(direct))
            self._tags[key] = tuple(dict.fromkeys(tag for tags in found for tag in tags))
        return self._tags[key]

    def _find_all(self, direct: list[StixObject]) -> list[StixObject]:
        """Return some containers, and all that contain them; each group is searched once for all that is in it."""
        key = tuple(container.pointer for container in direct)
        if key not in self._found:
            self._found[key] = self._search(direct)
        return self._found[key]

    def _search(self, direct: list[StixObject]) -> list[StixObject]:
        found = {container.pointer: container for container in direct}
        waiting = list(direct)
        while waiting:
            for container in self.find_direct(waiting.pop()):
                self._steps += 1
                if container.pointer not in found:
                    found[container.pointer] = container
                    waiting.append(container)
            if self._steps > _STEPS_MAX:
                raise InputError("too many objects of the file contain each other to find its markings; split the file")
        return list(found.values())

    def _read_container(self, container: StixObject) -> tuple[str, ...]:
        tags = self._own_tags.get(container.pointer)
        if tags is None:
            try:
                tags = self._own_tags[container.pointer] = self._reader.read_tags(container.data)
            except InputError as error:
                verb = "names" if container.type in _NAMED else "contains"
                raise InputError(f"{container.pointer}, which {verb} it: {error}") from None
        return tags


def _index(
    item: StixObject, references: Any, by_key: dict[str, list[StixObject]], everything: list[StixObject]
) -> None:
    """Note to which objects another refers; one that does not say so legibly may refer to everything."""
    if references is None:
        return
    if not isinstance(references, list) or not all(isinstance(reference, str) for reference in references):
        everything.append(item)
        return
    for key in dict.fromkeys(map(to_key, references)):
        by_key.setdefault(key, []).append(item)
