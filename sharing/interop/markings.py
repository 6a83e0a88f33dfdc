"""What tags state: the markings TLP, PAP and the Admiralty code, and a few facts.

Tags are those of MISP, and the labels and markings of STIX. The strictest of several markings counts. What has a tag
that names TLP or PAP and is none of the known markings is not published: people also type `TLP-RED` and
`marking:tlp=red`, which must not count as no marking.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sharing.errors import InputError
from sharing.model.vocabulary import Pap, Tlp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from enum import StrEnum

Marking = TypeVar("Marking", bound="StrEnum")

_OLD_NAMES = {"WHITE": "CLEAR"}  # TLP 1.0; PAP still uses WHITE
_MARKING_STARTS = {"tlp": re.compile(r"[\W_]*tlp"), "pap": re.compile(r"[\W_]*pap(?![a-z])")}
"""How a tag begins that is meant as a marking; no other word begins with TLP."""

_MARKINGS_INSIDE = {
    "tlp": re.compile(r"(?<![^\W_])tlp"),
    "pap": re.compile(r"(?<![^\W_])pap(?:\s*[:=]|[\W_]*(?:white|clear|green|amber|red)(?![a-z]))"),
}
"""What a tag has somewhere after another word if it is meant as a marking; PAP is also the name of a press agency."""

_MARKING = re.compile(r"(?:tlp|pap)\s*:\s*(?P<name>.*)")
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
    """Markings of a value, including those of what contains it.

    Attributes:
        tlp: Strictest TLP, or None.
        pap: Strictest PAP, or None.
        admiralty: Admiralty code such as `B2`, or None if one half is missing or contradictory.
    """

    tlp: Tlp | None = None
    pap: Pap | None = None
    admiralty: str | None = None


def read_marking_facts(
    own_tags: Sequence[str], outer_tags: Sequence[str], initial_fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the facts that tags state. TLP and PAP are included only if stricter than the initial ones.

    Args:
        own_tags: Tags of the value.
        outer_tags: Tags of what contains it.
        initial_fields: The fields of the profile.

    Raises:
        InputError: A tag that is meant as TLP or PAP is not known.
    """
    markings = read_markings(own_tags, outer_tags)
    facts: dict[str, Any] = {**read_stated_facts((*own_tags, *outer_tags))}
    if tlp := pick_stricter(markings.tlp, Tlp(initial_fields["tlp"]) if initial_fields.get("tlp") else None):
        facts["tlp"] = str(tlp)
    if pap := pick_stricter(markings.pap, Pap(initial_fields["pap"]) if initial_fields.get("pap") else None):
        facts["pap"] = str(pap)
    if markings.admiralty:
        facts["grading"] = {"admiralty": markings.admiralty}
    return facts


def read_markings(own_tags: Sequence[str], outer_tags: Sequence[str]) -> Markings:
    """Return the markings in the tags of a value and of what contains it.

    Raises:
        InputError: A tag that is meant as TLP or PAP is not known.
    """
    all_tags = (*own_tags, *outer_tags)
    return Markings(
        _pick_strictest(_find_markings(all_tags, "tlp", Tlp)),
        _pick_strictest(_find_markings(all_tags, "pap", Pap)),
        _read_admiralty_code(own_tags) or _read_admiralty_code(outer_tags),
    )


def is_marking(text: str) -> bool:
    """Return whether a text is meant as TLP or PAP, though perhaps as none that is known."""
    simple = simplify(text)
    return any(start.match(simple) for start in _MARKING_STARTS.values())


def has_marking_inside(text: str) -> bool:
    """Return whether a text names TLP or PAP after something else, as `marking:tlp=red` does."""
    return not is_marking(text) and any(names_marking(simplify(text), taxonomy) for taxonomy in _MARKING_STARTS)


def names_marking(tag: str, taxonomy: str) -> bool:
    """Return whether a tag names a taxonomy, `tlp` or `pap`, though perhaps as no marking that is known.

    Args:
        tag: The tag, as `simplify` returns it.
        taxonomy: `tlp` or `pap`.
    """
    return bool(_MARKING_STARTS[taxonomy].match(tag) or _MARKINGS_INSIDE[taxonomy].search(tag))


def read_stated_facts(tags: Iterable[str]) -> dict[str, str]:
    """Return the facts that the tags of a value, or of what contains it, state."""
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
    for tag in map(simplify, tags):
        if not names_marking(tag, taxonomy):
            continue
        match = _MARKING.fullmatch(tag)
        name = match["name"].upper() if match is not None else ""
        marking = known.get(_OLD_NAMES.get(name, name))
        if marking is None:
            raise InputError(f"a {taxonomy.upper()} tag must be one of {allowed}; correct the tag")
        markings.append(marking)
    return markings


def simplify(tag: str) -> str:
    """Return a tag or id in lower case, with usual characters for those that look alike, and without invisible ones."""
    text = unicodedata.normalize("NFKC", tag)
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip().lower()


def _read_admiralty_code(tags: Sequence[str]) -> str | None:
    matches = [match for tag in tags if (match := _ADMIRALTY.fullmatch(tag))]
    grades = {(match["axis"].lower(), match["grade"].upper()) for match in matches}
    letters = {grade for axis, grade in grades if axis == "source-reliability" and grade.isalpha()}
    digits = {grade for axis, grade in grades if axis == "information-credibility" and grade.isdigit()}
    return letters.pop() + digits.pop() if len(letters) == len(digits) == 1 else None
