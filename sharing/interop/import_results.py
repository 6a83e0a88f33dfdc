"""Results of an import: indicators with their locations, and everything that is not published, with the reason.

Nothing is dropped: each value in a file becomes an indicator or an unpublished entry. A reason never repeats a value.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from sharing.errors import InputError
from sharing.interop.digest_table import DIGEST_BYTES, DigestTable, make_digest
from sharing.serialization.encoded_indicator import ID_END, EncodedIndicator, decode_indicator

if TYPE_CHECKING:
    from sharing.model.indicator import Indicator

_REASON_CHARACTERS_MAX = 600
_HIGHER_VERSION = "give a changed item a higher version, and another item another id"
_KEEP_NEWER = "if one is a newer version of the other, publish it alone; if not, give one of them another id"
"""What to do about two contents of one item: entries of MISP and STIX files have no version of the bus."""

_PLACE: Final = struct.Struct(">QIQ")  # number of the item, of its file, and its line or 0
_VERSION: Final = struct.Struct(">Q")


class UnpublishedCause(StrEnum):
    """Why a value is not published, as a code for counting."""

    NOT_FOR_DETECTION = "NOT_FOR_DETECTION"
    CONDITIONAL = "CONDITIONAL"
    CONTEXT = "CONTEXT"
    FREE_TEXT = "FREE_TEXT"
    REFERENCE = "REFERENCE"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    ATTACHMENT = "ATTACHMENT"
    INVALID = "INVALID"
    MALFORMED = "MALFORMED"
    DUPLICATE = "DUPLICATE"
    DELETED = "DELETED"
    PROPOSAL = "PROPOSAL"
    REPORT = "REPORT"
    OTHER_EVENT = "OTHER_EVENT"
    OTHER_STATE = "OTHER_STATE"
    OTHER_AGENCY = "OTHER_AGENCY"
    OUTDATED = "OUTDATED"


class ConflictingItemError(InputError):
    """Two entries have the same id and version, and different contents. Which of them is meant is unknown."""


class InputLocation(NamedTuple):
    """A location in a file: a line number, or a JSON pointer (RFC 6901) with `#part` for one part of a composite."""

    file: str
    position: str


class LocatedIndicator(NamedTuple):
    """An indicator and its location in the input."""

    file: str
    position: str
    item: EncodedIndicator

    @property
    def indicator(self) -> Indicator:
        """The indicator, decoded."""
        return decode_indicator(self.item)


class UnpublishedEntry(NamedTuple):
    """A value that is not published: its location, and why."""

    file: str
    position: str
    cause: UnpublishedCause
    reason: str

    @property
    def is_refused(self) -> bool:
        """Whether its agency meant to publish it, and must correct it.

        So is a faulty or outdated line of JSON lines. A file of another system has many values that are not indicators,
        or are wrong there; they are listed, and nobody can correct them here.
        """
        is_line = self.position.isdigit()
        return self.cause in _ALWAYS_REFUSED or (is_line and self.cause in _FAULTS)


_ALWAYS_REFUSED = frozenset({UnpublishedCause.OTHER_STATE, UnpublishedCause.OTHER_AGENCY})

_FAULTS = frozenset({UnpublishedCause.INVALID, UnpublishedCause.MALFORMED, UnpublishedCause.OUTDATED})


ParsedEntry = LocatedIndicator | UnpublishedEntry


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of importing files.

    Attributes:
        files: Names of the files that were read.
        indicators: The indicators to publish, in file order.
        unpublished: All other values in the files.
        unreadable: One error for each file that could not be read.
    """

    files: tuple[str, ...]
    indicators: tuple[LocatedIndicator, ...]
    unpublished: tuple[UnpublishedEntry, ...]
    unreadable: tuple[InputError, ...] = ()

    @property
    def total(self) -> int:
        """Number of values found: always the number of indicators plus the number of unpublished entries."""
        return len(self.indicators) + len(self.unpublished)


