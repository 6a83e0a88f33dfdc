"""What STIX marks: labels, and marking definitions with TLP or PAP, as tags.

A definition that says anything else (a statement, IEP, ACS, one that is not in the file) might forbid publication. An
object with one is not published, unless the profile names the marking: `by_tag` has `marking:` and its id or its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sharing.errors import InputError
from sharing.interop.markings import has_marking_inside, is_marking, read_markings, simplify
from sharing.interop.publishing_profile import MARKING_PREFIX
from sharing.interop.stix.bundle import is_id, to_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sharing.interop.publishing_profile import PublishingProfile
    from sharing.interop.stix.bundle import StixObject

KNOWN_MARKINGS: Final = {
    # STIX 2.1 §7.2.1.4: TLP 1.0
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "tlp:white",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "tlp:green",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "tlp:amber",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "tlp:red",
    # OASIS, STIX 2.1 extension for TLP 2.0
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": "tlp:clear",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "tlp:green",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "tlp:amber",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": "tlp:amber+strict",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": "tlp:red",
}
"""Ids of the marking definitions that everyone refers to, and that need not be in a file: their tags."""

TAGS_MAX: Final = 500
"""How many labels and markings an object may have: each is compared for each of its values."""

TLP_2_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

_TAG_LISTS = ("labels", "indicator_types")
_NAMES = ("name", "x_opencti_definition")
_FIELDS = frozenset(
    {
        "type", "spec_version", "id", "created", "created_by_ref", "modified", "revoked", "labels", "confidence",
        "lang", "external_references", "object_marking_refs", "granular_markings", "extensions", "definition_type",
        "definition", "description", "x_opencti_definition_type", "x_opencti_id", "x_opencti_type", "x_opencti_color",
        "x_opencti_order", *_NAMES,
    }
)  # fmt: skip
"""The fields of a marking definition that are read, or that restrict nothing."""

_OPENCTI_EXTENSION = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"  # when and by whom it was stored
_PLACEHOLDER = "custom"  # what OpenCTI writes as the statement of a marking whose name says everything


class _Definition(NamedTuple):
    """What a marking definition says.

    Attributes:
        tags: TLP and PAP, as they are written.
        names: Its other names, and the text of a statement.
        is_understood: Whether it says nothing else than TLP and PAP.
    """

    tags: tuple[str, ...]
    names: tuple[str, ...]
    is_understood: bool


_UNDEFINED = _Definition((), (), is_understood=False)


class MarkingReader:
    """Reads the markings of objects.

    Args:
        objects: All objects of the file.
        profile: The profile, which names the markings that permit publication.
    """

    def __init__(self, objects: Iterable[StixObject], profile: PublishingProfile) -> None:
        self._definitions: dict[str, list[Mapping[str, Any]]] = {}
        for item in objects:
            if item.type == "marking-definition" and item.key:
                self._definitions.setdefault(item.key, []).append(item.data)
        self._profile = profile
        self._markings: dict[str, tuple[str, ...] | InputError] = {}

    def read_tags(self, holder: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the labels, types and markings of an object as tags.

        Raises:
            InputError: They cannot be read, or a marking is neither TLP nor PAP and is not named in the profile.
        """
        tags = [tag for name in _TAG_LISTS for tag in _read_texts(holder, name)]
        for reference in _find_references(holder):
            tags.extend(self._read_marking(to_key(reference)))
        if len(tags) > TAGS_MAX:
            raise InputError(f"has more than {TAGS_MAX} labels and markings")
        return tuple(tags)

    def _read_marking(self, key: str) -> tuple[str, ...]:
        """Return the tags of a marking.

        Raises:
            InputError: It cannot be read, or it is neither TLP nor PAP and is not named in the profile.
        """
        found = self._markings.get(key)
        if found is None:
            try:
                found = self._interpret(key)
            except InputError as error:
                found = error
            self._markings[key] = found
        if isinstance(found, InputError):
            raise InputError(str(found))
        return found

    def _interpret(self, key: str) -> tuple[str, ...]:
        if not is_id(key) or not key.startswith("marking-definition--"):
            raise InputError("its markings cannot be read: one of them is not the id of a marking-definition")
        contents, known = self._definitions.get(key, []), KNOWN_MARKINGS.get(key)
        if any(content != contents[0] for content in contents):
            raise InputError(f"the file defines {key} in several ways; keep the definition that is meant")
        if not contents and known is not None:
            return (known,)
        definition = _read_definition(contents[0]) if contents else _UNDEFINED
        if known is not None and definition.tags:
            if read_markings(definition.tags, ()) != read_markings((known,), ()):
                raise InputError(f"{key} is {known.upper()}, and the file defines it as something else; correct it")
            definition = definition._replace(tags=(known,))
        if definition.is_understood:
            return definition.tags
        # What mentions TLP in a sentence is named by its id: as a tag it would be a marking that nobody understands.
        names = [name for name in definition.names if not has_marking_inside(name)]
        tags = tuple(f"{MARKING_PREFIX}{name}" for name in (key, *map(simplify, names)))
        if not self._profile.names_marking(tags):
            what = "says something else than TLP or PAP" if contents else "is not defined in the file"
            raise InputError(
                f"its marking {key} {what}, and might forbid publication; if it does not, enter `{tags[0]}: {{}}` "
                "under `by_tag` in the profile"
            )
        return (*tags, *definition.tags, *(() if known is None else (known,)))


