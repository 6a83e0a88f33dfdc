"""Results of an import: indicators with their locations, and everything that is not published, with the reason.

Nothing is dropped: each value in a file becomes an indicator or an unpublished entry. A reason never repeats a value.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InputError
from sharing.model.indicator import Indicator

if TYPE_CHECKING:
    from collections.abc import Mapping

_REASON_CHARACTERS_MAX = 600
_DIGEST_BYTES = 16


class UnpublishedCause(StrEnum):
    """Why a value is not published, as a code for counting."""

    NOT_FOR_DETECTION = "NOT_FOR_DETECTION"
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
    indicator: Indicator


class UnpublishedEntry(NamedTuple):
    """A value that is not published: its location, and why."""

    file: str
    position: str
    cause: UnpublishedCause
    reason: str

    @property
    def is_refused(self) -> bool:
        """Whether its agency meant to publish it, and must correct it.

        So is a faulty line of JSON lines. A file of another system has many values that are no indicators, or are
        wrong there; they are listed, and nobody can correct them here.
        """
        is_line = self.position.isdigit()
        return self.cause in _ALWAYS_REFUSED or (is_line and self.cause in _FAULTS)


_ALWAYS_REFUSED = frozenset({UnpublishedCause.OTHER_STATE, UnpublishedCause.OTHER_AGENCY, UnpublishedCause.OUTDATED})

_FAULTS = frozenset({UnpublishedCause.INVALID, UnpublishedCause.MALFORMED})


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

    It keeps some 250 bytes for each indicator: digests, and a number that stands for the location.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}  # of an indicator, by digest of its content, and of its id and version
        self._wholes = bytearray()  # digest of every field, by number
        self._files: list[str] = []
        self._file_indexes = array("I")
        self._lines = array("Q")  # 0 for a location that is no line
        self._pointers: dict[int, str] = {}
        self._later: dict[str, int] = {}  # the highest version of each item that has one above 1

    def check(self, location: InputLocation, indicator: Indicator, *, by_value: bool) -> ParsedEntry:
        """Return the indicator with its location, or an unpublished entry if it is a duplicate or too old a version.

        Args:
            location: Location of the indicator.
            indicator: The indicator.
            by_value: Whether an indicator with the same type, value and facts is a duplicate whatever its id. True for
                MISP, and for a line without an id; a line with an id identifies its own item. Indicators whose facts
                differ (a stricter TLP, another offence) are never duplicates.

        Raises:
            ConflictingItemError: Another indicator has the same id and version. The message names both locations.
        """
        content = _digest_content(indicator)
        if by_value and content in self._numbers:
            first = self._describe_first(self._numbers[content], location)
            reason = f"has the type, value and facts of {first}"
            return make_unpublished(location, UnpublishedCause.DUPLICATE, reason)
        whole, version = _digest_whole(indicator), _digest_version(indicator.id, indicator.version)
        number = self._numbers.get(version)
        if number is not None:
            first = self._describe_first(number, location)
            if whole != self._wholes[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]:
                raise ConflictingItemError(
                    f"{location.file}: {_describe_position(location)} has the id and version of {first}, and another "
                    "content; give a changed item a higher version, and another item another id",
                    field="id",
                    location=location.position,
                )
            return make_unpublished(location, UnpublishedCause.DUPLICATE, f"has the id and version of {first}")
        latest = self._later.get(indicator.id, 0)
        if indicator.version < latest:
            first = self._describe_first(self._numbers[_digest_version(indicator.id, latest)], location)
            return make_unpublished(location, UnpublishedCause.OUTDATED, make_outdated_reason(latest, first))
        if indicator.version > 1:
            self._later[indicator.id] = indicator.version
        number = self._add_location(location)
        self._wholes += whole
        self._numbers[version] = number
        self._numbers.setdefault(content, number)
        return LocatedIndicator(*location, indicator)

    def _add_location(self, location: InputLocation) -> int:
        """Keep a location, and return its number."""
        number = len(self._lines)
        if not self._files or self._files[-1] != location.file:
            self._files.append(location.file)
        self._file_indexes.append(len(self._files) - 1)
        is_line = location.position.isdecimal()
        self._lines.append(int(location.position) if is_line else 0)
        if not is_line:
            self._pointers[number] = location.position
        return number

    def _describe_first(self, number: int, location: InputLocation) -> str:
        position = self._pointers.get(number) or str(self._lines[number])
        return _describe_location(InputLocation(self._files[self._file_indexes[number]], position), location)


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


def _digest_content(indicator: Indicator) -> bytes:
    """Return a digest of every field that matters to a law: all but id, summary and time of observation."""
    text = indicator.model_dump_json(exclude={"id", "summary", "observed_at"})
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def _digest_whole(indicator: Indicator) -> bytes:
    """Return a digest of every field."""
    return hashlib.blake2b(indicator.model_dump_json().encode(), digest_size=_DIGEST_BYTES).digest()


def _digest_version(identity: str, version: int) -> bytes:
    """Return a digest of id and version, which is that of no content."""
    return hashlib.blake2b(f"{identity}/{version}".encode(), digest_size=_DIGEST_BYTES, person=b"version").digest()


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
    return UnpublishedEntry(*location, cause, printable)


def build_indicator(fields: Mapping[str, Any]) -> Indicator:
    """Return the indicator that the fields describe.

    Raises:
        InputError: The fields are not a valid indicator. The message names fields and never repeats a value.
    """
    try:
        return Indicator.parse(dict(fields))
    except OverflowError:  # a time near year 1 or 9999 whose time zone moves it out of range
        raise InputError("a time is outside the years 1 to 9999; correct it") from None
