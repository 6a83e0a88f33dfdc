"""What MISP tags state: the markings TLP, PAP and the Admiralty code, and a few facts.

The strictest of several markings counts. An attribute with a tag that begins with TLP or PAP and is none of the known
markings is not published: people also type `TLP-RED`, which must not count as no marking.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sharing.errors import InputError
from sharing.model.vocabulary import Pap, Tlp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from enum import StrEnum

Marking = TypeVar("Marking", bound="StrEnum")

_OLD_NAMES = {"WHITE": "CLEAR"}  # TLP 1.0; PAP still uses WHITE
_MARKING_STARTS = {"tlp": re.compile(r"[\W_]*tlp"), "pap": re.compile(r"[\W_]*pap(?![a-z])")}
"""How a tag begins that is meant as a marking; no other word begins with TLP."""
_MARKING = re.compile(r"(?:tlp|pap)\s*:\s*(?P<name>.*)")
_TAG_LISTS = ("Tag", "EventTag", "ObjectTag", "AttributeTag")
"""Where tags are; the last three contain `{"Tag": {"name": …}}`, as in MISP's own tables."""
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
    """Return the names of the tags of an event, object or attribute.

    Raises:
        InputError: Its tags are not lists of tags. They might contain a marking, so nothing with them is published.
    """
    return tuple(name for key in _TAG_LISTS for name in _read_tag_list(holder.get(key)))


def _read_tag_list(tags: Any) -> Iterator[str]:
    if tags is None:
        return
    for entry in tags if isinstance(tags, list) else [None]:
        tag = entry.get("Tag", entry) if isinstance(entry, dict) else None
        name = tag.get("name") if isinstance(tag, dict) else None
        if not isinstance(name, str):
            raise InputError("its tags cannot be read, and might contain a marking; Tag must be a list of {name: …}")
        yield name.strip()


def read_markings(own_tags: Sequence[str], event_tags: Sequence[str]) -> Markings:
    """Return the markings in the tags of an attribute and of its event.

    Raises:
        InputError: A tag that is meant as TLP or PAP is not known.
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
    known = {str(marking): marking for marking in kind}
    allowed = ", ".join(f"{taxonomy}:{name.lower()}" for name in known)
    markings = []
    for tag in map(_simplify, tags):
        if _MARKING_STARTS[taxonomy].match(tag) is None:
            continue
        match = _MARKING.fullmatch(tag)
        name = match["name"].upper() if match is not None else ""
        marking = known.get(_OLD_NAMES.get(name, name))
        if marking is None:
            raise InputError(f"a {taxonomy.upper()} tag must be one of {allowed}; correct the tag")
        markings.append(marking)
    return markings


def _simplify(tag: str) -> str:
    """Return a tag in lower case, with usual characters for those that look the same, and without invisible ones."""
    text = unicodedata.normalize("NFKC", tag)
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip().lower()


def _read_admiralty_code(tags: Sequence[str]) -> str | None:
    matches = [match for tag in tags if (match := _ADMIRALTY.fullmatch(tag))]
    grades = {(match["axis"].lower(), match["grade"].upper()) for match in matches}
    letters = {grade for axis, grade in grades if axis == "source-reliability" and grade.isalpha()}
    digits = {grade for axis, grade in grades if axis == "information-credibility" and grade.isdigit()}
    return letters.pop() + digits.pop() if len(letters) == len(digits) == 1 else None