def is_restriction(tag: str) -> bool:
    """Return whether a tag says how something may be shared: it is a marking, or is meant as one."""
    return tag.startswith(MARKING_PREFIX) or is_marking(tag) or has_marking_inside(tag)


def _read_texts(holder: Mapping[str, Any], name: str) -> list[str]:
    texts = holder.get(name)
    if texts is None:
        return []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name}: must be a list of texts; it might contain a marking")
    return [text.strip() for text in texts]


def _find_references(holder: Mapping[str, Any]) -> list[Any]:
    """Return the ids of the markings of an object, and of all of its parts.

    Raises:
        InputError: They cannot be read.
    """
    references = holder.get("object_marking_refs")
    granular = holder.get("granular_markings")
    if not isinstance(references, list | None) or not isinstance(granular, list | None):
        raise InputError("its markings cannot be read: they must be lists")
    found = list(references or [])
    for entry in granular or []:
        if not isinstance(entry, dict) or not ("marking_ref" in entry or isinstance(entry.get("lang"), str)):
            raise InputError("granular_markings: cannot be read; each must have a marking_ref or a language")
        if "marking_ref" in entry:
            found.append(entry["marking_ref"])
    return found


def _read_definition(data: Mapping[str, Any]) -> _Definition:
    """Return what a marking definition says.

    Raises:
        InputError: Its parts are not of the types that they must have.
    """
    texts = [*_read_definition_part(data), *_read_extensions(data)]
    for name in _NAMES:
        text = data.get(name)
        if text is not None and not isinstance(text, str):
            raise InputError(_UNREADABLE)
        if text:
            texts.append((text, is_marking(text)))
    tags = tuple(text for text, is_tag in texts if is_tag)
    names = tuple(text for text, is_tag in texts if not is_tag and text)
    is_understood = bool(tags) and not (names or data.keys() - _FIELDS or any(not text for text, _ in texts))
    return _Definition(tags, names, is_understood)


_UNREADABLE = "its marking cannot be read: its definition is not in the form of STIX"
_OTHER = ("", False)
"""A part of a definition that says something else, and has no name."""


def _read_definition_part(data: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Return what `definition` says: each text, and whether it is TLP or PAP."""
    kind, definition = data.get("definition_type"), data.get("definition")
    if kind is None and definition is None:
        return []
    if not isinstance(kind, str) or not isinstance(definition, dict | None):
        raise InputError(_UNREADABLE)
    content = {simplify(key): value for key, value in (definition or {}).items()}
    name = simplify(kind)
    if name in {"tlp", "pap"} and content.keys() == {name}:
        level = content[name]
        if not isinstance(level, str):
            raise InputError(_UNREADABLE)
        return [(level if is_marking(level) else f"{name}:{level}", True)]
    if name not in {"tlp", "pap"} and is_marking(kind) and not content:
        return [(kind, True)]
    text = content.get("statement")
    if name != "statement" or content.keys() != {"statement"} or not isinstance(text, str):
        return [_OTHER]
    if simplify(text) == _PLACEHOLDER:
        return []
    return [(text, is_marking(text))] if text.strip() else [_OTHER]


def _read_extensions(data: Mapping[str, Any]) -> list[tuple[str, bool]]:
    extensions = data.get("extensions", {})
    if not isinstance(extensions, dict):
        raise InputError(_UNREADABLE)
    found = []
    for key, extension in extensions.items():
        level = extension.get("tlp_2_0") if isinstance(extension, dict) else None
        if to_key(key) == TLP_2_EXTENSION and isinstance(level, str):
            found.append((f"tlp:{level}", True))
        elif to_key(key) != _OPENCTI_EXTENSION:
            found.append(_OTHER)
    return found
