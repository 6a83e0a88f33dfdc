"""The publishing profile: the facts of law that MISP files, and most JSON lines, do not carry.

YAML with the names of the indicator's own fields. `defaults` holds for everything, `by_type` for one type of
indicator, `by_tag` for what bears a MISP tag (a final `*` stands for any rest); they are merged in that order, so the
most specific wins, field by field. What neither file nor profile says stays UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from sharing.errors import InputError, PackError
from sharing.model.indicator import Indicator, IndicatorPart
from sharing.model.validation import describe, nearest
from sharing.model.validators import one_of
from sharing.model.values import VALUE_TYPES
from sharing.yaml_source import YamlDocument, read_yaml, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sharing.yaml_source import KeyPath

_FROM_THE_FILE = ("id", "type", "value")
_FROM_THE_COMMAND = {"state": "--state", "agency": "--agency"}
_NIL_ID = "00000000-0000-0000-0000-000000000000"
_ANY_TYPE = "ipv4-addr"


class ToIds(StrEnum):
    """Which MISP attributes are indicators: only those marked `to_ids`, or any."""

    ONLY = "only"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class PublishingProfile:
    """Facts to add to what files say, checked against the indicator's fields.

    Attributes:
        to_ids: Which MISP attributes are taken as indicators.
        defaults: Fields of every indicator.
        by_type: Fields by type of indicator.
        by_tag: Fields by MISP tag, in lower case; the most specific last.
    """

    to_ids: ToIds = ToIds.ONLY
    defaults: Mapping[str, Any] = field(default_factory=dict)
    by_type: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    by_tag: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    def facts(self, type_name: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the fields that the profile gives to an indicator, as a new mapping.

        Args:
            type_name: Type of the indicator.
            tags: Names of its MISP tags.
        """
        found = merge(self.defaults, self.by_type.get(type_name, {}))
        if not tags:
            return found
        lower = [tag.lower() for tag in tags]
        for pattern, fields in self.by_tag:
            if any(_matches(pattern, tag) for tag in lower):
                found = merge(found, fields)
        return found


NO_PROFILE = PublishingProfile()
"""Adds nothing: every fact that the file does not state is UNKNOWN."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the two merged, mapping by mapping; anything else of `over` replaces what `base` has, null included."""
    found = dict(base)
    for name, value in over.items():
        held = found.get(name)
        found[name] = merge(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return found


def _matches(pattern: str, tag: str) -> bool:
    return tag.startswith(pattern[:-1]) if pattern.endswith("*") else tag == pattern


def _none_as_empty(value: Any) -> Any:
    return {} if value is None else value


Fields = Annotated[dict[str, Any], BeforeValidator(_none_as_empty)]
Sections = Annotated[dict[str, Fields], BeforeValidator(_none_as_empty)]


class PublishingProfileModel(IndicatorPart):
    """The document as it is written."""

    title: str | None = None
    to_ids: Annotated[ToIds, one_of(ToIds, ToIds.ONLY)] = ToIds.ONLY
    defaults: Fields = Field(default_factory=dict)
    by_type: Sections = Field(default_factory=dict)
    by_tag: Sections = Field(default_factory=dict)


def parse_profile(text: str, source: str) -> PublishingProfile:
    """Read a publishing profile.

    Args:
        text: The YAML document.
        source: Its name, for errors.

    Raises:
        InputError: It is not YAML, or a key, a name or a value in it is not known or not valid. The message tells
            file, line, key and the nearest known name.
    """
    try:
        document = read_yaml(text, source)
        written = validate(document, PublishingProfileModel)
        _check(document, written)
    except PackError as error:
        raise InputError(str(error), field=error.key, place=str(error.line or "")) from None
    by_tag = sorted(written.by_tag.items(), key=lambda item: (not item[0].endswith("*"), len(item[0])))
    return PublishingProfile(
        written.to_ids,
        written.defaults,
        written.by_type,
        tuple((pattern.lower(), fields) for pattern, fields in by_tag),
    )


def _check(document: YamlDocument, written: PublishingProfileModel) -> None:
    """Raise a PackError for the first section that no indicator could have."""
    _check_fields(document, ("defaults",), written.defaults)
    for type_name, fields in written.by_type.items():
        path: KeyPath = ("by_type", type_name)
        if type_name not in VALUE_TYPES:
            raise document.error(f"is not a type of indicator{nearest(type_name, VALUE_TYPES)}", path)
        _check_fields(document, path, fields, written.defaults, type_name)
    for pattern, fields in written.by_tag.items():
        path = ("by_tag", pattern)
        if "*" in pattern[:-1]:
            raise document.error("has a * before its end; only a final * stands for any rest", path)
        _check_fields(document, path, fields, written.defaults)


def _check_fields(
    document: YamlDocument,
    path: KeyPath,
    fields: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    type_name: str = _ANY_TYPE,
) -> None:
    """Try the fields, on top of the defaults, on an indicator."""
    for name in _FROM_THE_FILE:
        if name in fields:
            raise document.error("comes from each indicator; a profile cannot set it", (*path, name))
    source = fields.get("source")
    for name, option in _FROM_THE_COMMAND.items():
        if isinstance(source, dict) and name in source:
            raise document.error(f"is given with {option}; a profile cannot set it", (*path, "source", name))
    required = {
        "id": _NIL_ID,
        "type": type_name,
        "value": VALUE_TYPES[type_name].example,
        "source": {"state": "CH", "agency": "-"},
    }
    try:
        Indicator.model_validate(merge(required, merge(defaults or {}, fields)))
    except ValidationError as error:
        finding = error.errors(include_url=False)[0]
        field, sentence = describe(finding, Indicator)
        raise document.error(sentence, (*path, *(finding["loc"] or (field,)))) from None
    except OverflowError:
        raise document.error("a time lies outside the years 1 to 9999", path) from None
