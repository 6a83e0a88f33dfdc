"""What MISP tags say about an attribute: TLP, PAP and the Admiralty code.

Of several markings the strictest counts. A marking of these taxonomies that is not known is never guessed away: what
bears it is not published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sharing.errors import InputError
from sharing.model.vocabulary import Pap, Tlp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from enum import StrEnum

Mark = TypeVar("Mark", bound="StrEnum")

_LEGACY = {"WHITE": "CLEAR"}  # TLP 1.0; PAP still writes it so
_ADMIRALTY = re.compile(
    r"admiralty-scale:(?P<axis>source-reliability|information-credibility)=\"(?P<grade>[a-f1-6])\"", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Markings:
    """Markings of one attribute, its event's included.

    Attributes:
        tlp: Strictest TLP, or None.
        pap: Strictest PAP, or None.
        admiralty: Such as `B2`, or None where one half is missing or contradicts another.
    """

    tlp: Tlp | None = None
    pap: Pap | None = None
    admiralty: str | None = None


def tag_names(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the tags of an event or attribute.

    Raises:
        InputError: The list is not one of tags. It could hide a marking, so nothing under it is published.
    """
    tags = holder.get("Tag")
    if tags is None:
        return ()
    names = [tag.get("name") if isinstance(tag, dict) else None for tag in tags] if isinstance(tags, list) else [None]
    if not all(isinstance(name, str) for name in names):
        raise InputError("its tags cannot be read, and might hold a marking; Tag must be a list of {name: …}")
    return tuple(str(name).strip() for name in names)


def read_marks(own: Sequence[str], inherited: Sequence[str]) -> Markings:
    """Return what the tags of an attribute, and those of its event, say.

    Raises:
        InputError: A TLP or PAP marking is not known.
    """
    both = (*own, *inherited)
    return Markings(
        _strictest(_marked(both, "tlp", Tlp)),
        _strictest(_marked(both, "pap", Pap)),
        _admiralty(own) or _admiralty(inherited),
    )


def stricter(one: Mark | None, other: Mark | None) -> Mark | None:
    """Return the stricter of two markings; None is no marking."""
    return _strictest([mark for mark in (one, other) if mark is not None])


def _strictest(marks: Iterable[Mark]) -> Mark | None:
    # The lists of the vocabulary run from open to strict.
    return max(marks, key=lambda mark: tuple(type(mark).__members__).index(mark.name), default=None)


def _marked(tags: Sequence[str], taxonomy: str, kind: type[Mark]) -> list[Mark]:
    names = [tag.upper().partition(":")[2].strip() for tag in tags if tag.lower().startswith(f"{taxonomy}:")]
    known = {str(mark): mark for mark in kind}
    if any(_LEGACY.get(name, name) not in known for name in names):
        raise InputError(f"a {taxonomy.upper()} tag is none of {', '.join(known)}; correct the tag")
    return [known[_LEGACY.get(name, name)] for name in names]


def _admiralty(tags: Sequence[str]) -> str | None:
    found = [match for tag in tags if (match := _ADMIRALTY.fullmatch(tag))]
    grades = {(match["axis"].lower(), match["grade"].upper()) for match in found}
    letters = {grade for axis, grade in grades if axis == "source-reliability" and grade.isalpha()}
    digits = {grade for axis, grade in grades if axis == "information-credibility" and grade.isdigit()}
    return letters.pop() + digits.pop() if len(letters) == len(digits) == 1 else None
