"""What MISP tags state: the markings TLP, PAP and the Admiralty code, and a few facts.

The strictest of several markings counts. An attribute with an unknown TLP or PAP tag is not published.
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

Marking = TypeVar("Marking", bound="StrEnum")

_OLD_NAMES = {"WHITE": "CLEAR"}  # TLP 1.0; PAP still uses WHITE
_ADMIRALTY = re.compile(
    r"admiralty-scale:(?P<axis>source-reliability|information-credibility)=\"(?P<grade>[a-f1-6])\"", re.IGNORECASE
)

_FACT_BY_TAG = {"copine-scale:": "minor", 'dni-ism:notice="us-person"': "us_person"}
"""Beginning of a tag, in lower case, to the fact to which it answers YES.

The COPINE scale grades pictures of children, and the notice marks information about a United States person. No tag is
read as NO. No taxonomy says that something is exculpatory, and VERIS's "organized crime" includes groups that are no
organised criminal group in the sense of UNTOC. An agency's profile can set these facts by tag.
"""


@dataclass(frozen=True, slots=True)
class Markings:
    """Markings of an attribute, including those of its event.

    Attributes:
        tlp: Strictest TLP, or None.
        pap: Strictest PAP, or None.
        admiralty: Admiralty code such as `B2`, or None if one half is missing or contradictory.
    """

    tlp: Tlp | None = None
    pap: Pap | None = None
    admiralty: str | None = None


def read_tag_names(holder: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the tags of an event or attribute.

    Raises:
        InputError: `Tag` is not a list of tags. It might contain a marking, so nothing with these tags is published.
    """
    tags = holder.get("Tag")
    if tags is None:
        return ()
    names = [tag.get("name") if isinstance(tag, dict) else None for tag in tags] if isinstance(tags, list) else [None]
    if not all(isinstance(name, str) for name in names):
        raise InputError("its tags cannot be read, and might contain a marking; Tag must be a list of {name: …}")
    return tuple(str(name).strip() for name in names)


def read_markings(own_tags: Sequence[str], event_tags: Sequence[str]) -> Markings:
    """Return the markings in the tags of an attribute and of its event.

    Raises:
        InputError: A TLP or PAP tag is not known.
    """
    all_tags = (*own_tags, *event_tags)
    return Markings(
        _pick_strictest(_find_markings(all_tags, "tlp", Tlp)),
        _pick_strictest(_find_markings(all_tags, "pap", Pap)),
        _read_admiralty_code(own_tags) or _read_admiralty_code(event_tags),
    )


def read_stated_facts(tags: Iterable[str]) -> dict[str, str]:
    """Return the facts that the tags of an attribute or its event state."""
    lower_tags = [tag.lower() for tag in tags]
    return {fact: "YES" for start, fact in _FACT_BY_TAG.items() if any(tag.startswith(start) for tag in lower_tags)}


def pick_stricter(first: Marking | None, second: Marking | None) -> Marking | None:
    """Return the stricter of two markings; None means no marking."""
    return _pick_strictest([marking for marking in (first, second) if marking is not None])


def _pick_strictest(markings: Iterable[Marking]) -> Marking | None:
    # The members of Tlp and Pap are declared from open to strict.
    return max(markings, key=lambda marking: tuple(type(marking).__members__).index(marking.name), default=None)


def _find_markings(tags: Sequence[str], taxonomy: str, kind: type[Marking]) -> list[Marking]:
    names = [tag.upper().partition(":")[2].strip() for tag in tags if tag.lower().startswith(f"{taxonomy}:")]
    known = {str(marking): marking for marking in kind}
    if any(_OLD_NAMES.get(name, name) not in known for name in names):
        raise InputError(f"a {taxonomy.upper()} tag must be one of {', '.join(known)}; correct the tag")
    return [known[_OLD_NAMES.get(name, name)] for name in names]


def _read_admiralty_code(tags: Sequence[str]) -> str | None:
    matches = [match for tag in tags if (match := _ADMIRALTY.fullmatch(tag))]
    grades = {(match["axis"].lower(), match["grade"].upper()) for match in matches}
    letters = {grade for axis, grade in grades if axis == "source-reliability" and grade.isalpha()}
    digits = {grade for axis, grade in grades if axis == "information-credibility" and grade.isdigit()}
    return letters.pop() + digits.pop() if len(letters) == len(digits) == 1 else None
