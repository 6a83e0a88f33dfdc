"""The publishing profile: the legal facts that MISP and STIX files, and most JSON lines, do not carry.

A YAML file with the field names of the indicator. `defaults` applies to every indicator, `by_type` to one type of
indicator, `by_tag` to what has a MISP tag, or a label or marking of STIX (a final `*` matches any suffix). They are
merged in that order, field by field, so the most specific takes precedence. A fact that neither file nor profile states
stays UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from sharing.model.field_validators import make_enum_validator
from sharing.model.indicator import Indicator, RecordModel
from sharing.model.validation_errors import describe_error, suggest_nearest
from sharing.model.values import VALUE_TYPES
from sharing.yaml_files.source import YamlDocument, read_yaml, validate_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sharing.yaml_files.source import KeyPath

_FIELDS_FROM_FILE = ("id", "type", "value")
_FIELDS_FROM_OPTIONS = {"state": "--state", "agency": "--agency"}
_ANY_ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
_ANY_TYPE = "ipv4-addr"

MARKING_PREFIX = "marking:"
"""How the tag of a STIX marking begins that is neither TLP nor PAP; its id or its name follows."""


class ToIds(StrEnum):
    """What is imported: what MISP marks `to_ids`, and the indicators of STIX; or also MISP's and STIX's context."""

    ONLY = "only"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class PublishingProfile:
    """Facts to add to those in the files, checked against the indicator's fields.

    Attributes:
        to_ids: Whether only what is meant for detection is imported, or also what is context in MISP or STIX.
        defaults: Fields of every indicator.
        by_type: Fields by type of indicator.
        by_tag: Fields by tag, in lower case; the most specific last.
    """

    to_ids: ToIds = ToIds.ONLY
    defaults: Mapping[str, Any] = field(default_factory=dict)
    by_type: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    by_tag: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    def get_facts(self, type_name: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the fields that the profile sets for an indicator, as a new mapping.

        Args:
            type_name: Type of the indicator.
            tags: Names of its tags.
        """
        merged = merge_fields(self.defaults, self.by_type.get(type_name, {}))
        if not tags:
            return merged
        lower_tags = [tag.lower() for tag in tags]
        for pattern, fields in self.by_tag:
            if any(_matches_tag(pattern, tag) for tag in lower_tags):
                merged = merge_fields(merged, fields)
        return merged

    def names_marking(self, tags: tuple[str, ...]) -> bool:
        """Return whether the profile has an entry that begins with `marking:` for one of the tags of a marking.

        Args:
            tags: `marking:` and the id or a name of the marking, in lower case.
        """
        patterns = [pattern for pattern, _ in self.by_tag if pattern.startswith(MARKING_PREFIX)]
        return any(_matches_tag(pattern, tag) for pattern in patterns for tag in tags)


NO_PROFILE = PublishingProfile()
"""The empty profile: every fact that the file does not state is UNKNOWN."""


def merge_fields(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, merged mapping by mapping. Any other value of `override`, null included, replaces that of `base`."""
    merged = dict(base)
    for name, value in override.items():
        current = merged.get(name)
        merged[name] = merge_fields(current, value) if isinstance(current, dict) and isinstance(value, dict) else value
    return merged


def _matches_tag(pattern: str, tag: str) -> bool:
    return tag.startswith(pattern[:-1]) if pattern.endswith("*") else tag == pattern


def _null_to_empty(value: Any) -> Any:
    return {} if value is None else value


Fields = Annotated[dict[str, Any], BeforeValidator(_null_to_empty)]
Sections = Annotated[dict[str, Fields], BeforeValidator(_null_to_empty)]


class PublishingProfileModel(RecordModel):
    """The YAML document."""

    title: str | None = None
    to_ids: Annotated[ToIds, make_enum_validator(ToIds, ToIds.ONLY)] = ToIds.ONLY
    defaults: Fields = Field(default_factory=dict)
    by_type: Sections = Field(default_factory=dict)
    by_tag: Sections = Field(default_factory=dict)


def parse_profile(text: str, source: str) -> PublishingProfile:
    """Parse a publishing profile.

    Args:
        text: The YAML document.
        source: Name of the document, for errors.

    Raises:
        InputError: The text is not YAML, or a key, name or value in it is unknown or invalid. The message has the file,
            line, key and the nearest known name.
    """
    document = read_yaml(text, source)
    model = validate_document(document, PublishingProfileModel)
    _check_profile(document, model)
    by_tag = sorted(model.by_tag.items(), key=lambda item: (not item[0].endswith("*"), len(item[0])))
    return PublishingProfile(
        model.to_ids,
        model.defaults,
        model.by_type,
        tuple((pattern.lower(), fields) for pattern, fields in by_tag),
    )


def _check_profile(document: YamlDocument, model: PublishingProfileModel) -> None:
    """Raise an InputError for the first section that is not valid for any indicator."""
    _check_fields(document, ("defaults",), model.defaults)
    for type_name, fields in model.by_type.items():
        path: KeyPath = ("by_type", type_name)
        if type_name not in VALUE_TYPES:
            raise document.error(f"is not a type of indicator{suggest_nearest(type_name, VALUE_TYPES)}", path)
        _check_fields(document, path, fields, model.defaults, type_name)
    for pattern, fields in model.by_tag.items():
        path = ("by_tag", pattern)
        if "*" in pattern[:-1]:
            raise document.error("has a * before its end; only a final * is a wildcard", path)
        _check_fields(document, path, fields, model.defaults)


def _check_fields(
    document: YamlDocument,
    path: KeyPath,
    fields: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    type_name: str = _ANY_TYPE,
) -> None:
    """Check that an indicator with the defaults and these fields is valid."""
    for name in _FIELDS_FROM_FILE:
        if name in fields:
            raise document.error("comes from each indicator; a profile cannot set it", (*path, name))
    source = fields.get("source")
    for name, option in _FIELDS_FROM_OPTIONS.items():
        if isinstance(source, dict) and name in source:
            raise document.error(f"is given with {option}; a profile cannot set it", (*path, "source", name))
    required = {
        "id": _ANY_ID,
        "type": type_name,
        "value": VALUE_TYPES[type_name].example,
        "source": {"state": "CH", "agency": "-"},
    }
    try:
        Indicator.model_validate(merge_fields(required, merge_fields(defaults or {}, fields)))
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        field, sentence = describe_error(details, Indicator)
        raise document.error(sentence, (*path, *(details["loc"] or (field,)))) from None
    except OverflowError:
        raise document.error("a time is outside the years 1 to 9999", path) from None