class DuplicateFilter:
    """Detects duplicates among the indicators of one import, conflicting ones, and versions after a higher one.

    What it keeps of each indicator are digests in files, so an import may have any length.

    Args:
        is_one_file: Whether there is one file only. Then nothing is compared by value with a line.

    Raises:
        InfrastructureError: There is no space for temporary files.
    """

    def __init__(self, *, is_one_file: bool = False) -> None:
        self._is_one_file = is_one_file
        # By digest of the content: its place. By digest of id and version: its place, and the digest of every field.
        self._contents = DigestTable(_PLACE.size)
        self._versions = DigestTable(_PLACE.size + DIGEST_BYTES)
        self._later = DigestTable(_VERSION.size)  # the highest version of each item that has one above 1
        self._files: list[str] = []
        self._pointers: dict[int, str] = {}  # places of items that are not lines

    @property
    def count(self) -> int:
        """Number of indicators that are neither duplicates nor outdated."""
        return len(self._versions)

    def reserve(self, indicators: int) -> None:
        """Make place for about this many more indicators.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        if not self._is_one_file:
            self._contents.reserve(len(self._contents) + indicators)
        self._versions.reserve(len(self._versions) + indicators)

    def find(self, identity: str, version: int) -> int | None:
        """Return the number of the indicator with an id and version, from 0, or None."""
        stored = self._versions.get(_digest_version(identity, version))
        return None if stored is None else int(_PLACE.unpack(stored[: _PLACE.size])[0])

    def check(self, location: InputLocation, item: EncodedIndicator, *, by_value: bool) -> ParsedEntry:
        """Return the indicator with its location, or an unpublished entry if it is a duplicate or too old a version.

        Args:
            location: Location of the indicator.
            item: The indicator.
            by_value: Whether an indicator with the same type, value and facts is a duplicate whatever its id. True for
                MISP and STIX; a line identifies its own item. Indicators whose facts differ (a stricter TLP, another
                offence) are never duplicates.

        Raises:
            ConflictingItemError: Another indicator has the same id and version. The message names both locations.
            InfrastructureError: There is no space left for temporary files.
        """
        content = _digest_content(item) if by_value or not self._is_one_file else b""
        if by_value and (same := self._contents.get(content)) is not None:
            reason = f"has the type, value and facts of {self._describe_first(same, location)}"
            return make_unpublished(location, UnpublishedCause.DUPLICATE, reason)
        version = _digest_version(item.id, item.version)
        latest = self._find_latest(item.id)
        if item.version < latest and self._versions.get(version) is None:
            first = self._describe_first(self._versions.get(_digest_version(item.id, latest)) or b"", location)
            return make_unpublished(location, UnpublishedCause.OUTDATED, make_outdated_reason(latest, first))
        place, whole = self._pack_place(location), make_digest(item.data)
        earlier = self._versions.add(version, place + whole)
        if earlier is not None:
            first = self._describe_first(earlier, location)
            if earlier[_PLACE.size :] != whole:
                raise ConflictingItemError(
                    f"{location.file}: {_describe_position(location)} has the id and version of {first}, and another "
                    f"content; {_KEEP_NEWER if by_value else _HIGHER_VERSION}",
                    field="id",
                    location=location.position,
                )
            return make_unpublished(location, UnpublishedCause.DUPLICATE, f"has the id and version of {first}")
        if item.version > 1:
            self._later.replace(make_digest(item.id.encode()), _VERSION.pack(item.version))
        if content:
            self._contents.add(content, place)
        return LocatedIndicator(*location, item)

    def _find_latest(self, identity: str) -> int:
        if not len(self._later):
            return 0
        stored = self._later.get(make_digest(identity.encode()))
        return 0 if stored is None else int(_VERSION.unpack(stored)[0])

    def _pack_place(self, location: InputLocation) -> bytes:
        if not self._files or self._files[-1] != location.file:
            self._files.append(location.file)
        number, position = len(self._versions), location.position
        if position.isdecimal():
            return _PLACE.pack(number, len(self._files) - 1, int(position))
        self._pointers[number] = position
        return _PLACE.pack(number, len(self._files) - 1, 0)

    def _describe_first(self, place: bytes, location: InputLocation) -> str:
        number, file, line = _PLACE.unpack(place[: _PLACE.size])
        return _describe_location(InputLocation(self._files[file], self._pointers.get(number) or str(line)), location)


def make_outdated_reason(latest: int, where: str) -> str:
    """Return why a version is not published after a higher one.

    Args:
        latest: The higher version.
        where: Where it is.
    """
    return (
        f"version: {where} has version {latest} of the item, so that this one would change nothing; give a change a "
        "higher version"
    )


def _digest_content(item: EncodedIndicator) -> bytes:
    """Return a digest of every field that matters to a law: all but id, summary and time of observation."""
    data = item.data
    return make_digest(
        data[ID_END : item.summary_start] + data[item.shared_start : item.shared_end] + data[item.review_start :]
    )


def _digest_version(identity: str, version: int) -> bytes:
    """Return a digest of id and version, which is that of no content."""
    return hashlib.blake2b(f"{identity}/{version}".encode(), digest_size=DIGEST_BYTES, person=b"version").digest()


def _describe_location(first: InputLocation, location: InputLocation) -> str:
    position = _describe_position(first)
    return position if first.file == location.file else f"{position} in {first.file}"


def _describe_position(location: InputLocation) -> str:
    return f"line {location.position}" if location.position.isdigit() else location.position


def make_unpublished(location: InputLocation, cause: UnpublishedCause, reason: str) -> UnpublishedEntry:
    """Return an unpublished entry whose reason is printable and fits on one line."""
    printable = "".join(character if character.isprintable() else "?" for character in reason)
    if len(printable) > _REASON_CHARACTERS_MAX:
        printable = f"{printable[:_REASON_CHARACTERS_MAX]}…"
    return UnpublishedEntry(*location, cause, sys.intern(printable))  # of many entries there are few reasons
